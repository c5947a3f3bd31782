"""The app under gunicorn, on a PostgreSQL of its own: many at once, and the end."""

import signal
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from threading import Barrier
from typing import Any

import pytest
import requests
from flask import Flask
from psycopg2.extensions import connection as Connection  # noqa: N812  # it is a class
from sqlalchemy import delete, func, select

from allthing.database import db
from allthing.models import PollInstance, RolloverRun
from tests.conftest import ROOT
from tests.postgresql.sessions import AT_WORK, ours
from tests.support.api import Polls
from tests.support.served import WORKERS, ServedApp, served
from tests.support.stopwatch import timed, until
from tests.support.watchdog import is_alive

pytestmark = [pytest.mark.postgresql, pytest.mark.timing]

CROWD = 30
HOLD = "/hold?seconds=1"  # long beside what it takes to send thirty requests
HEAL_SECONDS = 5
POOLS = 60  # 2 workers x (20 + 10) connections
ABANDONED_RUN = """
import signal
from tests.support.served import served
with served() as server:
    print(*server.workers(), flush=True)
    signal.pause()
"""


def at_once(calls: list[Callable[[], requests.Response]]) -> list[requests.Response]:
    """Make all calls at the same moment; return their answers."""
    start = Barrier(len(calls))

    def make(call: Callable[[], requests.Response]) -> requests.Response:
        start.wait()
        return call()

    with ThreadPoolExecutor(len(calls)) as pool:
        return list(pool.map(make, calls))


class TestManyAtOnce:
    def test_thirty_requests_that_hold_a_connection_take_one_round(
        self, server: ServedApp, observer: Connection
    ) -> None:
        """If any of them had to wait for a thread or a connection, it would take two rounds.

        Compared with one request of the same run, and the best of three, because the machine may
        be busy with something else.
        """
        calls = [lambda: server.get(HOLD)] * CROWD

        assert {answer.status_code for answer in at_once(calls)} == {200}  # opens connections
        alone = min(timed(lambda: server.get(HOLD)) for _ in range(2))
        together = min(timed(lambda: at_once(calls)) for _ in range(3))

        assert together < 2 * alone
        assert 0 < ours(observer) <= POOLS

    def test_every_connection_has_its_deadlines_and_utc(self, server: ServedApp) -> None:
        wanted = {
            "application_name": "allthing-api",
            "statement_timeout": "1min",
            "lock_timeout": "3s",
            "idle_in_transaction_session_timeout": "30s",
            "TimeZone": "UTC",
        }
        calls = [lambda: server.get("/connection", params={"setting": list(wanted)})] * CROWD

        assert all(answer.json() == wanted for answer in at_once(calls))

    def test_first_readers_of_a_day_on_two_replicas_open_each_poll_once(
        self, server: ServedApp, polls: Polls, home: Flask, settings: dict[str, Any]
    ) -> None:
        for number in range(3):
            polls.admin.template(title=f"Question {number}")
        with home.app_context():
            db.session.execute(delete(RolloverRun))
            db.session.execute(delete(PollInstance))
            db.session.commit()

        with served("tests.support.holding_app:app", **settings) as replica:
            replica.workers()
            time.sleep(settings["cache_ttl"])
            calls = [lambda: server.get("/polls/today"), lambda: replica.get("/polls/today")]
            answers = at_once(calls * (CROWD // 2))

        with home.app_context():
            opened = select(func.count(), func.count(PollInstance.template_id.distinct()))
            instances, templates = db.session.execute(opened).one()
        assert {answer.status_code for answer in answers} == {200}
        assert len({answer.headers["ETag"] for answer in answers}) == 1
        assert instances == templates >= 3

    def test_one_voter_on_thirty_connections_has_one_ballot(
        self, server: ServedApp, polls: Polls
    ) -> None:
        poll = polls.open(options=tuple(f"Soup {number}" for number in range(CROWD)))
        refused = server.post(f"/polls/{poll['pollId']}/vote", json={"rankedChoices": ["nothing"]})
        cookie = refused.headers["Set-Cookie"].partition(";")[0]  # Secure: not kept over HTTP
        voters = [server.connection() for _ in range(CROWD)]
        before = len(server.log())
        for voter in voters:
            voter.headers["Cookie"] = cookie
            voter.get(f"{server.url}/healthz")  # so that it has its connection, to either worker

        def cast(place: int) -> Callable[[], requests.Response]:
            return lambda: server.vote(poll, place, voters[place])

        answers = at_once([cast(place) for place in range(CROWD)])

        statuses = sorted(answer.status_code for answer in answers)
        assert statuses == [200] + [409] * (CROWD - 1)
        assert polls.results(poll)["totalVotes"] == 1
        assert len({line["process"] for line in server.logged("request", before)}) == 2


@pytest.mark.usefixtures("home")
class TestEnd:
    def test_sigterm_answers_what_is_in_flight_and_ends_in_ten_seconds(
        self, settings: dict[str, Any], observer: Connection
    ) -> None:
        with (
            served("tests.support.holding_app:app", **settings) as server,
            server.connection() as idle,
            ThreadPoolExecutor(4) as pool,
        ):
            idle.get(f"{server.url}/healthz")  # an open connection must not hold up the end
            held: list[Future[requests.Response]] = [
                pool.submit(server.get, "/hold?seconds=2") for _ in range(4)
            ]
            until(lambda: ours(observer, AT_WORK) == 4, HEAL_SECONDS)

            waited = timed(lambda: server.stop(signal.SIGTERM))

            assert [answer.result().status_code for answer in held] == [200] * 4
            assert waited < 10

    def test_nothing_is_left_of_a_served_app(self, settings: dict[str, Any]) -> None:
        with served(**settings) as server:
            workers = server.workers()
        assert not any(map(is_alive, workers))

    def test_nothing_is_left_of_a_killed_run(self) -> None:
        script = [sys.executable, "-c", ABANDONED_RUN]
        with subprocess.Popen(script, stdout=subprocess.PIPE, text=True, cwd=ROOT) as run:
            assert run.stdout
            workers = [int(pid) for pid in run.stdout.readline().split()]
            run.kill()
        assert len(workers) == WORKERS
        until(lambda: not any(map(is_alive, workers)), 20)

"""The app under gunicorn, on a PostgreSQL of its own: many at once, faults, and the end."""

import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from threading import Barrier
from typing import Any

import psycopg2
import pytest
import requests
from flask import Flask
from sqlalchemy import delete, func, select

from allthing.database import db
from allthing.models import PollInstance, RolloverRun
from tests.api import Admin, Polls, today
from tests.conftest import ADMIN_KEY, ROOT
from tests.postgres import PostgresServer
from tests.prepared import prepared, settings_for
from tests.served import WORKERS, ServedApp, served
from tests.servers import postgres_server
from tests.stopwatch import timed
from tests.watchdog import is_alive

pytestmark = pytest.mark.postgresql

CROWD = 30
HOLD = "/hold?seconds=0.2"
HEAL_SECONDS = 5
POOLS = 60  # 2 workers x (20 + 10) connections
ABANDONED_RUN = """
import signal
from tests.served import served
with served() as server:
    print(*server.workers(), flush=True)
    signal.pause()
"""


UNCACHED = f"/polls?pollDate={today()}"


@pytest.fixture(scope="module")
def postgres() -> Iterator[PostgresServer]:
    with postgres_server(private=True) as server:
        yield server


@pytest.fixture(scope="module")
def settings(postgres: PostgresServer) -> dict[str, Any]:
    return settings_for(postgres.create_database("served"), cache_ttl=1)


@pytest.fixture(scope="module")
def home(settings: dict[str, Any]) -> Iterator[Flask]:
    with prepared(settings) as app:
        yield app


@pytest.fixture
def polls(home: Flask) -> Polls:
    return Polls(home, Admin(home.test_client(use_cookies=False), ADMIN_KEY))


@pytest.fixture(scope="module")
def server(home: Flask, settings: dict[str, Any]) -> Iterator[ServedApp]:
    with served("tests.holding_app:app", **settings) as server:
        server.workers()
        yield server


@pytest.fixture(scope="module")
def narrow_server(home: Flask, settings: dict[str, Any]) -> Iterator[ServedApp]:
    """Serve with one connection to the database for all threads."""
    one = {"web_concurrency": 1, "db_pool_size": 1, "db_max_overflow": 0, "db_pool_timeout": 1}
    with served("tests.holding_app:app", **settings | one) as server:
        yield server


def at_once(calls: list[Callable[[], requests.Response]]) -> list[requests.Response]:
    """Make all calls at the same moment; return their answers."""
    start = Barrier(len(calls))

    def make(call: Callable[[], requests.Response]) -> requests.Response:
        start.wait()
        return call()

    with ThreadPoolExecutor(len(calls)) as pool:
        return list(pool.map(make, calls))


def until(reached: Callable[[], bool], seconds: float = HEAL_SECONDS) -> float:
    """Wait for something to become true, for so long at most; return how long it took."""
    begun = time.monotonic()
    while not reached():
        assert time.monotonic() < begun + seconds, "waited in vain"
        time.sleep(0.05)
    return time.monotonic() - begun


def activity(settings: dict[str, Any], condition: str = "true") -> int:
    """Count the app's connections to its database of which `condition` holds."""
    with closing(psycopg2.connect(settings["database_url"])) as connection:
        cursor = connection.cursor()
        cursor.execute(
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"
            f" AND application_name = 'allthing-api' AND {condition}"
        )
        return int(cursor.fetchone()[0])


def assert_unavailable(answer: requests.Response) -> None:
    assert answer.status_code == 503, answer.text
    assert int(answer.headers["Retry-After"]) > 0
    assert isinstance(answer.json()["detail"], str)


def vote(
    server: ServedApp, poll: dict[str, Any], session: requests.Session | None = None, place: int = 0
) -> requests.Response:
    client = session or server.connection()
    url = f"{server.url}/polls/{poll['pollId']}/vote"
    return client.post(url, json={"rankedChoices": [poll["options"][place]["optionId"]]})


class TestManyAtOnce:
    def test_thirty_requests_that_hold_a_connection_take_one_round(
        self, server: ServedApp, settings: dict[str, Any]
    ) -> None:
        """If any of them had to wait for a thread or a connection, it would take two rounds.

        Compared with one request of the same run, and the best of three, because the machine may
        be busy with something else.
        """
        calls = [lambda: server.get(HOLD)] * CROWD

        assert {answer.status_code for answer in at_once(calls)} == {200}  # opens connections
        alone = min(timed(lambda: server.get(HOLD)) for _ in range(3))
        together = min(timed(lambda: at_once(calls)) for _ in range(3))

        assert together < 2 * alone
        assert 0 < activity(settings) <= POOLS

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

        with served("tests.holding_app:app", **settings) as replica:
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
            return lambda: vote(server, poll, voters[place], place)

        answers = at_once([cast(place) for place in range(CROWD)])

        statuses = sorted(answer.status_code for answer in answers)
        assert statuses == [200] + [409] * (CROWD - 1)
        assert polls.results(poll)["totalVotes"] == 1
        assert len({line["process"] for line in server.logged("request", before)}) == 2


class TestOneConnection:
    def test_broken_transaction_leaves_the_connection_clean(self, narrow_server: ServedApp) -> None:
        for _ in range(3):
            assert narrow_server.get("/break").status_code >= 400
            healthy = narrow_server.get("/connection", params={"setting": "TimeZone"})
            assert healthy.json() == {"TimeZone": "UTC"}

    def test_exhausted_pool_answers_503_in_time_and_heals(self, narrow_server: ServedApp) -> None:
        with ThreadPoolExecutor(1) as pool:
            held = pool.submit(narrow_server.get, "/hold?seconds=3")
            time.sleep(0.3)
            answers: list[requests.Response] = []
            waited = timed(lambda: answers.append(narrow_server.get("/polls/today")))

            assert_unavailable(answers[0])
            assert waited < 2
            assert narrow_server.get("/healthz").status_code == 200
            assert held.result().status_code == 200
        assert narrow_server.get("/polls/today").status_code == 200


@pytest.mark.usefixtures("home")
class TestEnd:
    def test_sigterm_answers_what_is_in_flight_and_ends_in_ten_seconds(
        self, settings: dict[str, Any]
    ) -> None:
        with (
            served("tests.holding_app:app", **settings) as server,
            server.connection() as idle,
            ThreadPoolExecutor(4) as pool,
        ):
            idle.get(f"{server.url}/healthz")  # an open connection must not hold up the end
            held: list[Future[requests.Response]] = [
                pool.submit(server.get, "/hold?seconds=2") for _ in range(4)
            ]
            until(lambda: activity(settings, "query LIKE '%pg_sleep%' AND state = 'active'") == 4)

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


class TestPostgresAway:
    def test_restart_between_two_requests_is_noticed_by_nobody(
        self, server: ServedApp, postgres: PostgresServer
    ) -> None:
        server.workers(UNCACHED)
        postgres.stop("immediate")
        postgres.start()

        assert {server.get(UNCACHED).status_code for _ in range(12)} == {200}

    def test_what_needs_it_is_unavailable_until_it_is_back(
        self, server: ServedApp, polls: Polls, postgres: PostgresServer
    ) -> None:
        poll = polls.open()
        server.workers(UNCACHED)
        category = {"json": {"key": "away", "name": "Away"}, "headers": {"x-admin-key": ADMIN_KEY}}
        postgres.stop()
        try:
            for _ in range(4):
                assert_unavailable(server.get(UNCACHED))
                assert_unavailable(vote(server, poll))
                assert_unavailable(server.post("/admin/categories", **category))
                assert server.get("/healthz").status_code == 200
            ready = server.get("/readyz")
            assert (ready.status_code, ready.json()["ok"]) == (503, False)
            assert ready.json()["components"]["database"] == "unhealthy"
        finally:
            postgres.start()

        until(lambda: server.get("/readyz").status_code == 200)
        assert {server.get(UNCACHED).status_code for _ in range(8)} == {200}
        assert vote(server, poll).status_code == 200
        assert server.post("/admin/categories", **category).status_code == 200

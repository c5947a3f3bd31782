"""Connections and locks that somebody holds: who waits, for how long, and who need not wait."""

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import requests
from flask import Flask
from psycopg2.extensions import connection as Connection  # noqa: N812  # it is a class

from tests.postgresql.answers import (
    ASK,
    FIRST_SECONDS,
    KEY,
    LATER_SECONDS,
    assert_unavailable,
    timed_answer,
)
from tests.postgresql.sessions import AT_WORK, execute, ours
from tests.support.api import Polls
from tests.support.served import WORKERS, ServedApp, served
from tests.support.stopwatch import timed, until

pytestmark = [
    pytest.mark.postgresql,
    pytest.mark.timing,
]

POOL = 30


@pytest.fixture(scope="module")
def narrow_server(home: Flask, settings: dict[str, Any]) -> Iterator[ServedApp]:
    """Serve with one connection to the database for all threads."""
    one = {"web_concurrency": 1, "db_pool_size": 1, "db_max_overflow": 0, "db_pool_timeout": 1}
    with served("tests.support.holding_app:app", **settings | one) as server:
        yield server


@pytest.fixture(scope="module")
def impatient_server(home: Flask, settings: dict[str, Any]) -> Iterator[ServedApp]:
    """Serve with one worker, on which a request of the public may take a second."""
    short = {"web_concurrency": 1, "db_request_timeout": 1, "db_lock_timeout": 20}
    with served("tests.support.holding_app:app", **settings | short) as server:
        yield server


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


class TestTime:
    def test_who_gives_up_leaves_nothing_running_and_spoils_no_other_connection(
        self, impatient_server: ServedApp, observer: Connection
    ) -> None:
        def pids_at_work() -> set[int]:
            with ThreadPoolExecutor(3) as pool:
                list(pool.map(impatient_server.get, ["/hold?seconds=0.5"] * 3))
            return set(ours(observer, count="array_agg(pid)"))

        before = pids_at_work()

        status, seconds = timed_answer(lambda: impatient_server.get("/hold?seconds=30"))

        assert status == 503
        assert seconds < FIRST_SECONDS
        until(lambda: ours(observer, AT_WORK) == 0, 5)
        assert len(before - pids_at_work()) == 1

    def test_an_admin_may_wait_longer_than_the_public(
        self, impatient_server: ServedApp, observer: Connection, polls: Polls
    ) -> None:
        poll = polls.open()
        execute(observer, 'LOCK TABLE "pollCategories", "pollInstances"')
        history = f"/polls/templates/{poll['templateId']}/history"
        with ThreadPoolExecutor(1) as pool:
            slow = pool.submit(impatient_server.get, "/admin/categories", headers=KEY)
            status, seconds = timed_answer(lambda: impatient_server.get(history))
            time.sleep(1)
            observer.rollback()
            assert slow.result().status_code == 200
        assert (status, seconds < FIRST_SECONDS) == (503, True)

    def test_with_all_connections_held_there_are_threads_for_what_needs_none(
        self, server: ServedApp, observer: Connection
    ) -> None:
        with ThreadPoolExecutor(POOL * WORKERS + 4) as pool:
            held = [pool.submit(server.get, "/hold?seconds=4") for _ in range(POOL * WORKERS)]
            # Workers take what comes as they please: the pool of one may not be full.
            until(lambda: ours(observer, AT_WORK) > POOL * WORKERS * 3 // 4, 4)
            waiting = [pool.submit(timed_answer, lambda: server.get(ASK)) for _ in range(4)]
            assert max(timed(lambda: server.get("/healthz")) for _ in range(8)) < LATER_SECONDS
            assert {call.result()[0] for call in waiting} <= {200, 503}
            assert max(call.result()[1] for call in waiting) < FIRST_SECONDS
            assert {call.result().status_code for call in held} <= {200, 503}
        assert {server.get(ASK).status_code for _ in range(8)} == {200}

    @pytest.mark.usefixtures("home")
    def test_nobody_waits_for_a_connection_when_others_just_timed_out(
        self, settings: dict[str, Any]
    ) -> None:
        one = {"web_concurrency": 1, "db_pool_size": 1, "db_max_overflow": 0, "db_pool_timeout": 2}
        with (
            served("tests.support.holding_app:app", **settings | one) as server,
            ThreadPoolExecutor(1) as pool,
        ):
            server.get(ASK)
            held = pool.submit(server.get, "/hold?seconds=4.5")
            time.sleep(0.3)
            assert timed_answer(lambda: server.get(ASK))[0] == 503
            later = [timed_answer(lambda: server.get(ASK)) for _ in range(4)]
            assert {status for status, _ in later} == {503}
            assert max(seconds for _, seconds in later) < LATER_SECONDS
            assert held.result().status_code == 200
            assert server.get(ASK).status_code == 200

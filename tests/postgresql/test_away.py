"""PostgreSQL frozen, stopped and started again: nobody waits for long, and what can goes on."""

import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import pytest
import requests

from tests.postgresql.answers import (
    ASK,
    FIRST_SECONDS,
    LATER_SECONDS,
    assert_unavailable,
    new_category,
    timed_answer,
)
from tests.support.api import Polls, today
from tests.support.postgres import PostgresServer
from tests.support.served import WORKERS, ServedApp, served
from tests.support.stopwatch import until

pytestmark = [pytest.mark.postgresql, pytest.mark.timing]

CROWD = 16
FREEZE_SECONDS = 6.0
HEAL_SECONDS = 3.0
UNCACHED = f"/polls?pollDate={today()}"


@contextmanager
def frozen(postgres: PostgresServer) -> Iterator[None]:
    postgres.freeze()
    try:
        yield
    finally:
        postgres.thaw()


def ready(server: ServedApp) -> bool:
    return all(server.get("/readyz").ok for _ in range(4 * WORKERS))


class TestFrozen:
    def test_nobody_waits_for_long_and_all_is_well_again_afterwards(
        self, server: ServedApp, postgres: PostgresServer
    ) -> None:
        """Public and admin requests alike, though an admin's may take a minute otherwise."""
        calls = [lambda: server.get(ASK), lambda: new_category(server, "frozen")] * (CROWD // 2)
        assert ready(server)
        with ThreadPoolExecutor(CROWD) as pool, frozen(postgres):
            first = [pool.submit(timed_answer, call) for call in calls]
            while not all(call.done() for call in first):
                status, seconds = timed_answer(lambda: server.get("/healthz"))
                assert (status, seconds < LATER_SECONDS) == (200, True)
                time.sleep(0.1)
            for _ in range(4 * WORKERS):  # so that each worker has noticed
                server.get(ASK)
            later = [pool.submit(timed_answer, call) for call in calls]
            not_ready = [timed_answer(lambda: server.get("/readyz")) for _ in range(4)]
        assert Counter(call.result()[0] for call in [*first, *later]) == {503: 2 * CROWD}
        assert max(call.result()[1] for call in first) < FIRST_SECONDS
        assert max(call.result()[1] for call in later) < LATER_SECONDS
        assert all(status == 503 and seconds < LATER_SECONDS for status, seconds in not_ready)

        until(lambda: ready(server), HEAL_SECONDS)
        assert {server.get(ASK).status_code for _ in range(8)} == {200}

    def test_it_is_logged_once_by_each_worker(
        self, server: ServedApp, postgres: PostgresServer
    ) -> None:
        until(lambda: ready(server), HEAL_SECONDS)
        start = len(server.log())
        with ThreadPoolExecutor(CROWD) as pool, frozen(postgres):
            over = time.monotonic() + FREEZE_SECONDS
            while time.monotonic() < over:
                list(pool.map(lambda _: server.get(ASK), range(CROWD)))
        until(lambda: ready(server), HEAL_SECONDS)

        for message in ("database does not respond", "database responds again"):
            lines = server.logged(message, start)
            assert Counter(line["process"] for line in lines) == dict.fromkeys(server.children(), 1)

    def test_a_slow_statement_is_no_silence(self, server: ServedApp) -> None:
        start = len(server.log())
        with ThreadPoolExecutor(4) as pool:
            slow = [pool.submit(server.get, "/hold?seconds=3") for _ in range(4)]
            assert [call.result().status_code for call in slow] == [200] * 4
        assert server.logged("database does not respond", start) == []


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
        postgres.stop()
        try:
            for _ in range(4):
                assert_unavailable(server.get(UNCACHED))
                assert_unavailable(server.vote(poll))
                assert_unavailable(new_category(server, "away"))
                assert server.get("/healthz").status_code == 200
            ready = server.get("/readyz")
            assert (ready.status_code, ready.json()["ok"]) == (503, False)
            assert ready.json()["components"]["database"] == "unhealthy"
        finally:
            postgres.start()

        until(lambda: server.get("/readyz").status_code == 200, HEAL_SECONDS)
        assert {server.get(UNCACHED).status_code for _ in range(8)} == {200}
        assert server.vote(poll).status_code == 200
        assert new_category(server, "away").status_code == 200


class TestWithoutTheDatabase:
    @pytest.mark.parametrize("fault", ["stop", "freeze"])
    def test_what_was_read_is_read_again_and_said_to_be_stale(
        self, settings: dict[str, Any], postgres: PostgresServer, polls: Polls, fault: str
    ) -> None:
        poll, unread = polls.open(), polls.open()
        results = f"/polls/{poll['pollId']}/results"
        with served(**settings | {"web_concurrency": 1}) as server:
            assert server.vote(poll).status_code == 200
            kept = {path: server.get(path) for path in ("/polls/today", results, f"{results}.svg")}
            time.sleep(1.1)
            getattr(postgres, fault)()
            try:
                for path in kept:
                    server.get(path)
                began = time.monotonic()
                for path, before in kept.items():
                    self.assert_stale(server.get(path), before)
                assert time.monotonic() - began < LATER_SECONDS
                lost = server.get(f"/polls/{unread['pollId']}/results")
                assert (lost.status_code, "Retry-After" in lost.headers) == (503, True)
            finally:
                postgres.start() if fault == "stop" else postgres.thaw()
            for path in kept:
                until(lambda p=path: "Warning" not in server.get(p).headers, 5)

    def assert_stale(self, answer: requests.Response, before: requests.Response) -> None:
        assert answer.status_code == 200
        assert answer.headers["Cache-Control"] == "no-store"
        assert answer.headers["Warning"].startswith("110 ")
        assert int(answer.headers["Age"]) >= 1
        assert "ETag" not in answer.headers
        if answer.headers["Content-Type"] == "application/json":
            assert answer.json() == before.json() | {"cached": True, "stale": True}
        else:
            assert answer.text == before.text

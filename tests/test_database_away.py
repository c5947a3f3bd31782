"""PostgreSQL under the app as served: frozen, gone and back, slow, read-only, in a deadlock."""

import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing, contextmanager
from typing import Any

import psycopg2
import pytest
import requests
from flask import Flask
from psycopg2.extensions import connection as Connection  # noqa: N812  # it is a class

from tests.api import Admin, Json, Polls
from tests.conftest import ADMIN_KEY
from tests.postgres import PostgresServer
from tests.prepared import prepared, settings_for
from tests.served import WORKERS, ServedApp, served
from tests.servers import postgres_server

pytestmark = pytest.mark.postgresql

CROWD = 16
FREEZE_SECONDS = 6.0
FIRST_SECONDS = 4.0  # that who meets the fault first may wait; 1.6 s where nothing else runs
LATER_SECONDS = 1.0  # that anybody after that may wait; some ms where nothing else runs
HEAL_SECONDS = 3.0
POOL = 30
KEY = {"x-admin-key": ADMIN_KEY}
ASK = "/connection?setting=TimeZone"  # a read that nothing caches


@pytest.fixture(scope="module")
def postgres() -> Iterator[PostgresServer]:
    with postgres_server(private=True) as server:
        yield server


@pytest.fixture(scope="module")
def settings(postgres: PostgresServer) -> dict[str, Any]:
    return settings_for(postgres.create_database("away"))


@pytest.fixture(scope="module")
def home(settings: dict[str, Any]) -> Iterator[Flask]:
    with prepared(settings) as app:
        yield app


@pytest.fixture(scope="module")
def server(home: Flask, settings: dict[str, Any]) -> Iterator[ServedApp]:
    with served("tests.holding_app:app", **settings) as server:
        yield server


@pytest.fixture(scope="module")
def impatient_server(home: Flask, settings: dict[str, Any]) -> Iterator[ServedApp]:
    """Serve with one worker, on which a request of the public may take a second."""
    short = {"web_concurrency": 1, "db_request_timeout": 1, "db_lock_timeout": 20}
    with served("tests.holding_app:app", **settings | short) as server:
        yield server


@pytest.fixture
def admin(home: Flask) -> Admin:
    return Admin(home.test_client(use_cookies=False), ADMIN_KEY)


@pytest.fixture
def polls(home: Flask, admin: Admin) -> Polls:
    return Polls(home, admin)


@pytest.fixture
def observer(settings: dict[str, Any]) -> Iterator[Connection]:
    """A connection of the test's own."""
    with closing(psycopg2.connect(settings["database_url"])) as connection:
        yield connection


def ask(connection: Connection, statement: str) -> Any:
    with connection.cursor() as cursor:
        cursor.execute(statement)
        return cursor.fetchone()[0] if cursor.description else None


def ours(connection: Connection, condition: str = "true", *, count: str = "count(*)") -> Any:
    """Count the app's connections of which `condition` holds, or end them."""
    connection.rollback()
    return ask(
        connection,
        f"SELECT {count} FROM pg_stat_activity WHERE datname = current_database()"
        f" AND application_name = 'allthing-api' AND pid <> pg_backend_pid() AND {condition}",
    )


def terminate(connection: Connection, condition: str = "true") -> None:
    ours(connection, condition, count="count(pg_terminate_backend(pid, 5000))")


def until(reached: Callable[[], bool], seconds: float) -> None:
    latest = time.monotonic() + seconds
    while not reached():
        assert time.monotonic() < latest, "waited in vain"
        time.sleep(0.05)


def timed(call: Callable[[], requests.Response]) -> tuple[int, float]:
    begun = time.monotonic()
    return call().status_code, time.monotonic() - begun


@contextmanager
def frozen(postgres: PostgresServer) -> Iterator[None]:
    postgres.freeze()
    try:
        yield
    finally:
        postgres.thaw()


def new_category(server: ServedApp, key: str) -> requests.Response:
    body = {"key": key, "name": "Away"}
    return server.post("/admin/categories", json=body, headers=KEY)


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
            first = [pool.submit(timed, call) for call in calls]
            while not all(call.done() for call in first):
                status, seconds = timed(lambda: server.get("/healthz"))
                assert (status, seconds < LATER_SECONDS) == (200, True)
                time.sleep(0.1)
            for _ in range(4 * WORKERS):  # so that each worker has noticed
                server.get(ASK)
            later = [pool.submit(timed, call) for call in calls]
            not_ready = [timed(lambda: server.get("/readyz")) for _ in range(4)]
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

        for message in ("database is silent", "database answers again"):
            lines = server.logged(message, start)
            assert Counter(line["process"] for line in lines) == dict.fromkeys(server.children(), 1)

    def test_a_slow_statement_is_no_silence(self, server: ServedApp) -> None:
        start = len(server.log())
        with ThreadPoolExecutor(4) as pool:
            slow = [pool.submit(server.get, "/hold?seconds=3") for _ in range(4)]
            assert [call.result().status_code for call in slow] == [200] * 4
        assert server.logged("database is silent", start) == []


class TestTime:
    def test_who_gives_up_leaves_nothing_running_and_spoils_no_other_connection(
        self, impatient_server: ServedApp, observer: Connection
    ) -> None:
        def pids_at_work() -> set[int]:
            with ThreadPoolExecutor(3) as pool:
                list(pool.map(impatient_server.get, ["/hold?seconds=0.5"] * 3))
            return set(ours(observer, count="array_agg(pid)"))

        before = pids_at_work()

        status, seconds = timed(lambda: impatient_server.get("/hold?seconds=30"))

        assert status == 503
        assert seconds < FIRST_SECONDS
        until(lambda: ours(observer, "query LIKE '%pg_sleep%' AND state = 'active'") == 0, 5)
        assert len(before - pids_at_work()) == 1

    def test_an_admin_may_wait_longer_than_the_public(
        self, impatient_server: ServedApp, observer: Connection, polls: Polls
    ) -> None:
        poll = polls.open()
        ask(observer, 'LOCK TABLE "pollCategories", "pollInstances"')
        history = f"/polls/templates/{poll['templateId']}/history"
        with ThreadPoolExecutor(1) as pool:
            slow = pool.submit(impatient_server.get, "/admin/categories", headers=KEY)
            status, seconds = timed(lambda: impatient_server.get(history))
            time.sleep(1)
            observer.rollback()
            assert slow.result().status_code == 200
        assert (status, seconds < FIRST_SECONDS) == (503, True)

    def test_with_all_connections_held_there_are_threads_for_what_needs_none(
        self, server: ServedApp
    ) -> None:
        with ThreadPoolExecutor(POOL * WORKERS + 4) as pool:
            held = [pool.submit(server.get, "/hold?seconds=4") for _ in range(POOL * WORKERS)]
            time.sleep(0.5)
            waiting = [pool.submit(timed, lambda: server.get(ASK)) for _ in range(4)]
            assert max(timed(lambda: server.get("/healthz"))[1] for _ in range(8)) < LATER_SECONDS
            assert {call.result()[0] for call in waiting} <= {200, 503}
            assert max(call.result()[1] for call in waiting) < FIRST_SECONDS
            assert {call.result().status_code for call in held} <= {200, 503}
        assert {server.get(ASK).status_code for _ in range(8)} == {200}

    @pytest.mark.usefixtures("home")
    def test_nobody_waits_for_a_connection_when_others_have_just_waited_in_vain(
        self, settings: dict[str, Any]
    ) -> None:
        one = {"web_concurrency": 1, "db_pool_size": 1, "db_max_overflow": 0, "db_pool_timeout": 2}
        with (
            served("tests.holding_app:app", **settings | one) as server,
            ThreadPoolExecutor(1) as pool,
        ):
            server.get(ASK)
            held = pool.submit(server.get, "/hold?seconds=4.5")
            time.sleep(0.3)
            assert timed(lambda: server.get(ASK))[0] == 503
            later = [timed(lambda: server.get(ASK)) for _ in range(4)]
            assert {status for status, _ in later} == {503}
            assert max(seconds for _, seconds in later) < LATER_SECONDS
            assert held.result().status_code == 200
            assert server.get(ASK).status_code == 200


class TestConnectionsLost:
    def test_all_of_them_between_two_requests_are_missed_by_nobody(
        self, server: ServedApp, observer: Connection
    ) -> None:
        with ThreadPoolExecutor(CROWD) as pool:
            list(pool.map(server.get, ["/hold?seconds=0.3"] * CROWD))
            assert ours(observer) > CROWD // 2

            terminate(observer)

            answers = list(pool.map(server.get, [ASK] * CROWD))
        assert {answer.status_code for answer in answers} == {200}

    def test_in_the_middle_of_a_request_is_made_good_by_running_it_again(
        self, server: ServedApp, observer: Connection, settings: dict[str, Any], admin: Admin
    ) -> None:
        with closing(psycopg2.connect(settings["database_url"])) as locker:
            ask(locker, 'LOCK TABLE "pollCategories"')
            with ThreadPoolExecutor(2) as pool:
                read = pool.submit(server.get, "/admin/categories", headers=KEY)
                change = pool.submit(new_category, server, "again")
                until(lambda: ours(observer, "wait_event_type = 'Lock'") == 2, 5)
                terminate(observer, "wait_event_type = 'Lock'")
                until(lambda: ours(observer, "wait_event_type = 'Lock'") == 2, 2)
                locker.rollback()
                assert (read.result().status_code, change.result().status_code) == (200, 200)
        created = change.result().json()["category"]["id"]
        assert [row["success"] for row in admin.audit() if row["entityId"] == created] == [True]

    def test_after_its_last_answer_spoils_nothing(self, server: ServedApp) -> None:
        assert [server.get("/lose").status_code for _ in range(4)] == [200] * 4


class TestDeadlock:
    """The test holds what the app wants second, and then asks for what the app took first."""

    def test_an_admin_action_is_done_once_on_the_second_try(
        self, server: ServedApp, observer: Connection, settings: dict[str, Any], polls: Polls
    ) -> None:
        poll = polls.open()
        path = f"/admin/instances/{poll['pollId']}/close"
        answer = self.provoke(
            settings, observer, poll, lambda: server.post(path, headers=KEY), "pollResultSnapshots"
        )

        assert answer.status_code == 200, answer.text
        closed = [row for row in polls.admin.audit() if row["entityId"] == poll["pollId"]]
        assert [row["success"] for row in closed] == [True]

    @staticmethod
    def provoke(
        settings: dict[str, Any],
        observer: Connection,
        poll: Json,
        action: Callable[[], requests.Response],
        second: str,
    ) -> requests.Response:
        with (
            closing(psycopg2.connect(settings["database_url"])) as rival,
            ThreadPoolExecutor() as pool,
        ):
            ask(rival, "SET deadlock_timeout = '20s'")  # the app is to be the one that loses
            rival.commit()
            ask(rival, f'LOCK TABLE "{second}"')
            answer: Future[requests.Response] = pool.submit(action)
            until(lambda: ours(observer, "wait_event_type = 'Lock'") == 1, 5)
            ask(rival, f"SELECT 1 FROM \"pollInstances\" WHERE id = '{poll['pollId']}' FOR UPDATE")
            rival.commit()
            return answer.result()

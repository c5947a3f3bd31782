"""What can happen to PostgreSQL. Each fault is a context: while its block runs, it is there."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, closing, contextmanager, suppress
from typing import Any, Self

import psycopg2
from psycopg2.extensions import connection as Connection  # noqa: N812  # it is a class

from tests.faults.load import Sample
from tests.faults.relay import Relay
from tests.support.postgres import PostgresServer
from tests.support.served import WORKERS, ServedApp

LEAVING_SECONDS = 0.05  # that a backend takes to notice that it shall end
EVERYBODY = "SELECT pid FROM pg_stat_activity WHERE application_name = 'allthing-api'"
FAULT_PAUSE = 0.4
QUIET_SECONDS = 0.2
TAKING_SECONDS = 2.0  # in which a busy app gives all its connections away

PostgresFault = Callable[[PostgresServer], AbstractContextManager[Any]]


@contextmanager
def session(url: str) -> Iterator[Connection]:
    with closing(psycopg2.connect(url, connect_timeout=5)) as connection:
        connection.autocommit = True
        yield connection


def execute(connection: Connection, statement: str, *values: object) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(statement, values or None)
        return cursor.fetchall() if cursor.description else []


@contextmanager
def stopped(postgres: PostgresServer) -> Iterator[None]:
    postgres.stop()
    yield
    postgres.start()


@contextmanager
def frozen(postgres: PostgresServer) -> Iterator[None]:
    postgres.freeze()
    yield
    postgres.thaw()


@contextmanager
def crashed(postgres: PostgresServer) -> Iterator[None]:
    """Crash and come back, which is all of it."""
    postgres.stop("immediate")
    postgres.start()
    yield


class BackendsTerminated:
    """Ends every connection of the app, and again those that it makes; knows when."""

    def __init__(self, postgres: PostgresServer) -> None:
        self.moments: list[tuple[float, float]] = []
        self.over = threading.Event()
        self.postgres = postgres
        self.thread = threading.Thread(target=self.terminate)

    def terminate(self) -> None:
        with session(self.postgres.url) as admin:
            while not self.over.wait(FAULT_PAUSE):
                begun = time.monotonic()
                terminate_all(admin)
                self.moments.append((begun, time.monotonic() + LEAVING_SECONDS))

    def hit(self, sample: Sample) -> bool:
        """Tell whether a request was under way while connections ended."""
        return any(sample.begun <= to and sample.ended >= since for since, to in self.moments)

    def __enter__(self) -> Self:
        self.thread.start()
        return self

    def __exit__(self, *_raised: object) -> None:
        self.over.set()
        self.thread.join()


@contextmanager
def connections_taken(postgres: PostgresServer) -> Iterator[None]:
    """Take every connection that the server has, the app's own included.

    One that is being made holds a place already, but is nobody's yet: so it takes a while.
    """
    with session(postgres.url) as admin, ExitStack() as taken:
        quiet_since = time.monotonic()
        while time.monotonic() < quiet_since + QUIET_SECONDS:
            if take_all(postgres, taken) or execute(admin, EVERYBODY):
                quiet_since = time.monotonic()
                terminate_all(admin)
        yield


def take_all(postgres: PostgresServer, taken: ExitStack) -> int:
    """Take connections until there are no more; return how many there were."""
    count = 0
    with suppress(psycopg2.OperationalError):
        while True:
            taken.enter_context(session(postgres.url))
            count += 1
    return count


def terminate_all(admin: Connection) -> None:
    execute(admin, f"SELECT pg_terminate_backend(pid) FROM ({EVERYBODY}) AS ours")


@contextmanager
def read_only(postgres: PostgresServer) -> Iterator[None]:
    """Refuse all writes (25006), as a demoted primary does."""
    with session(postgres.url) as admin:
        execute(admin, "ALTER SYSTEM SET default_transaction_read_only = on")
        execute(admin, "SELECT pg_reload_conf()")
        yield
        execute(admin, "SET default_transaction_read_only = off")
        execute(admin, "ALTER SYSTEM RESET default_transaction_read_only")
        execute(admin, "SELECT pg_reload_conf()")


@contextmanager
def pools_hoarded(server: ServedApp, seconds: float) -> Iterator[None]:
    """Take all connections of each worker's pool away from it, for so many seconds at least."""
    until = time.monotonic() + TAKING_SECONDS + seconds
    workers: set[int] = set()
    while len(workers) < WORKERS:
        answer = server.get("/hoard", params={"until": until})
        workers.add(answer.json()["worker"])
    yield
    time.sleep(max(0.0, until - time.monotonic()))


@contextmanager
def broken_off(wire: Relay) -> Iterator[None]:
    """Reset all connections, again and again."""
    over = threading.Event()

    def break_off() -> None:
        while not over.wait(FAULT_PAUSE):
            wire.break_all()

    thread = threading.Thread(target=break_off)
    thread.start()
    yield
    over.set()
    thread.join()

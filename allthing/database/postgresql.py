"""The gate to PostgreSQL: no request waits for a server that has gone silent.

A frozen server, or one whose host is gone, keeps its connections and never answers: no timeout of
PostgreSQL or libpq ends a wait for it. Here every wait keeps to the thread's deadline. When one
lasts for long and nothing at all comes from the server meanwhile, a connection of its own asks it
in the background. If that is not answered either, the server is silent: all waits for it end, and
nobody connects to it, until it answers.
"""

import logging
import select
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import closing
from typing import Any

import psycopg2
from psycopg2.extensions import POLL_OK, POLL_READ, POLL_WRITE, set_wait_callback
from sqlalchemy import event
from sqlalchemy.exc import DisconnectionError
from sqlalchemy.pool import QueuePool
from sqlalchemy.util.queue import Empty, Queue

from allthing.runtime.deadlines import deadline, time_left

TICK_SECONDS = 0.05
SUSPICIOUS_SECONDS = 0.5  # a wait this long makes us ask whether the server is there,
ANSWER_SECONDS = 1.0  # and it has this long to answer
AWAITED = {POLL_READ: select.POLLIN, POLL_WRITE: select.POLLOUT}

Parameters = Mapping[str, Any]

log = logging.getLogger(__name__)
logging.getLogger(f"{__name__}.DatabasePool").setLevel(logging.ERROR)  # SQLAlchemy's remarks


class GaveUp(psycopg2.OperationalError):
    """We ended a wait. psycopg2 closes a connection whose wait ends in an error."""


class OutOfTime(GaveUp):
    def __init__(self) -> None:
        super().__init__("the time for this is over: closed the connection")


class Silent(GaveUp):
    def __init__(self, server: "Server") -> None:
        super().__init__(f"{server.name} does not answer: closed the connection")


class Server:
    """One PostgreSQL server: when it was heard last, and whether it has gone silent."""

    def __init__(self, parameters: Parameters) -> None:
        self.name = f"{parameters.get('host', 'the local server')}:{parameters.get('port') or 5432}"
        self.heard = 0.0
        self.is_silent = False
        self._parameters = parameters
        self._asking = threading.Lock()

    def connect(self) -> "Connection":
        if self.is_silent:
            raise Silent(self)
        connection: Connection = psycopg2.connect(
            **self._parameters, connection_factory=lambda dsn: Connection(dsn, self)
        )
        return connection

    def watch(self, begun: float) -> None:
        """Raise `Silent`, or see to it that a wait which began so long ago is looked into."""
        if self.is_silent:
            raise Silent(self)
        is_suspicious = time.monotonic() - max(begun, self.heard) > SUSPICIOUS_SECONDS
        if is_suspicious and self._asking.acquire(blocking=False):
            threading.Thread(target=self._ask, name="database-probe", daemon=True).start()

    def _ask(self) -> None:
        """Ask until there is an answer, or somebody else hears from the server."""
        asked = time.monotonic()
        while not self._answers() and self.heard < asked:
            if not self.is_silent:
                self.is_silent = True
                log.warning("database is silent", extra={"server": self.name})
            asked = time.monotonic()
        if self.is_silent:
            self.is_silent = False
            log.warning("database answers again", extra={"server": self.name})
        self._asking.release()

    def _answers(self) -> bool:
        """Ask for a connection and something on it. A failure of any other kind is an answer."""
        parameters = {**self._parameters, "target_session_attrs": "any"}
        try:
            with deadline(ANSWER_SECONDS), closing(psycopg2.connect(**parameters)) as connection:
                connection.cursor().execute("SELECT 1")
        except OutOfTime:
            return False
        except Exception:  # noqa: BLE001  # a probe that dies would leave the gate shut for ever
            return True
        return True


class Connection(psycopg2.extensions.connection):
    """A connection that knows its server."""

    def __init__(self, dsn: str, server: Server) -> None:
        self.server = server
        self.is_new = True
        super().__init__(dsn)

    def rollback(self) -> None:
        """Roll back; where the connection is gone, the server has done so or will by itself."""
        try:
            super().rollback()
        except psycopg2.Error:
            if not self.closed:
                raise

    def is_lost(self) -> bool:
        """Tell whether this idle connection was closed by the server, without asking it.

        An idle connection has nothing to read but a notice, which is taken here, and its end.
        """
        poller = select.poll()
        try:
            poller.register(self.fileno(), select.POLLIN)
            for _ in range(3):
                if not poller.poll(0):
                    return self.server.is_silent
                self.poll()
        except psycopg2.Error:
            pass
        return True


class DatabaseGate:
    """The servers of a database URL, of which one is used at a time."""

    def __init__(self, parameters: Parameters, connect_seconds: float) -> None:
        self._servers = [Server(each) for each in one_by_one(parameters)]
        self._used = self._servers[0]
        self._connect_seconds = connect_seconds

    def connect(self) -> Connection:
        """Connect to the server used last, or to the next one that will have us."""
        refusal: psycopg2.OperationalError = Silent(self._used)
        for server in sorted(self._servers, key=lambda server: server is not self._used):
            try:
                with deadline(self._connect_seconds):
                    connection = server.connect()
            except psycopg2.OperationalError as error:
                refusal = error
            else:
                self._used = server
                return connection
        raise refusal

    @property
    def is_silent(self) -> bool:
        return all(server.is_silent for server in self._servers)


class PatientQueue(Queue[Any]):
    """Idle connections. Who finds none waits, unless others have just done so in vain."""

    in_vain = False

    def put(self, item: Any, block: bool = True, timeout: float | None = None) -> None:
        self.in_vain = False
        super().put(item, block, timeout)

    def get(self, block: bool = True, timeout: float | None = None) -> Any:
        patience = 0.0 if self.in_vain else min(timeout or 0.0, time_left())
        try:
            return super().get(block, patience)
        except Empty:
            self.in_vain = self.in_vain or (block and patience == timeout)
            raise


class DatabasePool(QueuePool):
    """A pool in which nobody waits beyond the deadline, and closed connections are replaced."""

    _queue_class = PatientQueue


@event.listens_for(DatabasePool, "checkout")
def replace_lost(connection: Connection, _record: object, _fairy: object) -> None:
    if not connection.is_new and connection.is_lost():
        raise DisconnectionError
    connection.is_new = False


def one_by_one(parameters: Parameters) -> Iterator[Parameters]:
    """Split libpq's form for several hosts. libpq itself would wait for a silent one for ever."""
    hosts = str(parameters.get("host", "")).split(",")
    ports = str(parameters.get("port", "")).split(",")
    if len(hosts) == 1:
        yield parameters
        return
    for host, port in zip(hosts, ports * len(hosts) if len(ports) == 1 else ports, strict=True):
        # Of several servers, only one can be written to.
        yield {"target_session_attrs": "read-write", **parameters, "host": host, "port": port}


def wait(connection: Any) -> None:
    """Wait until psycopg2 has what it asked for, but not beyond the deadline."""
    begun = time.monotonic()
    server: Server | None = getattr(connection, "server", None)
    while (state := connection.poll()) != POLL_OK:
        poller = select.poll()
        poller.register(connection.fileno(), AWAITED[state])
        while not poller.poll(1000 * min(TICK_SECONDS, time_left())):
            if not time_left():
                raise OutOfTime
            if server:
                server.watch(begun)
        if server and state == POLL_READ:
            server.heard = time.monotonic()


def bound_waits() -> None:
    """Let all waits of this process keep to deadlines. COPY does not work any more then."""
    set_wait_callback(wait)

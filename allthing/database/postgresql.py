"""Connections to PostgreSQL on which no request waits for a server that does not respond.

A frozen server, or one whose host is gone, keeps its connections and never answers: no timeout of
PostgreSQL or libpq ends a wait for it. Here every wait keeps to the thread's deadline. When one
lasts for long and nothing at all comes from the server meanwhile, a connection of its own probes
it in the background. If that is not answered either, the server is unresponsive: all waits for it
end, and nobody connects to it, until it answers.
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

POLL_SECONDS = 0.05  # how often a wait looks at its deadline and at the server's state
PROBE_AFTER_SECONDS = 0.5  # a wait this long without a byte has the server probed,
PROBE_SECONDS = 1.0  # and it has this long to answer
MAX_NOTICES = 3  # an idle connection may have so many to read; more is no idle connection
POLL_EVENTS = {POLL_READ: select.POLLIN, POLL_WRITE: select.POLLOUT}

Parameters = Mapping[str, Any]

log = logging.getLogger(__name__)
# SQLAlchemy logs each connection that it replaces; we replace them by design.
logging.getLogger(f"{__name__}.DeadlinePool").setLevel(logging.ERROR)


class WaitAborted(psycopg2.OperationalError):
    """We ended a wait. psycopg2 closes a connection whose wait ends in an error."""


class WaitTimedOut(WaitAborted):
    """The thread's deadline is over."""

    def __init__(self) -> None:
        super().__init__("the deadline is over: closed the connection")


class ServerUnresponsive(WaitAborted):
    """A probe of the server was not answered."""

    def __init__(self, server: "Server") -> None:
        super().__init__(f"{server.name} does not respond: closed the connection")


class Server:
    """One PostgreSQL server: when it was heard last, and whether it has stopped responding."""

    def __init__(self, parameters: Parameters) -> None:
        self.name = f"{parameters.get('host', 'the local server')}:{parameters.get('port') or 5432}"
        self.last_heard = 0.0  # on the monotonic clock
        self.is_unresponsive = False
        self._parameters = parameters
        self._probing = threading.Lock()

    def connect(self) -> "Connection":
        if self.is_unresponsive:
            raise ServerUnresponsive(self)
        connection: Connection = psycopg2.connect(
            **self._parameters, connection_factory=lambda dsn: Connection(dsn, self)
        )
        return connection

    def check_wait(self, begun: float) -> None:
        """Raise `ServerUnresponsive`, or have the server probed if the wait has become long.

        `begun` is when the wait began, on the monotonic clock.
        """
        if self.is_unresponsive:
            raise ServerUnresponsive(self)
        unheard = time.monotonic() - max(begun, self.last_heard)
        if unheard > PROBE_AFTER_SECONDS and self._probing.acquire(blocking=False):
            threading.Thread(target=self._probe, name="database-probe", daemon=True).start()

    def _probe(self) -> None:
        """Probe until there is an answer, or somebody else hears from the server."""
        probed = time.monotonic()
        while not self._answers() and self.last_heard < probed:
            if not self.is_unresponsive:
                self.is_unresponsive = True
                log.warning("database does not respond", extra={"server": self.name})
            probed = time.monotonic()
        if self.is_unresponsive:
            self.is_unresponsive = False
            log.warning("database responds again", extra={"server": self.name})
        self._probing.release()

    def _answers(self) -> bool:
        """Connect and send a query. A failure of any other kind than a timeout is an answer."""
        parameters = {**self._parameters, "target_session_attrs": "any"}
        try:
            with deadline(PROBE_SECONDS), closing(psycopg2.connect(**parameters)) as connection:
                connection.cursor().execute("SELECT 1")
        except WaitTimedOut:
            return False
        except Exception:  # noqa: BLE001  # a probe that dies would keep us from it for ever
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
            for _ in range(MAX_NOTICES):
                if not poller.poll(0):
                    return self.server.is_unresponsive
                self.poll()
        except psycopg2.Error:
            pass
        return True


class PostgresServers:
    """The servers of a database URL, of which one is used at a time."""

    def __init__(self, parameters: Parameters, connect_seconds: float) -> None:
        self._servers = [Server(each) for each in split_hosts(parameters)]
        self._used = self._servers[0]
        self._connect_seconds = connect_seconds

    def connect(self) -> Connection:
        """Connect to the server used last, or to the next one that accepts us."""
        refusal: psycopg2.OperationalError = ServerUnresponsive(self._used)
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
    def are_unresponsive(self) -> bool:
        return all(server.is_unresponsive for server in self._servers)


class FailFastQueue(Queue[Any]):
    """A pool's idle connections: nobody waits for one while waiting is known to be of no use."""

    exhausted = False  # somebody has waited the whole timeout, and nothing has come back since

    def put(self, item: Any, block: bool = True, timeout: float | None = None) -> None:
        self.exhausted = False
        super().put(item, block, timeout)

    def get(self, block: bool = True, timeout: float | None = None) -> Any:
        seconds = 0.0 if self.exhausted else min(timeout or 0.0, time_left())
        try:
            return super().get(block, seconds)
        except Empty:
            self.exhausted = self.exhausted or (block and seconds == timeout)
            raise


class DeadlinePool(QueuePool):
    """A pool in which nobody waits beyond the deadline, and closed connections are replaced."""

    _queue_class = FailFastQueue


@event.listens_for(DeadlinePool, "checkout")
def replace_lost_connection(connection: Connection, _record: object, _fairy: object) -> None:
    if not connection.is_new and connection.is_lost():
        raise DisconnectionError
    connection.is_new = False


def split_hosts(parameters: Parameters) -> Iterator[Parameters]:
    """Split libpq's form for several hosts. libpq would wait for an unresponsive one for ever."""
    hosts = str(parameters.get("host", "")).split(",")
    ports = str(parameters.get("port", "")).split(",")
    if len(hosts) == 1:
        yield parameters
        return
    for host, port in zip(hosts, ports * len(hosts) if len(ports) == 1 else ports, strict=True):
        # Of several servers, only one can be written to.
        yield {"target_session_attrs": "read-write", **parameters, "host": host, "port": port}


def wait_callback(connection: Any) -> None:
    """Wait until psycopg2 has what it asked for, but not beyond the deadline."""
    begun = time.monotonic()
    server: Server | None = getattr(connection, "server", None)
    while (state := connection.poll()) != POLL_OK:
        poller = select.poll()
        poller.register(connection.fileno(), POLL_EVENTS[state])
        while not poller.poll(1000 * min(POLL_SECONDS, time_left())):
            if not time_left():
                raise WaitTimedOut
            if server:
                server.check_wait(begun)
        if server and state == POLL_READ:
            server.last_heard = time.monotonic()


def install_wait_callback() -> None:
    """Let all waits of this process keep to deadlines. COPY does not work any more then."""
    set_wait_callback(wait_callback)

"""A deadline for all that a thread does on a socket, however many reads and writes it takes.

A socket's own timeout bounds each read: a server that drips a byte now and then is never late.
"""

import select
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

NO_DEADLINE = float("inf")  # seconds
MAX_LATE_READS = 8  # after a deadline, of what is there already: it may have no end
READY_FOR_TLS: dict[type[OSError], int] = {
    ssl.SSLWantReadError: select.POLLIN,
    ssl.SSLWantWriteError: select.POLLOUT,
}

T = TypeVar("T")


class DeadlineExceeded(Exception):
    """The deadline was over before anything was begun, which says nothing of the server."""


class _Deadline(threading.local):
    at = NO_DEADLINE
    late_reads = 0


_deadline = _Deadline()


@contextmanager
def deadline(seconds: float) -> Iterator[None]:
    """Let this thread's waits, on Redis or PostgreSQL, end after `seconds`.

    Within another deadline, the one that is over first counts.
    """
    outer = _deadline.at
    _deadline.at = min(outer, time.monotonic() + seconds)
    _deadline.late_reads = 0
    try:
        yield
    finally:
        _deadline.at = outer


def set_deadline(seconds: float) -> None:
    """Give this thread so many seconds from now, whatever it had: at the start of a request."""
    _deadline.at = time.monotonic() + seconds


def time_left() -> float:
    """Return the seconds until this thread's deadline: 0 once it is over."""
    return max(0.0, _deadline.at - time.monotonic())


def require_time_left() -> float:
    """Return the seconds that a wait may take. Raises `DeadlineExceeded` if there are none."""
    left = time_left()
    if not left:
        raise DeadlineExceeded("the deadline was over before this was begun")
    return left


class DeadlineSocket:
    """A connected socket that keeps to the deadline, and to its own timeout if that is shorter.

    It tries before it waits, so what is there already is read after the deadline too: on a busy
    machine it may be this process that had no time. Nothing is sent any more then.
    """

    def __init__(self, connected: socket.socket) -> None:
        self._socket = connected
        self.settimeout(connected.gettimeout())
        connected.settimeout(0)

    def settimeout(self, timeout: float | None) -> None:
        self._timeout = NO_DEADLINE if timeout is None else timeout

    def recv(self, size: int) -> bytes:
        return self._when(select.POLLIN, self._socket.recv, size)

    def recv_into(self, buffer: Any, size: int = 0) -> int:
        return self._when(select.POLLIN, self._socket.recv_into, buffer, size)

    def sendall(self, data: bytes) -> None:
        require_time_left()
        rest = memoryview(data)
        while rest:
            rest = rest[self._when(select.POLLOUT, self._socket.send, rest) :]

    def _when(self, ready: int, act: Callable[..., T], *arguments: Any) -> T:
        """Act as soon as the socket is `ready`; raise `TimeoutError` if that is not in time."""
        if not time_left():
            _deadline.late_reads += 1
            if _deadline.late_reads > MAX_LATE_READS:
                raise TimeoutError("the deadline is over")
        until = min(_deadline.at, time.monotonic() + self._timeout)
        while True:
            is_last = time.monotonic() >= until
            try:
                return act(*arguments)
            except (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError) as not_yet:
                if is_last:
                    raise TimeoutError("the deadline is over") from not_yet
                poller = select.poll()
                poller.register(self._socket, READY_FOR_TLS.get(type(not_yet), ready))
                left = max(0.0, until - time.monotonic())
                poller.poll(None if left == NO_DEADLINE else 1000 * left)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._socket, name)

"""A deadline for all that a thread does on a socket, however many reads and writes it takes.

A socket's own timeout bounds each read: a server that drips a byte now and then is never late.
"""

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

NEVER = float("inf")
GRACE_SECONDS, GRACES = 0.02, 8


class _Deadline(threading.local):
    at = NEVER
    graces = 0


_deadline = _Deadline()


@contextmanager
def deadline(seconds: float) -> Iterator[None]:
    """Let this thread's waits, on Redis or PostgreSQL, end after `seconds`.

    Within another deadline, the one that is over first counts.
    """
    outer = _deadline.at
    _deadline.at = min(outer, time.monotonic() + seconds)
    _deadline.graces = GRACES
    try:
        yield
    finally:
        _deadline.at = outer


def set_deadline(seconds: float) -> None:
    """Give this thread so many seconds from now, whatever it had: for the doors, per request."""
    _deadline.at = time.monotonic() + seconds


def time_left() -> float:
    """Return the seconds until this thread's deadline: 0 once it is over."""
    return max(0.0, _deadline.at - time.monotonic())


def seconds_left() -> float:
    """Return the seconds that a wait may take; raise `TimeoutError` once the deadline is over.

    A wait that begins late is given a little time, and so are some after it: on a busy machine it
    may be this process that had no time, when what it waits for is there already.
    """
    left = time_left()
    if left >= GRACE_SECONDS:
        return left
    _deadline.graces -= 1
    if _deadline.graces < 0:
        raise TimeoutError("the deadline is over")
    return GRACE_SECONDS


class BoundedSocket:
    """A connected socket that keeps to the deadline, and to its own timeout if that is shorter."""

    def __init__(self, connected: socket.socket) -> None:
        self._socket = connected
        self._timeout = connected.gettimeout()

    def settimeout(self, timeout: float | None) -> None:
        self._timeout = timeout

    def gettimeout(self) -> float | None:
        return self._timeout

    def recv(self, size: int) -> bytes:
        self._bound()
        return self._socket.recv(size)

    def recv_into(self, buffer: Any, size: int = 0) -> int:
        self._bound()
        return self._socket.recv_into(buffer, size)

    def sendall(self, data: bytes) -> None:
        self._bound()
        self._socket.sendall(data)

    def _bound(self) -> None:
        own = NEVER if self._timeout is None else self._timeout
        # A timeout of 0 asks whether there is anything to read, and is asked within no deadline.
        limit = min(own, seconds_left()) if own else 0
        self._socket.settimeout(None if limit == NEVER else limit)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._socket, name)

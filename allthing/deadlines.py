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


class _Deadline(threading.local):
    at = NEVER


_deadline = _Deadline()


@contextmanager
def deadline(seconds: float) -> Iterator[None]:
    """Let every `BoundedSocket` of this thread raise `TimeoutError` once the time is over."""
    _deadline.at = time.monotonic() + seconds
    try:
        yield
    finally:
        _deadline.at = NEVER


def seconds_left() -> float:
    """Return the seconds until this thread's deadline; raise `TimeoutError` if it is over."""
    left = _deadline.at - time.monotonic()
    if left <= 0:
        raise TimeoutError("the deadline is over")
    return left


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

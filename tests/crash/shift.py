"""Threads that work side by side until they are sent home."""

import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Self, TypeVar

TIMEOUT_SECONDS = 60.0

T = TypeVar("T")


class Shift:
    """Functions at work, each in a thread of its own; they look now and then whether it's over.

    It is over at the end of the block.
    """

    def __init__(self) -> None:
        self.over = threading.Event()
        self._crew = ThreadPoolExecutor(64)
        self._at_work: list[Future[None]] = []

    def begin(self, *functions: Callable[[], None]) -> None:
        self._at_work = [self._crew.submit(function) for function in functions]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        """Send all home and wait for them; raise what went wrong in any of them."""
        self.over.set()
        for one in self._at_work:
            one.result(2 * TIMEOUT_SECONDS)
        self._crew.shutdown()

    def at_once(self, *functions: Callable[[], object]) -> None:
        """Do some things at the same time, and wait for them."""
        for one in [self._crew.submit(function) for function in functions]:
            one.result()


def until(attempt: Callable[[], T | None], pause: Callable[[], float] = lambda: 0.1) -> T:
    """Try until something comes of it, and return that; fail if nothing does in a minute."""
    late = time.monotonic() + TIMEOUT_SECONDS
    while (result := attempt()) is None:
        assert time.monotonic() < late, "there is no answer for a minute"
        time.sleep(pause())
    return result

"""Threads that work side by side until they are told to stop."""

import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Self, TypeVar

TIMEOUT_SECONDS = 60.0

T = TypeVar("T")


class ThreadGroup:
    """Functions at work, each in its own thread, until `stop` is set at the end of the block."""

    def __init__(self) -> None:
        self.stop = threading.Event()
        self._pool = ThreadPoolExecutor(64)
        self._futures: list[Future[None]] = []

    def start(self, *functions: Callable[[], None]) -> None:
        self._futures = [self._pool.submit(function) for function in functions]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        """Stop all and wait for them; raise what went wrong in any of them."""
        self.stop.set()
        for one in self._futures:
            one.result(2 * TIMEOUT_SECONDS)
        self._pool.shutdown()

    def run_together(self, *functions: Callable[[], object]) -> None:
        """Run some functions at the same time, and wait for them."""
        for one in [self._pool.submit(function) for function in functions]:
            one.result()


def retry_until(attempt: Callable[[], T | None], pause: Callable[[], float] = lambda: 0.1) -> T:
    """Try until something comes of it, and return that; fail if nothing does in a minute."""
    late = time.monotonic() + TIMEOUT_SECONDS
    while (result := attempt()) is None:
        assert time.monotonic() < late, "there is no answer for a minute"
        time.sleep(pause())
    return result

"""How long something takes, and waiting for it."""

import time
from collections.abc import Callable

STEP_SECONDS = 0.02


def timed(action: Callable[[], object]) -> float:
    """Return the seconds that it takes."""
    begun = time.monotonic()
    action()
    return time.monotonic() - begun


def until(is_so: Callable[[], bool], seconds: float) -> float:
    """Wait until it is so; return the seconds that took. Fail if it takes longer than allowed."""
    begun = time.monotonic()
    while not is_so():
        assert time.monotonic() < begun + seconds, f"timed out after {seconds} s"
        time.sleep(STEP_SECONDS)
    return time.monotonic() - begun

"""How long something takes, and waiting for it."""

import time
from collections.abc import Callable

STEP_SECONDS = 0.02


def timed(action: Callable[[], object]) -> float:
    """Return the seconds that it takes."""
    begun = time.monotonic()
    action()
    return time.monotonic() - begun


def until(is_so: Callable[[], bool], seconds: float) -> None:
    """Wait until it is so; fail if that takes longer than so many seconds."""
    latest = time.monotonic() + seconds
    while not is_so():
        assert time.monotonic() < latest, f"timed out after {seconds} s"
        time.sleep(STEP_SECONDS)

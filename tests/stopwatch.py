"""How long something takes."""

import time
from collections.abc import Callable


def timed(action: Callable[[], object]) -> float:
    """Return the seconds that it takes."""
    begun = time.monotonic()
    action()
    return time.monotonic() - begun

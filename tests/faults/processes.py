"""What can happen to the app's own processes."""

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager

from tests.support.served import ServedApp


@contextmanager
def worker_killed(server: ServedApp) -> Iterator[None]:
    os.kill(server.children()[0], signal.SIGKILL)
    yield


@contextmanager
def restarted(server: ServedApp) -> Iterator[None]:
    """Stop it as containers are stopped, and start it again."""
    server.stop(signal.SIGTERM)
    server.start()
    yield

"""Voters who never tire: so many votes a second, each a new voter's, beside what is measured."""

import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from itertools import cycle, islice

from bench.polls import Client
from bench.wrk import Request

CONNECTIONS = 10  # so that a vote may take a while and the next ones still be in time


@contextmanager
def voting(base: str, votes: Sequence[Request], per_second: float) -> Iterator[list[int]]:
    """Cast `votes` in turn, evenly, during the block; yield the growing list of statuses.

    Raises RuntimeError if any vote was refused.
    """
    stopped = threading.Event()
    statuses: list[int] = []
    pause = CONNECTIONS / per_second
    threads = [
        threading.Thread(
            target=cast,
            args=(base, islice(cycle(votes), place, None), place / per_second, pause),
            kwargs={"stopped": stopped, "statuses": statuses},
            daemon=True,
        )
        for place in range(CONNECTIONS)
    ]
    for thread in threads:
        thread.start()
    try:
        yield statuses
    finally:
        stopped.set()
        for thread in threads:
            thread.join()
    if set(statuses) != {200}:
        raise RuntimeError(f"votes were answered {set(statuses)}")


def cast(
    base: str,
    votes: Iterator[Request],
    delay: float,
    pause: float,
    *,
    stopped: threading.Event,
    statuses: list[int],
) -> None:
    """Cast a vote every `pause` seconds, after an answer that took longer at once."""
    due = time.monotonic() + delay
    with closing(Client(base)) as client:
        for vote in votes:
            if stopped.wait(due - time.monotonic()):
                break
            due = max(due + pause, time.monotonic())
            statuses.append(client.send(vote).status)

"""Marks: for each topic a word that changes when anything it stands for has changed.

What was computed from the database counts only while the mark that was noted before is still the
topic's. The marks are in memory that all workers of a machine share: a change counts on all of
them before it is answered, whatever becomes of Redis. Through Redis the machines tell each other.
"""

import mmap
import secrets
import threading
from collections.abc import Callable, Iterable
from zlib import crc32

from flask import Flask, current_app

from allthing.redis_client import on_tick, safe_redis_swap, start

SLOTS = 16_384  # topics that share one only make each other be computed again
KEY = f"allthing:marks:{SLOTS}"
KEY_SECONDS = 24 * 3600  # far longer than anything counts

# Made at import and without a name: gunicorn's configuration imports this package before it
# forks, so its workers inherit one and the same memory, and nothing is left when they end.
_words = memoryview(mmap.mmap(-1, 2 * SLOTS * 8)).cast("Q")
_marks, _seen = _words[:SLOTS], _words[SLOTS:]  # _seen: of Redis's words those allowed for


class Exchange:
    """What one app of one process has to tell other machines, and to ask them."""

    def __init__(self, watched: Callable[[], Iterable[str]]) -> None:
        self._watched = watched
        self._untold: set[int] = set()
        self._changing = threading.Lock()

    def tell(self, slots: Iterable[int]) -> None:
        with self._changing:
            self._untold.update(slots)

    def run(self) -> None:
        """Tell what is untold, and change the marks of which others have told."""
        with self._changing:
            told = {slot: secrets.token_hex(8) for slot in self._untold}
            self._untold.clear()
        slots = sorted(told.keys() | {slot_of(topic) for topic in self._watched()})
        if not slots:
            return
        before = safe_redis_swap(KEY, slots, told, KEY_SECONDS)
        if before is None:
            self.tell(told)
            return
        for slot, word in zip(slots, before, strict=True):
            # What was there comes with the swap, so no word of others is overwritten unseen.
            # It is noted last: who is killed in between leaves a change too many, not too few.
            if digest(word) != _seen[slot]:
                _marks[slot] = secrets.randbits(64)
            _seen[slot] = digest(told.get(slot, word))


def init_app(app: Flask, watched: Callable[[], Iterable[str]]) -> None:
    """Exchange changes with other machines in the background; of the `watched` topics theirs."""
    exchange = app.extensions["marks"] = Exchange(watched)
    on_tick(app, exchange.run)


def listen() -> None:
    """Begin to exchange in this process, if it has not begun."""
    start()


def mark_of(topic: str) -> int:
    """Return the topic's mark; note it before the values that it is to vouch for are read."""
    return _marks[slot_of(topic)]


def change(topics: Iterable[str]) -> None:
    """Change the topics' marks on this machine at once, on others with the next exchange."""
    slots = [slot_of(topic) for topic in topics]
    for slot in slots:
        _marks[slot] = secrets.randbits(64)
    exchange_of_app().tell(slots)


def exchange() -> None:
    """Exchange changes now, not only soon: for a process that may be about to end."""
    exchange_of_app().run()


def exchange_of_app() -> Exchange:
    found: Exchange = current_app.extensions["marks"]
    return found


def slot_of(topic: str) -> int:
    return crc32(topic.encode()) % SLOTS


def digest(word: str | None) -> int:
    return crc32((word or "").encode())

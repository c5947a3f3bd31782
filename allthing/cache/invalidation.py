"""Cache invalidation: each topic has a version, which changes when anything it stands for has.

What was computed from the database is fresh only while the version that was read before is still
the topic's. The versions are in memory that all workers of a machine share: a change counts on all
of them before it is answered, whatever becomes of Redis. Machines tell each other through Redis.
"""

import mmap
import secrets
import threading
from collections.abc import Callable, Iterable
from zlib import crc32

from flask import Flask, current_app

from allthing.redis_client import run_periodically, safe_redis_swap, start

SLOTS = 16_384  # topics that share one only make each other be computed again
REDIS_KEY = f"allthing:versions:{SLOTS}"
REDIS_SECONDS = 24 * 3600  # until Redis forgets it: far longer than any value is fresh

# Made at import and without a name: gunicorn's configuration imports this package before it
# forks, so its workers inherit one and the same memory, and nothing is left when they end.
_words = memoryview(mmap.mmap(-1, 2 * SLOTS * 8)).cast("Q")
_versions = _words[:SLOTS]
_seen = _words[SLOTS:]  # a digest of each slot's word in Redis, as last allowed for


class Sync:
    """What one app of one process has to tell other machines, and to ask them."""

    def __init__(self, topics_in_use: Callable[[], Iterable[str]]) -> None:
        self._topics_in_use = topics_in_use
        self._unpublished: set[int] = set()
        self._lock = threading.Lock()

    def publish(self, slots: Iterable[int]) -> None:
        """Let other machines hear of changes in these slots, with the next run."""
        with self._lock:
            self._unpublished.update(slots)

    def run(self) -> None:
        """Publish what is unpublished, and change the versions of what others have published."""
        with self._lock:
            published = {slot: secrets.token_hex(8) for slot in self._unpublished}
            self._unpublished.clear()
        slots = sorted(published.keys() | {slot_of(topic) for topic in self._topics_in_use()})
        if not slots:
            return
        before = safe_redis_swap(REDIS_KEY, slots, published, ex=REDIS_SECONDS)
        if before is None:
            self.publish(published)
            return
        for slot, word in zip(slots, before, strict=True):
            # What was there comes with the swap, so no word of others is overwritten unseen.
            # It is noted last: a kill in between leaves a change too many, not too few.
            if digest(word) != _seen[slot]:
                _versions[slot] = secrets.randbits(64)
            _seen[slot] = digest(published.get(slot, word))


def init_app(app: Flask, topics_in_use: Callable[[], Iterable[str]]) -> None:
    """Sync changes with other machines in the background; theirs only of `topics_in_use`."""
    machine_sync = app.extensions["cache_sync"] = Sync(topics_in_use)
    run_periodically(app, machine_sync.run)


def start_sync() -> None:
    """Begin to sync in this process, if that has not begun."""
    start()


def version_of(topic: str) -> int:
    """Return the topic's version; read it before the values that it is to vouch for."""
    return _versions[slot_of(topic)]


def invalidate(topics: Iterable[str]) -> None:
    """Change the topics' versions on this machine at once, on others with the next sync."""
    slots = [slot_of(topic) for topic in topics]
    for slot in slots:
        _versions[slot] = secrets.randbits(64)
    sync_of_app().publish(slots)


def sync() -> None:
    """Sync now, not only soon: for a process that may be about to end."""
    sync_of_app().run()


def sync_of_app() -> Sync:
    found: Sync = current_app.extensions["cache_sync"]
    return found


def slot_of(topic: str) -> int:
    return crc32(topic.encode()) % SLOTS


def digest(word: str | None) -> int:
    return crc32((word or "").encode())

"""The storage of the rate limits: counts in this process, synced with the others through Redis.

Far from its limit a client is counted here, and Redis is told with the next sync; near it Redis
is asked with each request, so that the limit is exact. Without Redis this process counts by
itself, and reports when Redis is back. Nothing here waits for Redis longer than `REDIS_TIMEOUT`,
or raises.
"""

import mmap
import threading
from zlib import crc32

from flask import Flask, current_app
from limits.storage import Storage

from allthing.redis_client import (
    Increment,
    redis_is_available,
    redis_state,
    run_periodically,
    safe_redis_incr_many,
)
from allthing.runtime import clock

SCHEME = "allthing"
REDIS_PREFIX = "allthing:limit:"
ASK_FROM = 0.5  # of a limit: from there on Redis is asked at once
UNREPORTED_PART = 50  # a process may keep to itself that part of a limit, until the next sync
BATCH_SIZE = 256  # clients reported in one round trip, which has to end within REDIS_TIMEOUT
MAX_CLIENTS = 50_000  # of a window, some 10 MB
SLOTS = 16_384  # clients that share one only make Redis be asked more often

# For each slot the window in which some worker of this machine asks Redis; then all do, or those
# that have not seen the client of late would let it go on. Made at import, so that gunicorn's
# workers inherit one and the same memory.
_asking = memoryview(mmap.mmap(-1, SLOTS * 8)).cast("Q")


class Count:
    """How often a client has come in a window: confirmed by Redis, in flight, and unreported.

    What was in flight when Redis failed counts as confirmed: it may have been counted there, so
    it is not reported again.
    """

    __slots__ = ("confirmed", "in_flight", "limit", "unreported")

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.confirmed = 0
        self.in_flight = 0
        self.unreported = 0

    @property
    def total(self) -> int:
        return self.confirmed + self.in_flight + self.unreported

    def send(self, more: int = 0) -> int:
        """Put what is unreported in flight, and `more`; return how many these are."""
        sent, self.unreported = self.unreported + more, 0
        self.in_flight += sent
        return sent

    def confirm(self, sent: int, total: int | None) -> None:
        """Take note of the total of all processes, or that none came back."""
        self.in_flight -= sent
        self.confirmed = self.confirmed + sent if total is None else max(self.confirmed, total)


class FixedWindow:
    """The counts of all clients in the present window of some seconds, the same for all processes.

    On one machine a client gets its limit, to the request; another machine may let it have
    1/`UNREPORTED_PART` more before it learns.
    """

    def __init__(self, seconds: int) -> None:
        self.seconds = seconds
        self._lock = threading.Lock()
        self._number = 0  # of the window, counted from the epoch
        self._counts: dict[str, Count] = {}
        self._unreported: dict[str, Count] = {}

    def hit(self, key: str) -> int:
        """Count a request; return how many there were, beyond the limit without counting more."""
        slot = crc32(key.encode()) % SLOTS
        with self._lock:
            self._begin()
            count = self._counts.get(key) or self._add(key)
            number = count.total + 1
            if number > count.limit:
                return number
            if number > count.limit * ASK_FROM:
                _asking[slot] = self._number
            must_report = count.unreported >= count.limit // UNREPORTED_PART
            if not ((_asking[slot] == self._number or must_report) and redis_is_available()):
                count.unreported += 1
                self._unreported[key] = count
                return number
            confirmed, sent = count.confirmed, count.send(1)
            redis_key = self._redis_key(key)
        total = safe_redis_incr_many([Increment(redis_key, sent, self.seconds)])[0]
        with self._lock:
            count.confirm(sent, total)
            # Redis may have lost what it knew, or not have got what was in flight.
            return count.total if total is None else max(total, confirmed + sent)

    def sync(self) -> None:
        """Report to Redis the requests it doesn't know of; learn of those of other processes."""
        while self._unreported and redis_is_available():
            with self._lock:
                size = min(BATCH_SIZE, len(self._unreported))
                batch = [self._unreported.popitem() for _ in range(size)]
                sent = [count.send() for _, count in batch]
                keys = [self._redis_key(key) for key, _ in batch]
            totals = safe_redis_incr_many(
                [Increment(*report, self.seconds) for report in zip(keys, sent, strict=True)]
            )
            with self._lock:
                for (_, count), amount, total in zip(batch, sent, totals, strict=True):
                    count.confirm(amount, total)

    def count_of(self, key: str) -> int | None:
        """Return how often a client has come in the present window; None if it is not known."""
        with self._lock:
            self._begin()
            count = self._counts.get(key)
            return count.total if count else None

    def end(self) -> float:
        """Return when the present window ends, in seconds since the epoch."""
        return (clock.now().timestamp() // self.seconds + 1) * self.seconds

    def clear(self, key: str) -> None:
        with self._lock:
            self._counts.pop(key, None)
            self._unreported.pop(key, None)

    def _begin(self) -> None:
        number = int(clock.now().timestamp() // self.seconds)
        if number != self._number:
            self._number, self._counts, self._unreported = number, {}, {}

    def _add(self, key: str) -> Count:
        if len(self._counts) >= MAX_CLIENTS:  # forgetting is better than growing
            self._counts, self._unreported = {}, {}
        count = self._counts[key] = Count(limit_in(key))
        return count

    def _redis_key(self, key: str) -> str:
        return f"{REDIS_PREFIX}{key}:{self._number}"


class Windows:
    """The windows of one app in this process, by their length in seconds."""

    def __init__(self) -> None:
        self.by_seconds: dict[int, FixedWindow] = {}
        self._lock = threading.Lock()

    def of(self, seconds: int) -> FixedWindow:
        window = self.by_seconds.get(seconds)
        if window is None:
            redis_state()  # Redis is known before we count, and the sync begins
            with self._lock:
                window = self.by_seconds.setdefault(seconds, FixedWindow(seconds))
        return window

    def sync(self) -> None:
        for window in list(self.by_seconds.values()):
            window.sync()


class ProcessStorage(Storage):
    """Storage of `limits`, at `allthing://`: the windows of the app that handles the request."""

    STORAGE_SCHEME = [SCHEME]  # noqa: RUF012  # the base class declares it so

    @property
    def base_exceptions(self) -> tuple[type[Exception], ...]:
        return ()

    def incr(self, key: str, expiry: int, amount: int = 1) -> int:  # noqa: ARG002  # all cost 1
        return windows().of(expiry).hit(key)

    def get(self, key: str) -> int:
        counts = (window.count_of(key) for window in windows().by_seconds.values())
        return next((count for count in counts if count is not None), 0)

    def get_expiry(self, key: str) -> float:
        """Return when the window of a key ends, in seconds since the epoch."""
        found = (w for w in windows().by_seconds.values() if w.count_of(key) is not None)
        window = next(found, None)
        return window.end() if window else clock.now().timestamp()

    def check(self) -> bool:
        return True

    def reset(self) -> None:
        windows().by_seconds.clear()

    def clear(self, key: str) -> None:
        for window in windows().by_seconds.values():
            window.clear(key)


def windows() -> Windows:
    found: Windows = current_app.extensions["rate_limit_windows"]
    return found


def limit_in(key: str) -> int:
    """Read how many requests a key allows: it ends with `/<amount>/<multiples>/<unit>`.

    Source: `limits.RateLimitItem.key_for`.
    """
    return int(key.rsplit("/", 3)[1])


def init_app(app: Flask) -> None:
    made = app.extensions["rate_limit_windows"] = Windows()
    run_periodically(app, made.sync)

"""The storage of the rate limits: counts in this process, synced with the others through Redis.

Far from its limit a client is counted here, and Redis is told with the next sync; near it Redis
is asked with each request, so that the limit is exact. Without Redis this process counts by
itself, and reports when Redis is back. Nothing here waits for Redis longer than `REDIS_TIMEOUT`,
or raises.
"""

import mmap
import threading
from collections.abc import Iterator
from zlib import crc32

from flask import Flask, current_app
from limits.storage import Storage

from allthing.redis_client import (
    redis_is_available,
    redis_state,
    run_periodically,
    safe_redis_hincrby,
)
from allthing.runtime import clock

SCHEME = "allthing"
REDIS_PREFIX = "allthing:limit:"
ASK_FROM = 0.5  # of a limit: from there on Redis is asked at once
UNREPORTED_PART = 50  # a process may keep to itself that part of a limit, until the next sync
BATCH_SIZE = 256  # clients reported in one round trip, which has to end within REDIS_TIMEOUT
MAX_CLIENTS = 50_000  # of a window, some 10 MB
LOCKS = 64  # of a window
SLOTS = 16_384  # clients that share one only make Redis be asked more often

# For each slot the end of the window, in seconds since the epoch, until which some worker of this
# machine asks Redis; then all do, or those that have not seen the client of late would let it go
# on. Made at import, so that gunicorn's workers inherit one and the same memory.
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
        self._number = 0  # of the window, counted from the epoch
        self._counts: dict[str, Count] = {}
        self._unreported: dict[str, Count] = {}
        # Several, each for the counts of its clients: threads would queue up for a single one.
        self._locks = [threading.Lock() for _ in range(LOCKS)]
        self._turning = threading.Lock()

    def hit(self, key: str) -> int:
        """Count a request; return how many there were, beyond the limit without counting more."""
        slot = slot_of(key)
        number = self._begin()
        end = (number + 1) * self.seconds
        count = self._counts.get(key) or self._add(key)
        with self._locks[slot % LOCKS]:
            hits = count.total + 1
            if hits > count.limit:
                return hits
            if hits > count.limit * ASK_FROM:
                _asking[slot] = max(_asking[slot], end)
            must_report = count.unreported >= count.limit // UNREPORTED_PART
            if not ((_asking[slot] >= end or must_report) and redis_is_available()):
                count.unreported += 1
                self._unreported[key] = count
                return hits
            confirmed, sent = count.confirmed, count.send(1)
        total = safe_redis_hincrby(self._redis_key(number), {key: sent}, ex=self.seconds)[0]
        with self._locks[slot % LOCKS]:
            count.confirm(sent, total)
            # Redis may have lost what it knew, or not have got what was in flight.
            return count.total if total is None else max(total, confirmed + sent)

    def sync(self) -> None:
        """Report to Redis the requests it doesn't know of; learn of those of other processes."""
        number = self._begin()
        while self._unreported and number == self._number and redis_is_available():
            counts = dict(take(self._unreported, BATCH_SIZE))
            amounts = {}
            for key, count in counts.items():
                with self._locks[slot_of(key) % LOCKS]:
                    amounts[key] = count.send()
            totals = safe_redis_hincrby(self._redis_key(number), amounts, ex=self.seconds)
            for (key, count), total in zip(counts.items(), totals, strict=True):
                with self._locks[slot_of(key) % LOCKS]:
                    count.confirm(amounts[key], total)

    def count_of(self, key: str) -> int | None:
        """Return how often a client has come in the present window; None if it is not known."""
        self._begin()
        count = self._counts.get(key)
        return count.total if count else None

    def end(self) -> float:
        """Return when the present window ends, in seconds since the epoch."""
        return (self._begin() + 1) * float(self.seconds)

    def clear(self, key: str) -> None:
        self._counts.pop(key, None)
        self._unreported.pop(key, None)

    def _begin(self) -> int:
        """Forget the counts of a window that is over; return the number of the present one."""
        number = int(clock.now().timestamp() // self.seconds)
        if number != self._number:
            with self._turning:
                if number != self._number:
                    self._counts, self._unreported = {}, {}
                    self._number = number
        return number

    def _add(self, key: str) -> Count:
        if len(self._counts) >= MAX_CLIENTS:  # forgetting is better than growing
            self._counts, self._unreported = {}, {}
        return self._counts.setdefault(key, Count(limit_in(key)))

    def _redis_key(self, number: int) -> str:
        return f"{REDIS_PREFIX}{self.seconds}:{number}"


def take(counts: dict[str, Count], number: int) -> Iterator[tuple[str, Count]]:
    """Remove some entries and yield them; others may add and remove at the same time."""
    for _ in range(number):
        try:
            yield counts.popitem()
        except KeyError:
            return


def slot_of(key: str) -> int:
    return crc32(key.encode()) % SLOTS


class Windows:
    """The windows of one app in this process, by their length in seconds."""

    def __init__(self) -> None:
        self.by_seconds: dict[int, FixedWindow] = {}
        self._lock = threading.Lock()

    def of(self, seconds: int) -> FixedWindow:
        window = self.by_seconds.get(seconds)
        if window is None:
            redis_state()  # waits for the first try to reach Redis, and the sync begins
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

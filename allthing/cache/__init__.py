"""Cached reads: prepared bytes in this process, used only while what they show has not changed.

Whoever finds none computes them, and all who come meanwhile wait for that one. While the database
is away, the last ones are served, and said to be stale.
"""

import hashlib
import logging
import threading
import time
from collections.abc import Callable
from typing import NamedTuple
from weakref import WeakValueDictionary

from flask import Flask, current_app
from sqlalchemy import event
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from allthing.cache import invalidation
from allthing.config import Settings
from allthing.database import db
from allthing.errors import Unavailable, as_problem

MAX_BYTES = 32 * 1024 * 1024  # of all values in a process
MAX_STALE_SECONDS = 3600  # a value may be this old while the database is away,
STALE_AFTER_SECONDS = 0.25  # and is served after this long if nothing tells that it has changed;
COMPUTING_SECONDS = 5  # whoever has none waits so long for another one's computation
RETRY_SECONDS = 1  # until the database is asked again

POLLS_TOPIC = "polls"
SESSION_KEY = "topics_to_invalidate"

Key = tuple[str, str]  # a topic, and the name of a value within it
Compute = Callable[[], bytes]

log = logging.getLogger(__name__)


def results_topic(instance_id: str) -> str:
    """Return the topic of one poll's results."""
    return f"results:{instance_id}"


class CachedValue(NamedTuple):
    """What was computed; `version` and `computed_at`, a monotonic time, are of before that."""

    data: bytes
    etag: str
    version: int
    computed_at: float

    @classmethod
    def of(cls, data: bytes, version: int, computed_at: float) -> "CachedValue":
        etag = hashlib.blake2b(data, digest_size=12).hexdigest()
        return cls(data, etag, version, computed_at)


class CachedRead(NamedTuple):
    """A value, whether it was there or was computed for this reader, and whether it may be old."""

    value: CachedValue
    was_cached: bool
    is_stale: bool = False


class SingleFlight:
    """Those who want one value. The first computes it; the others see what came of that."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.failure: Unavailable | None = None
        self.failed_at = 0.0


class Cache:
    """The values of one process. Threads share it."""

    def __init__(self, ttl: float) -> None:
        self._ttl = ttl  # seconds
        self._values: dict[Key, CachedValue] = {}  # the one stored last comes last
        self._bytes = 0
        self._retry_at: dict[Key, float] = {}
        self._flights: WeakValueDictionary[Key, SingleFlight] = WeakValueDictionary()
        self._lock = threading.Lock()

    def topics_in_use(self) -> set[str]:
        """Return the topics of all values that are young enough to be used."""
        oldest = time.monotonic() - self._ttl
        values = list(self._values.items())
        return {topic for (topic, _), value in values if value.computed_at > oldest}

    def read(self, key: Key, compute: Compute) -> CachedRead:
        """Return the value of a key, fresh, computed now, or stale while the database is away."""
        now = time.monotonic()
        value = self._values.get(key)
        if value is not None and self._is_fresh(key, value, now):
            return CachedRead(value, was_cached=True)
        if value is not None and now - value.computed_at > MAX_STALE_SECONDS:
            value = None
        if value is not None and now < self._retry_at.get(key, 0):
            return CachedRead(value, was_cached=True, is_stale=True)
        return self._join_flight(key, compute, value, now)

    def _is_fresh(self, key: Key, value: CachedValue, now: float) -> bool:
        is_current = value.version == invalidation.version_of(key[0])
        return is_current and now - value.computed_at < self._ttl

    def _join_flight(
        self, key: Key, compute: Compute, old: CachedValue | None, began: float
    ) -> CachedRead:
        # An old value that nothing has changed is not worth waiting for; one that something has
        # changed may be what the reader itself has just changed.
        unchanged = old is not None and old.version == invalidation.version_of(key[0])
        with self._lock:
            flight = self._flights.setdefault(key, SingleFlight())
        if not flight.lock.acquire(timeout=STALE_AFTER_SECONDS if unchanged else COMPUTING_SECONDS):
            return stale(old, Unavailable("computing this takes too long, try again soon"))
        try:
            value = self._values.get(key)
            # What another one began to compute after we began shows all that we may know of.
            if value and (
                value.computed_at > began or self._is_fresh(key, value, time.monotonic())
            ):
                return CachedRead(value, was_cached=True)
            if flight.failure and flight.failed_at > began:  # while we waited
                return stale(old, Unavailable(flight.failure.detail))
            return self._compute(key, compute, old, flight)
        finally:
            flight.lock.release()

    def _compute(
        self, key: Key, compute: Compute, old: CachedValue | None, flight: SingleFlight
    ) -> CachedRead:
        invalidation.start_sync()
        computed_at, version = time.monotonic(), invalidation.version_of(key[0])
        try:
            value = CachedValue.of(compute(), version, computed_at)
        except (Unavailable, SQLAlchemyError) as error:
            refusal = as_problem(error) if isinstance(error, SQLAlchemyError) else error
            if not isinstance(refusal, Unavailable):
                raise
            flight.failure, flight.failed_at = refusal, time.monotonic()
            if old is None:
                raise
            log.warning("serving stale data", extra={"topic": key[0], "error": str(error)[:500]})
            self._retry_at[key] = time.monotonic() + RETRY_SECONDS
            return stale(old, refusal)
        self._store(key, value)
        return CachedRead(value, was_cached=False)

    def _store(self, key: Key, value: CachedValue) -> None:
        with self._lock:
            self._drop(key)
            self._values[key] = value
            self._bytes += len(value.data)
            while self._bytes > MAX_BYTES:
                self._drop(next(iter(self._values)))

    def _drop(self, key: Key) -> None:
        self._retry_at.pop(key, None)
        dropped = self._values.pop(key, None)
        self._bytes -= len(dropped.data) if dropped else 0


def stale(old: CachedValue | None, refusal: Unavailable) -> CachedRead:
    """Return the old value if there is one; else raise the refusal."""
    if old is None:
        raise refusal
    return CachedRead(old, was_cached=True, is_stale=True)


def init_app(app: Flask) -> None:
    settings: Settings = app.extensions["settings"]
    cache = app.extensions["cache"] = Cache(settings.cache_ttl)
    invalidation.init_app(app, cache.topics_in_use)


def cached(topic: str, name: str, compute: Compute) -> CachedRead:
    """Return what `compute` gave lately, or gives now.

    `topic` is what `invalidate` takes; `name` tells apart the values within it. What `compute`
    raises is raised, except where the database is away and there is an old value.
    """
    cache: Cache = current_app.extensions["cache"]
    return cache.read((topic, name), compute)


def uncached(compute: Compute) -> CachedRead:
    """Return what `compute` gives, and keep nothing: for what there may be any number of."""
    value = CachedValue.of(compute(), version=0, computed_at=time.monotonic())
    return CachedRead(value, was_cached=False)


def invalidate(*topics: str) -> None:
    """Let no value of these topics be used any more: after the commit, before the answer.

    Other machines hear of it in the background.
    """
    invalidation.invalidate(topics)


def invalidate_on_commit(topic: str) -> None:
    """Let no value of `topic` be used any more, once the current transaction is committed."""
    db.session.info.setdefault(SESSION_KEY, set()).add(topic)


@event.listens_for(Session, "after_commit")
def invalidate_committed_topics(session: Session) -> None:
    if session.in_nested_transaction():  # a savepoint: nobody else sees its changes yet
        return
    topics = session.info.pop(SESSION_KEY, ())
    if topics:
        invalidation.invalidate(topics)
        invalidation.sync()  # a command ends before the background would come to it


@event.listens_for(Session, "after_rollback")
def forget_rolled_back_topics(session: Session) -> None:
    if not session.in_nested_transaction():
        session.info.pop(SESSION_KEY, None)

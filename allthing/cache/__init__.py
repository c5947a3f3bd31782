"""Cached reads: prepared bytes in this process, taken only while what they show has not changed.

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

MOST_BYTES = 32 * 1024 * 1024  # of all values in a process
STALE_SECONDS = 3600  # a value may be this old while the database is away,
PATIENCE_SECONDS = 0.25  # and is taken after this long if nothing tells that it has changed;
WAITING_SECONDS = 5  # who has none waits so long for another one's
RETRY_SECONDS = 1  # until the database is asked again

POLLS = "polls"

Key = tuple[str, str]
Compute = Callable[[], bytes]

log = logging.getLogger(__name__)


def results(instance_id: str) -> str:
    """Return the topic of one poll's results."""
    return f"results:{instance_id}"


class Value(NamedTuple):
    """What was computed; `mark` and `noted`, on the monotonic clock, are of before that."""

    data: bytes
    etag: str
    mark: int
    noted: float

    @classmethod
    def of(cls, data: bytes, mark: int, noted: float) -> "Value":
        return cls(data, hashlib.blake2b(data, digest_size=12).hexdigest(), mark, noted)


class Reading(NamedTuple):
    """A value, whether it was there or was computed for this reader, and whether it may be old."""

    value: Value
    was_cached: bool
    is_stale: bool = False


class Line:
    """Those who wait for one value. The first computes it; the others see what came of that."""

    def __init__(self) -> None:
        self.turn = threading.Lock()
        self.failure: Unavailable | None = None
        self.failed_at = 0.0


class Cache:
    """The values of one process. Threads share it."""

    def __init__(self, ttl: float) -> None:
        self._ttl = ttl
        self._values: dict[Key, Value] = {}  # the one stored last comes last
        self._bytes = 0
        self._retry_at: dict[Key, float] = {}
        self._lines: WeakValueDictionary[Key, Line] = WeakValueDictionary()
        self._changing = threading.Lock()

    def watched(self) -> set[str]:
        """Return the topics of all values that are young enough to be taken."""
        oldest = time.monotonic() - self._ttl
        return {topic for (topic, _), value in list(self._values.items()) if value.noted > oldest}

    def read(self, key: Key, compute: Compute) -> Reading:
        arrived = time.monotonic()
        value = self._values.get(key)
        if value is not None and self._counts(key, value, arrived):
            return Reading(value, was_cached=True)
        if value is not None and arrived - value.noted > STALE_SECONDS:
            value = None
        if value is not None and arrived < self._retry_at.get(key, 0):
            return Reading(value, was_cached=True, is_stale=True)
        return self._wait_in_line(key, compute, value, arrived)

    def _counts(self, key: Key, value: Value, now: float) -> bool:
        return value.mark == invalidation.mark_of(key[0]) and now - value.noted < self._ttl

    def _wait_in_line(
        self, key: Key, compute: Compute, old: Value | None, arrived: float
    ) -> Reading:
        # An old value that nothing has changed is not worth waiting for; one that something has
        # changed may be what the reader itself has just changed.
        impatient = old is not None and old.mark == invalidation.mark_of(key[0])
        with self._changing:
            line = self._lines.setdefault(key, Line())
        if not line.turn.acquire(timeout=PATIENCE_SECONDS if impatient else WAITING_SECONDS):
            return stale(old, Unavailable("this takes too long, try again soon"))
        try:
            value = self._values.get(key)
            # What another one began to compute after we arrived, shows all that we may know of.
            if value and (value.noted > arrived or self._counts(key, value, time.monotonic())):
                return Reading(value, was_cached=True)
            if line.failure and line.failed_at > arrived:  # while we waited
                return stale(old, Unavailable(line.failure.detail))
            return self._compute(key, compute, old, line)
        finally:
            line.turn.release()

    def _compute(self, key: Key, compute: Compute, old: Value | None, line: Line) -> Reading:
        invalidation.listen()
        noted, mark = time.monotonic(), invalidation.mark_of(key[0])
        try:
            value = Value.of(compute(), mark, noted)
        except (Unavailable, SQLAlchemyError) as error:
            refusal = as_problem(error) if isinstance(error, SQLAlchemyError) else error
            if not isinstance(refusal, Unavailable):
                raise
            line.failure, line.failed_at = refusal, time.monotonic()
            if old is None:
                raise
            log.warning("serving what is stale", extra={"topic": key[0], "error": str(error)[:500]})
            self._retry_at[key] = time.monotonic() + RETRY_SECONDS
            return stale(old, refusal)
        self._keep(key, value)
        return Reading(value, was_cached=False)

    def _keep(self, key: Key, value: Value) -> None:
        with self._changing:
            self._drop(key)
            self._values[key] = value
            self._bytes += len(value.data)
            while self._bytes > MOST_BYTES:
                self._drop(next(iter(self._values)))

    def _drop(self, key: Key) -> None:
        self._retry_at.pop(key, None)
        dropped = self._values.pop(key, None)
        self._bytes -= len(dropped.data) if dropped else 0


def stale(old: Value | None, refusal: Unavailable) -> Reading:
    """Return the old value if there is one; else raise."""
    if old is None:
        raise refusal
    return Reading(old, was_cached=True, is_stale=True)


def init_app(app: Flask) -> None:
    settings: Settings = app.extensions["settings"]
    cache = app.extensions["cache"] = Cache(settings.cache_ttl)
    invalidation.init_app(app, cache.watched)


def cached(topic: str, name: str, compute: Compute) -> Reading:
    """Return what `compute` gave lately, or gives now.

    `topic` is what `forget` takes; `name` tells apart the values within it. What `compute` raises
    is raised, except where the database is away and there is an old value.
    """
    cache: Cache = current_app.extensions["cache"]
    return cache.read((topic, name), compute)


def uncached(compute: Compute) -> Reading:
    """Return what `compute` gives, and keep nothing: for what there may be any number of."""
    return Reading(Value.of(compute(), mark=0, noted=time.monotonic()), was_cached=False)


def forget(*topics: str) -> None:
    """Let no value of these topics be taken any more: after the commit, before the answer.

    Other machines hear of it in the background.
    """
    invalidation.change(topics)


def forget_on_commit(topic: str) -> None:
    """Let no value of `topic` be taken any more, once the current transaction is committed."""
    db.session.info.setdefault("stale_topics", set()).add(topic)


@event.listens_for(Session, "after_commit")
def forget_stale_topics(session: Session) -> None:
    if session.in_nested_transaction():  # a savepoint: nobody else sees its changes yet
        return
    topics = session.info.pop("stale_topics", ())
    if topics:
        invalidation.change(topics)
        invalidation.exchange()  # a command ends before the background would come to it


@event.listens_for(Session, "after_rollback")
def keep_topics(session: Session) -> None:
    if not session.in_nested_transaction():
        session.info.pop("stale_topics", None)

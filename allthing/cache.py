"""Cached reads. A value counts only while nothing it shows has changed since it was computed.

Each topic has a generation, a random word. A change replaces it after its commit; a reader notes
it before it computes. So a reader that was overtaken by a change stores a value nobody takes.
"""

import json
import secrets
from collections.abc import Callable
from typing import Any

from sqlalchemy import event
from sqlalchemy.orm import Session

from allthing.config import settings
from allthing.database import db
from allthing.redis_client import safe_redis_get_many, safe_redis_set

KEY_PREFIX = "allthing:cache:"
GENERATION_SECONDS = 3600  # far longer than any value may live

POLLS = "polls"


def results(instance_id: str) -> str:
    """Return the topic of one poll's results."""
    return f"results:{instance_id}"


def cached(topic: str, name: str, compute: Callable[[], Any]) -> tuple[Any, bool]:
    """Return what `compute` gives, and whether it came from the cache.

    `topic` is what `forget` takes; `name` tells apart the values within it. Without Redis, or
    with anything unreadable in it, the value is computed.
    """
    key = f"{KEY_PREFIX}{topic}:{name}"
    generation, stored = safe_redis_get_many([generation_key(topic), key])
    value = unpack(stored, generation)
    if value is not None:
        return value, True
    value = compute()
    packed = json.dumps({"generation": generation, "value": value})
    safe_redis_set(key, packed, settings().cache_ttl)
    return value, False


def forget_on_commit(topic: str) -> None:
    """Let no value of `topic` be taken any more, once the current transaction is committed."""
    db.session.info.setdefault("stale_topics", set()).add(topic)


@event.listens_for(Session, "after_commit")
def forget_stale_topics(session: Session) -> None:
    if session.in_nested_transaction():  # a savepoint: nobody else sees its changes yet
        return
    for topic in session.info.pop("stale_topics", ()):
        safe_redis_set(generation_key(topic), secrets.token_hex(8), GENERATION_SECONDS)


@event.listens_for(Session, "after_rollback")
def keep_topics(session: Session) -> None:
    if not session.in_nested_transaction():
        session.info.pop("stale_topics", None)


def generation_key(topic: str) -> str:
    return f"{KEY_PREFIX}{topic}:generation"


def unpack(stored: str | None, generation: str | None) -> Any:
    try:
        packed = json.loads(stored or "")
        return packed["value"] if packed["generation"] == generation else None
    except (ValueError, TypeError, KeyError):
        return None

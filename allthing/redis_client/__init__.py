"""The Redis client, and the only package that knows Redis. It holds hints; it may fail at will.

The five `safe_redis_…` functions are those of the user's guide, whether we use them or not.

Every function answers within `REDIS_TIMEOUT`, and at once while Redis is away; none of them raises.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import redis
from flask import Flask, current_app

from allthing.redis_client.circuit_breaker import (
    CircuitBreakers,
    Command,
    Job,
    RedisStatus,
    is_key_error,
)


def init_app(app: Flask) -> None:
    app.extensions["redis_breakers"] = CircuitBreakers(app)


def run_periodically(app: Flask, job: Job) -> None:
    """Let `job` run every 0.1 s in the background, in an app context, while Redis is there.

    One thread per process runs all jobs, one after the other; it begins with the first use of
    Redis in the process. A job has to be cheap when it has nothing to do.
    """
    breakers_of(app).jobs.append(job)


def start() -> None:
    """Begin to look for Redis and to run the jobs in this process, if that has not begun."""
    breakers_of(current_app).of_process()


def close(app: Flask) -> None:
    """End the thread and the connections of this process."""
    breakers_of(app).close()


def breakers_of(app: Flask) -> CircuitBreakers:
    breakers: CircuitBreakers = app.extensions["redis_breakers"]
    return breakers


def redis_status() -> RedisStatus:
    """Return how Redis is, without asking it."""
    breaker = breakers_of(current_app).of_process()
    return breaker.status() if breaker else RedisStatus("disabled")


def redis_state() -> str:
    """Return `healthy`, `unhealthy` or `disabled`, without asking Redis."""
    state = redis_status().state
    return "unhealthy" if state == "connecting" else state


def redis_is_available() -> bool:
    """Tell whether asking Redis is worth while."""
    breaker = breakers_of(current_app).of_process()
    return breaker is not None and breaker.is_available


def call(command: Command) -> Any:
    """Run `command` on Redis and return its answer; None if it is away or the key spoiled."""
    breaker = breakers_of(current_app).of_process()
    return breaker.call(command) if breaker else None


def safe_redis_get(key: str) -> str | None:
    """Return the value of a key; None if there is none, or Redis is away."""
    value: str | None = call(lambda client: client.get(key))
    return value


def safe_redis_set(key: str, value: str, ex: int | None = None) -> bool:
    """Set a key, for `ex` seconds if given; return whether Redis took it."""
    return bool(call(lambda client: client.set(key, value, ex=ex)))


def safe_redis_delete(*keys: str) -> bool:
    """Delete keys; return whether Redis took it, whether or not there were any."""
    return call(lambda client: client.delete(*keys)) is not None


def safe_redis_incr(key: str) -> int | None:
    """Add 1 to a counter and return its new value; None if Redis is away."""
    value: int | None = call(lambda client: client.incr(key))
    return value


def safe_redis_expire(key: str, seconds: int) -> bool:
    """Let a key end in so many seconds; return whether there is such a key."""
    return bool(call(lambda client: client.expire(key, seconds)))


def safe_redis_swap(
    key: str, fields: Sequence[int], new: Mapping[int, str], ex: int
) -> list[str | None] | None:
    """Set the `new` fields of a hash; return what `fields` had before, in the same step.

    The hash lives for `ex` seconds from its last change. None if Redis is away.
    """

    def swap(client: redis.Redis) -> Any:
        wanted = [str(field) for field in fields]
        if not new:
            return client.hmget(key, wanted)
        pipeline = client.pipeline(transaction=True)
        pipeline.hmget(key, wanted)
        pipeline.hset(key, mapping={str(field): value for field, value in new.items()})
        pipeline.expire(key, ex)
        return pipeline.execute()[0]

    before: list[str | None] | None = call(swap)
    return before


def safe_redis_hincrby(key: str, amounts: Mapping[str, int], ex: int) -> list[int | None]:
    """Add to counters in a hash, in one round trip; return their new values.

    The hash lives for `ex` seconds from then on. None says that a counter could not be added to,
    or perhaps was: adding again may count twice.
    """

    def add(client: redis.Redis) -> list[int | None]:
        pipeline = client.pipeline(transaction=False)
        for field, amount in amounts.items():
            pipeline.hincrby(key, field, amount)
        pipeline.expire(key, ex)
        *answers, _ = pipeline.execute(raise_on_error=False)
        for answer in answers:
            if isinstance(answer, Exception) and not is_key_error(answer):
                raise answer
        return [None if isinstance(value, Exception) else value for value in answers]

    values: list[int | None] | None = call(add)
    return values or [None] * len(amounts)

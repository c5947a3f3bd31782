"""Redis, and the only room that knows it. It holds hints; it may fail at will.

All of this answers within `REDIS_TIMEOUT`, and at once while Redis is away; nothing of it raises.
"""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import redis
from flask import Flask, current_app

from allthing.redis_client.circuit_breaker import Command, Job, RedisGates, RedisStatus, is_of_a_key


def init_app(app: Flask) -> None:
    app.extensions["redis_gates"] = RedisGates(app)


def on_tick(app: Flask, job: Job) -> None:
    """Let `job` run every 0.1 s in the background, in an app context, while Redis is there.

    One thread per process runs all jobs, one after the other; it begins with the first use of
    Redis in the process. A job has to be cheap when it has nothing to do.
    """
    gates_of(app).jobs.append(job)


def start() -> None:
    """Begin to look for Redis and to run the jobs in this process, if that has not begun."""
    gates_of(current_app).here()


def close(app: Flask) -> None:
    """End the thread and the connections of this process."""
    gates_of(app).close()


def gates_of(app: Flask) -> RedisGates:
    gates: RedisGates = app.extensions["redis_gates"]
    return gates


def redis_status() -> RedisStatus:
    """Return how it is with Redis, without asking it."""
    gate = gates_of(current_app).here()
    return gate.status() if gate else RedisStatus("disabled")


def redis_state() -> str:
    """Return `healthy`, `unhealthy` or `disabled`, without asking Redis."""
    state = redis_status().state
    return "unhealthy" if state == "connecting" else state


def redis_is_there() -> bool:
    """Say whether asking Redis is worth while."""
    gate = gates_of(current_app).here()
    return gate is not None and gate.is_open


def call(command: Command) -> Any:
    """Run `command` on Redis and return its answer; None if it is away or the key spoiled."""
    gate = gates_of(current_app).here()
    return gate.call(command) if gate else None


def safe_redis_get(key: str) -> str | None:
    value: str | None = call(lambda client: client.get(key))
    return value


def safe_redis_set(key: str, value: str, seconds: int) -> bool:
    return bool(call(lambda client: client.set(key, value, ex=seconds)))


def safe_redis_swap(
    key: str, fields: Sequence[int], new: Mapping[int, str], seconds: int
) -> list[str | None] | None:
    """Set the `new` fields of a hash; return what `fields` had before, in the same step.

    The hash lives for `seconds` from its last change. None if Redis is away.
    """

    def swap(client: redis.Redis) -> Any:
        pipeline = client.pipeline(transaction=True)
        pipeline.hmget(key, [str(field) for field in fields])
        if new:
            pipeline.hset(key, mapping={str(field): value for field, value in new.items()})
            pipeline.expire(key, seconds)
        return pipeline.execute()[0]

    before: list[str | None] | None = call(swap)
    return before


def safe_redis_delete(*keys: str) -> bool:
    return call(lambda client: client.delete(*keys)) is not None


def safe_redis_incr(key: str) -> int | None:
    value: int | None = call(lambda client: client.incr(key))
    return value


def safe_redis_expire(key: str, seconds: int) -> bool:
    return bool(call(lambda client: client.expire(key, seconds)))


class Increment(NamedTuple):
    """What to add to a counter, and how long that is to live from then on."""

    key: str
    amount: int
    seconds: int


def safe_redis_add(increments: Sequence[Increment]) -> list[int | None]:
    """Add to counters, in one round trip; return their new values.

    None says that a counter could not be added to, or perhaps was: adding again may count twice.
    """

    def add(client: redis.Redis) -> list[int | None]:
        pipeline = client.pipeline(transaction=False)
        for key, amount, seconds in increments:
            pipeline.incrby(key, amount)
            pipeline.expire(key, seconds)
        answers = pipeline.execute(raise_on_error=False)
        for answer in answers:
            if isinstance(answer, Exception) and not is_of_a_key(answer):
                raise answer
        return [None if isinstance(value, Exception) else value for value in answers[::2]]

    values: list[int | None] | None = call(add)
    return values or [None] * len(increments)

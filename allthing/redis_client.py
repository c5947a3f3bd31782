"""The gate to Redis, and the only file that knows it. Redis holds hints; it may fail at will.

While Redis answers, commands go through. The first failure shuts the gate: from then on no
request touches Redis, until a background probe has written a value and opens it again. So at
most one round of requests ever waits, and for no longer than `REDIS_TIMEOUT`.
"""

import logging
import threading
import time
from collections.abc import Callable
from typing import Any

import redis
from flask import Flask, current_app
from redis.backoff import NoBackoff
from redis.retry import Retry

from allthing.config import Settings
from allthing.deadlines import BoundedSocket, deadline, seconds_left

CANARY = "allthing:canary"
CANARY_SECONDS = 60
SPOILED_KEY = ("WRONGTYPE", "not an integer")  # said of what a key holds; the server is well

Command = Callable[[redis.Redis], Any]

log = logging.getLogger(__name__)


class RedisGate:
    """A connection pool that can be shut. Threads share it; a forked worker makes its own."""

    def __init__(self, settings: Settings) -> None:
        self.client = redis.Redis.from_url(
            settings.redis_url,
            retry=Retry(NoBackoff(), 0),  # the default of ten nested retries waits for minutes
            protocol=2,
            decode_responses=True,
            encoding_errors="replace",  # bytes that are no text are a miss, not a fault of Redis
        )
        self.pool = self.client.connection_pool
        self.pool.connection_class = bounded(self.pool.connection_class)
        self.is_open = True
        self._timeout = settings.redis_timeout
        self._probe_interval = settings.redis_probe_interval
        self._lock = threading.Lock()

    def call(self, command: Command) -> Any:
        """Run `command` on Redis and return its answer; None if it is away or the key spoiled."""
        if not self.is_open:
            return None
        try:
            with deadline(self._timeout):
                return command(self.client)
        except Exception as error:  # noqa: BLE001  # a sick server raises far more than RedisError
            if not any(reason in str(error) for reason in SPOILED_KEY):
                self._shut(error)
            return None

    def _shut(self, error: Exception) -> None:
        with self._lock:
            if not self.is_open:
                return
            self.is_open = False
        log.warning("redis is away", extra={"error": f"{type(error).__name__}: {error}"[:200]})
        threading.Thread(target=self._probe, name="redis-probe", daemon=True).start()

    def _probe(self) -> None:
        """Try to write until it works: a full or read-only server still answers PING."""
        while not self.is_open:
            time.sleep(self._probe_interval)
            try:
                self.pool.disconnect()  # a demoted or restarted server's connections are no good
                with deadline(self._timeout):
                    self.client.set(CANARY, "1", ex=CANARY_SECONDS)
            except Exception:  # noqa: BLE001, S112  # whatever it is, Redis is still away
                continue
            self.is_open = True
        log.warning("redis is back")


def bounded(connection: type[Any]) -> type[Any]:
    """Return the connection class, plain, TLS or UNIX, with sockets that keep to the deadline."""

    class Bounded(connection):  # type: ignore[misc]  # which of them the URL decides
        def _connect(self) -> BoundedSocket:
            self.socket_connect_timeout = seconds_left()
            return BoundedSocket(super()._connect())

    return Bounded


def init_app(app: Flask) -> None:
    """Attach a gate, or none when no URL is set."""
    settings: Settings = app.extensions["settings"]
    app.extensions["redis_gate"] = RedisGate(settings) if settings.redis_url else None


def redis_state() -> str:
    """Return `healthy`, `unhealthy` or `disabled`, without asking Redis."""
    gate: RedisGate | None = current_app.extensions["redis_gate"]
    if gate is None:
        return "disabled"
    return "healthy" if gate.is_open else "unhealthy"


def call(command: Command) -> Any:
    gate: RedisGate | None = current_app.extensions["redis_gate"]
    return gate.call(command) if gate else None


def safe_redis_get(key: str) -> str | None:
    value: str | None = call(lambda client: client.get(key))
    return value


def safe_redis_get_many(keys: list[str]) -> list[str | None]:
    """Return a value or None for each key, all None if Redis is away."""
    values: list[str | None] | None = call(lambda client: client.mget(keys))
    return values or [None] * len(keys)


def safe_redis_set(key: str, value: str, seconds: int) -> bool:
    return bool(call(lambda client: client.set(key, value, ex=seconds)))


def safe_redis_delete(*keys: str) -> bool:
    return call(lambda client: client.delete(*keys)) is not None


def safe_redis_incr(key: str) -> int | None:
    value: int | None = call(lambda client: client.incr(key))
    return value


def safe_redis_expire(key: str, seconds: int) -> bool:
    return bool(call(lambda client: client.expire(key, seconds)))


def safe_redis_count(key: str, seconds: int, amount: int = 1) -> int | None:
    """Add to a counter that lives for `seconds` from its first use; return its new value.

    One round trip, and no moment in which a counter exists without an expiry.
    """

    def count(client: redis.Redis) -> Any:
        pipeline = client.pipeline(transaction=False)
        pipeline.set(key, 0, ex=seconds, nx=True)
        pipeline.incrby(key, amount)
        return pipeline.execute()[1]

    value: int | None = call(count)
    return value

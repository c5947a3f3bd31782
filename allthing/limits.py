"""Rate limits: Flask-Limiter, counting in Redis, and in this process while Redis is away."""

from http import HTTPStatus
from typing import Any

from flask import Flask, Response, request
from flask_limiter import ApplicationLimit, Limiter, RateLimitExceeded
from limits.storage import MemoryStorage, Storage

from allthing.client import client_network
from allthing.config import settings
from allthing.problems import problem_response
from allthing.redis_client import safe_redis_count, safe_redis_delete, safe_redis_get

KEY_PREFIX = "allthing:limit:"


class GuardedStorage(Storage):
    """Fixed-window counters behind the Redis gate.

    Because this never raises, the limiter needs no fallback of its own, whose recovery check
    (a PING) flaps while a full or read-only Redis still answers.
    """

    STORAGE_SCHEME = ["guarded"]  # noqa: RUF012  # the library's own declaration

    def __init__(self, uri: str | None = None, **options: Any) -> None:
        super().__init__(uri, **options)
        self.local = MemoryStorage()

    @property
    def base_exceptions(self) -> type[Exception]:
        return Exception

    def incr(self, key: str, expiry: int, amount: int = 1) -> int:
        shared = safe_redis_count(KEY_PREFIX + key, expiry, amount)
        return self.local.incr(key, expiry, amount) if shared is None else shared

    def get(self, key: str) -> int:
        shared = safe_redis_get(KEY_PREFIX + key)
        return int(shared) if shared and shared.isdecimal() else self.local.get(key)

    def get_expiry(self, key: str) -> float:
        return self.local.get_expiry(key)

    def check(self) -> bool:
        return True

    def reset(self) -> int | None:
        return self.local.reset()

    def clear(self, key: str) -> None:
        safe_redis_delete(KEY_PREFIX + key)
        self.local.clear(key)


def global_rate() -> str:
    return settings().global_rate_limit


def vote_rate() -> str:
    return settings().vote_rate_limit


def admin_rate() -> str:
    return settings().admin_rate_limit


def is_refused_key(response: Response) -> bool:
    return response.status_code == HTTPStatus.UNAUTHORIZED


limiter = Limiter(
    client_network,
    application_limits=[ApplicationLimit(global_rate)],
    request_identifier=lambda: request.endpoint or "unknown",
    storage_uri="guarded://",
    strategy="fixed-window",
    swallow_errors=True,
)
limit_votes = limiter.shared_limit(vote_rate, scope="votes")
limit_refused_keys = limiter.shared_limit(
    admin_rate, scope="admin", deduct_when=is_refused_key, override_defaults=False
)


def answer_rate_limit(error: RateLimitExceeded) -> Response:
    """Say when to come back. A fixed window ends at the latest after its whole length."""
    limit = error.limit.limit
    return problem_response(
        429, f"too many requests: {limit}", {"Retry-After": str(limit.get_expiry())}
    )


def init_app(app: Flask) -> None:
    limiter.init_app(app)
    app.register_error_handler(RateLimitExceeded, answer_rate_limit)

"""Rate limits per client, declared with Flask-Limiter: one for votes, one for all else.

They are counted by `rate_limit_storage`. Flask-Limiter swallows what a storage raises; ours raises
nothing.
"""

import functools
import threading
from collections.abc import Callable
from http import HTTPStatus
from math import ceil
from typing import Any

from flask import Flask, Response, request
from flask_limiter import Limit, Limiter, RateLimitExceeded
from limits import RateLimitItem

from allthing.config import settings
from allthing.errors import Problem, handle_problem
from allthing.runtime import clock
from allthing.web import rate_limit_storage
from allthing.web.client_address import client_network

Lookup = Callable[..., Any]


class TooManyRequests(Problem):
    """The client has used up a limit; `Retry-After` says when it may come again."""

    status = HTTPStatus.TOO_MANY_REQUESTS

    def __init__(self, limit: RateLimitItem, seconds: float) -> None:
        retry_after = str(max(1, ceil(seconds)))
        super().__init__(f"too many requests: {limit}", {"Retry-After": retry_after})


def global_rate() -> str:
    return settings().global_rate_limit


def vote_rate() -> str:
    return settings().vote_rate_limit


def identify_request() -> str:
    """Return the endpoint; Flask-Limiter would count nothing where there is none, as for a 404.

    OPTIONS reaches no view, so it is counted with all else: votes' limit counts their POST only.
    """
    return "unknown" if request.method == "OPTIONS" else request.endpoint or "unknown"


class ThreadContextLimiter(Limiter):
    """Flask-Limiter, but its context, asked for seven times a request, is not looked for anew.

    One serves all requests of a thread, since Flask-Limiter resets it when a request ends.
    """

    _of_thread = threading.local()

    @property
    def context(self) -> Any:
        context = getattr(self._of_thread, "context", None)
        if context is None:
            context = self._of_thread.context = super().context
        return context


limiter = ThreadContextLimiter(
    client_network,
    default_limits=[Limit(global_rate, scope="global", shared=True)],
    storage_uri=f"{rate_limit_storage.SCHEME}://",
    swallow_errors=True,
    request_identifier=identify_request,
)
limit_votes = limiter.shared_limit(vote_rate, scope="votes")


def cached_per_app(lookup: Lookup) -> Lookup:
    """Keep what a lookup of Flask-Limiter's gave: it never changes while an app runs."""

    @functools.wraps(lookup)
    def cached(app: Flask, *arguments: Any) -> Any:
        found: dict[object, Any] = app.extensions["rate_limit_lookups"]
        key = (lookup.__name__, *arguments)
        if key not in found:
            found[key] = lookup(app, *arguments)
        return found[key]

    return cached


def resolve_limits(*arguments: Any) -> tuple[list[Any], list[Any]]:
    """Return the limits of a request as if all of them were its view's own.

    Flask-Limiter looks whether it has counted a default limit in this request already, and hashes
    it several times for that. Ours are counted where they are resolved, once.
    """
    defaults, of_view = resolve_uncached(*arguments)
    return [], [*defaults, *of_view]


# To find out anew which limits a view has costs as much as all the rest: docs/private-parts.md.
manager = limiter.limit_manager
resolve_uncached = manager.resolve_limits
manager.resolve_limits = cached_per_app(resolve_limits)  # type: ignore[method-assign]
manager.exemption_scope = cached_per_app(manager.exemption_scope)  # type: ignore[method-assign]


def handle_exceeded_limit(error: RateLimitExceeded) -> Response:
    exceeded = limiter.current_limit
    reset_at = exceeded.reset_at - 1 if exceeded else 0  # it adds a second
    return handle_problem(TooManyRequests(error.limit.limit, reset_at - clock.now().timestamp()))


def init_app(app: Flask) -> None:
    app.register_error_handler(RateLimitExceeded, handle_exceeded_limit)
    app.extensions["rate_limit_lookups"] = {}
    rate_limit_storage.init_app(app)
    limiter.init_app(app)

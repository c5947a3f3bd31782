"""Rate limits: declared with Flask-Limiter, counted in this process, shared through Redis.

What a route may take is said with Flask-Limiter's decorators, in the notation of `limits`. The
counting is our own: its machinery per request costs more than the reads it would guard.
"""

import mmap
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from http import HTTPStatus
from math import ceil
from zlib import crc32

import flask_limiter
from flask import Flask, current_app, request
from flask_limiter import ApplicationLimit, ExemptionScope
from flask_limiter._limits import RuntimeLimit
from limits import RateLimitItem

from allthing.config import settings
from allthing.errors import Problem
from allthing.redis_client import (
    Increment,
    redis_is_available,
    redis_state,
    run_periodically,
    safe_redis_incr_many,
)
from allthing.runtime import clock
from allthing.web.client_address import client_network

KEY_PREFIX = "allthing:limit:"
ASKED_FROM = 0.5  # of a limit: from there on Redis is asked at once
UNTOLD_PART = 50  # a process may keep to itself that part of a limit, until the next tick
BATCH = 256  # clients told of in one round trip, which has to end within REDIS_TIMEOUT
MOST_CLIENTS = 50_000  # some 10 MB per limit
SLOTS = 16_384  # clients that share one only make Redis be asked more often

# For each slot the window in which some worker of this machine asks Redis; then all do, or those
# that have not seen the client of late would let it go on. Made at import, so that gunicorn's
# workers inherit one and the same memory.
_asked = memoryview(mmap.mmap(-1, SLOTS * 8)).cast("Q")


class TooManyRequests(Problem):
    status = HTTPStatus.TOO_MANY_REQUESTS

    def __init__(self, limit: RateLimitItem, seconds: float) -> None:
        retry_after = str(max(1, ceil(seconds)))
        super().__init__(f"too many requests: {limit}", {"Retry-After": retry_after})


class Count:
    """How often a client has come in a window: what is settled, on its way, and untold.

    What was on its way when Redis failed is settled: it may have been counted there, so it is
    not told again.
    """

    __slots__ = ("on_its_way", "settled", "untold")

    def __init__(self) -> None:
        self.settled = 0
        self.on_its_way = 0
        self.untold = 0

    @property
    def all(self) -> int:
        return self.settled + self.on_its_way + self.untold

    def send(self, more: int = 0) -> int:
        """Put what is untold on its way, and `more`; return how many these are."""
        sent, self.untold = self.untold + more, 0
        self.on_its_way += sent
        return sent

    def settle(self, sent: int, total: int | None) -> None:
        """Take note of the total of all processes, or that none came back."""
        self.on_its_way -= sent
        self.settled = self.settled + sent if total is None else max(self.settled, total)


class Windows:
    """One limit and how often each client has come, in windows that the clock cuts alike for all.

    Far from the limit a client is counted here, and Redis is told with the next tick; near it
    Redis is asked. Without Redis this process counts by itself, and tells when Redis is back.

    On one machine a client gets its limit, to the request; another machine may let it have
    1/`UNTOLD_PART` more before it learns.
    """

    def __init__(self, limit: RateLimitItem, scope: str, client: Callable[[], str]) -> None:
        self.limit = limit
        self._client = client
        self._seconds = limit.get_expiry()
        self._asked_from = limit.amount * ASKED_FROM
        self._most_untold = limit.amount // UNTOLD_PART
        self._name = f"{KEY_PREFIX}{scope}:{limit.amount}/{self._seconds}"
        self._seed = crc32(self._name.encode())
        self._changing = threading.Lock()
        self._number = 0
        self._clients: dict[str, Count] = {}
        self._untold: dict[str, Count] = {}

    def take(self) -> None:
        """Count a request of the client that asks; raise TooManyRequests if it is one too many."""
        client = self._client()
        slot = crc32(client.encode(), self._seed) % SLOTS
        with self._changing:
            now = clock.now().timestamp()
            self._begin(int(now // self._seconds))
            count = self._clients.get(client) or self._add(client)
            number = count.all + 1
            if number > self.limit.amount:
                raise self._refusal(now)
            if number > self._asked_from:
                _asked[slot] = self._number
            is_asked = _asked[slot] == self._number or count.untold >= self._most_untold
            if not (is_asked and redis_is_available()):
                count.untold += 1
                self._untold[client] = count
                return
            settled, sent = count.settled, count.send(1)
            key = self._key(client)
        total = safe_redis_incr_many([Increment(key, sent, self._seconds)])[0]
        with self._changing:
            count.settle(sent, total)
            # Redis may have lost what it knew, or not have got what was on its way.
            number = count.all if total is None else max(total, settled + sent)
        if number > self.limit.amount:
            raise self._refusal(now)

    def exchange(self) -> None:
        """Tell Redis of the requests it doesn't know of, and learn of those of other processes."""
        while self._untold and redis_is_available():
            with self._changing:
                batch = [self._untold.popitem() for _ in range(min(BATCH, len(self._untold)))]
                sent = [count.send() for _, count in batch]
                keys = [self._key(client) for client, _ in batch]
            totals = safe_redis_incr_many(
                [Increment(*told, self._seconds) for told in zip(keys, sent, strict=True)]
            )
            with self._changing:
                for (_, count), amount, total in zip(batch, sent, totals, strict=True):
                    count.settle(amount, total)

    def _begin(self, number: int) -> None:
        if number != self._number:
            self._number, self._clients, self._untold = number, {}, {}

    def _add(self, client: str) -> Count:
        if len(self._clients) >= MOST_CLIENTS:  # forgetting is better than growing
            self._clients, self._untold = {}, {}
        count = self._clients[client] = Count()
        return count

    def _key(self, client: str) -> str:
        return f"{self._name}:{client}:{self._number}"

    def _refusal(self, now: float) -> TooManyRequests:
        return TooManyRequests(self.limit, self._seconds - now % self._seconds)


@dataclass
class AppLimits:
    """An app's windows by what they limit, and those that each view takes from."""

    windows: dict[tuple[str, RateLimitItem], Windows] = field(default_factory=dict)
    of_views: dict[tuple[str | None, bool], list[Windows]] = field(default_factory=dict)

    def add(self, limit: RuntimeLimit, view: str | None) -> Windows:
        if limit.exempt_when or limit.deduct_when or limit.methods or limit.cost != 1:
            raise NotImplementedError(f"a limit is declared in a way that is not counted: {limit}")
        scope = limit.scope_for(view or "", request.method)
        return self.windows.setdefault(
            (scope, limit.limit), Windows(limit.limit, scope, limit.key_func)
        )

    def exchange(self) -> None:
        for windows in list(self.windows.values()):
            windows.exchange()


class Limiter(flask_limiter.Limiter):
    """Flask-Limiter's declarations, looked up once per view and counted by `Windows`."""

    def init_app(self, app: Flask) -> None:
        limits = app.extensions["limits"] = AppLimits()
        app.before_request(self._check_request_limit)
        run_periodically(app, limits.exchange)

    def _check_request_limit(
        self, callable_name: str | None = None, in_middleware: bool = True
    ) -> None:
        """Count a request: before each one, and where a view's decorator calls this by name."""
        limits: AppLimits = current_app.extensions["limits"]
        view = request.endpoint if in_middleware else callable_name
        taken = limits.of_views.get((view, in_middleware))
        if taken is None:
            taken = [limits.add(limit, view) for limit in self._declared(view, in_middleware)]
            limits.of_views[view, in_middleware] = taken
            if taken:
                redis_state()  # Redis is known before we count, and the exchange begins
        for windows in taken:
            windows.take()

    def _declared(self, view: str | None, in_middleware: bool) -> list[RuntimeLimit]:
        """Return a view's own limits, or those of the app and the blueprint unless it is exempt."""
        declared = self.limit_manager
        if not in_middleware:
            return declared.decorated_limits(view or "")
        exempt = declared.exemption_scope(current_app, view, request.blueprint)
        if exempt & ExemptionScope.APPLICATION:
            return []
        of_blueprint = declared.blueprint_limits(current_app, request.blueprint or "")
        return declared.application_limits + of_blueprint


def global_rate() -> str:
    return settings().global_rate_limit


def vote_rate() -> str:
    return settings().vote_rate_limit


limiter = Limiter(client_network, application_limits=[ApplicationLimit(global_rate)])
limit_votes = limiter.shared_limit(vote_rate, scope="votes")


def init_app(app: Flask) -> None:
    limiter.init_app(app)

"""How Flask-Limiter and the storage of the rate limits work together."""

import gc

import pytest
from limits import parse_many

from allthing import redis_client
from allthing.web import rate_limit_storage
from allthing.web.rate_limit_storage import (
    MAX_CLIENTS,
    Count,
    FixedWindow,
    ProcessStorage,
    limit_in,
)
from allthing.web.rate_limits import limiter
from tests.conftest import AppFactory
from tests.support.api import ask
from tests.support.redis_server import client as redis_connection

DAY_SECONDS = 24 * 3600


def test_a_spoiled_counter_does_not_switch_a_limit_off(
    make_app: AppFactory, redis_url: str
) -> None:
    app = make_app(global_rate_limit="3 per day")
    ask(app, "/", 1)
    with redis_connection(redis_url) as redis:
        spoiled = list(redis.scan_iter("allthing:limit:*"))
        for key in spoiled:
            for client in redis.hkeys(key):
                redis.hset(key, client, "junk")

    assert spoiled
    assert ask(app, "/", 4) == [200, 200, 429, 429]
    assert app.test_client().get("/readyz").json["components"]["redis"] == "healthy"


def test_any_number_of_clients_takes_little_memory(make_app: AppFactory) -> None:
    window = FixedWindow(DAY_SECONDS)

    with make_app(redis_url="").app_context():
        for client in range(2 * MAX_CLIENTS + 1):
            window.hit(f"LIMITER/{client}/test/3/1/day")

    assert sum(isinstance(found, Count) for found in gc.get_objects()) <= MAX_CLIENTS


def test_limiter_swallows_what_its_storage_raises(
    make_app: AppFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> int:
        raise ConnectionError

    monkeypatch.setattr(ProcessStorage, "incr", fail)
    app = make_app(global_rate_limit="1 per day")

    assert isinstance(limiter.storage, ProcessStorage)
    assert ask(app, "/", 3) == [200, 200, 200]


def test_which_limits_a_view_has_is_found_out_once(make_app: AppFactory) -> None:
    app = make_app()
    for _ in range(2):
        ask(app, "/", 1)
    found = dict(app.extensions["rate_limit_lookups"])
    ask(app, "/", 1)

    assert {name for name, *_ in found} == {"resolve_limits", "exemption_scope"}
    assert app.extensions["rate_limit_lookups"] == found


def test_context_of_the_limits_serves_the_next_request_as_new(make_app: AppFactory) -> None:
    app = make_app(global_rate_limit="2 per day")
    assert ask(app, "/", 3) == [200, 200, 429]
    with app.test_request_context():
        context = limiter.context
        assert (context.view_rate_limit, context.view_rate_limits) == (None, [])
    ask(app, "/", 1)
    with app.test_request_context():
        assert limiter.context is context


def test_a_key_says_how_many_requests_it_allows() -> None:
    for limit in parse_many("7 per minute; 30 per 5 hours; 1000 per day"):
        assert limit_in(limit.key_for("2001:db8::/64", "global")) == limit.amount


def test_clients_that_share_a_slot_are_limited_exactly_whatever_their_windows(
    make_app: AppFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Redis is asked near a limit, also when a client of a shorter window was there since."""
    monkeypatch.setattr(rate_limit_storage, "SLOTS", 1)
    daily, yearly = "LIMITER/a/test/100/1/day", "LIMITER/b/test/100/1/year"
    with make_app().app_context():
        redis_client.redis_state()  # waits for the first try to reach it
        here, elsewhere = FixedWindow(365 * DAY_SECONDS), FixedWindow(365 * DAY_SECONDS)
        shorter = FixedWindow(DAY_SECONDS)
        for window, key in ((here, yearly), (shorter, daily)):
            for _ in range(51):
                window.hit(key)

        assert elsewhere.hit(yearly) == 52

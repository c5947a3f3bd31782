"""Redis behind sentinels: its master is found, followed, and left when it is none any more."""

import time
from collections.abc import Iterator
from contextlib import closing

import pytest
from flask import Flask

from allthing.redis_client import redis_status, safe_redis_set
from tests.conftest import AppFactory
from tests.support.redis_server import RedisServer
from tests.support.redis_server import client as redis_connection
from tests.support.sentinels import TIMEOUT_SECONDS, Fleet, sentinel_fleet
from tests.support.stopwatch import until

pytestmark = pytest.mark.timing

FOLLOW_SECONDS = 3


@pytest.fixture(scope="module")
def shared_fleet() -> Iterator[Fleet]:
    with sentinel_fleet() as fleet:
        yield fleet


@pytest.fixture
def fleet(shared_fleet: Fleet) -> Iterator[Fleet]:
    """Lend the fleet, complete at the beginning of the test and after it."""
    until(shared_fleet.is_complete, TIMEOUT_SECONDS)
    yield shared_fleet
    for sentinel in shared_fleet.sentinels:
        sentinel.thaw()
        sentinel.start()


def reaches(app: Flask, server: RedisServer) -> bool:
    """Tell whether the app writes to this server."""
    with app.app_context(), closing(redis_connection(server.url)) as connection:
        connection.delete("reached")
        return safe_redis_set("reached", "yes", ex=10) and bool(connection.exists("reached"))


def test_master_is_found(make_app: AppFactory, fleet: Fleet) -> None:
    app = make_app(redis_url=fleet.url)

    assert app.test_client().get("/readyz").json["components"]["redis"] == "healthy"
    assert reaches(app, fleet.master)


def test_new_master_is_followed_after_a_failover(make_app: AppFactory, fleet: Fleet) -> None:
    app = make_app(redis_url=fleet.url)
    before = fleet.master
    assert reaches(app, before)

    fleet.fail_over()

    assert fleet.master is not before
    assert until(lambda: reaches(app, fleet.master), TIMEOUT_SECONDS) < FOLLOW_SECONDS


def test_requests_wait_no_longer_than_ever_when_the_master_freezes(
    make_app: AppFactory, fleet: Fleet
) -> None:
    app = make_app(redis_url=fleet.url, redis_timeout=0.2, global_rate_limit="40 per day")
    client = app.test_client()
    before = fleet.master
    assert reaches(app, before)
    before.freeze()

    slowest = 0.0
    latest = time.monotonic() + 20
    while fleet.master is before and time.monotonic() < latest:
        begun = time.monotonic()
        assert client.get("/healthz").status_code == 200
        assert client.get("/").status_code in {200, 429}
        slowest = max(slowest, time.monotonic() - begun)
    took = until(lambda: reaches(app, fleet.master), TIMEOUT_SECONDS)
    before.thaw()

    assert slowest < 0.5
    assert took < FOLLOW_SECONDS
    time.sleep(1)
    assert reaches(app, fleet.master)


def test_one_sentinel_that_answers_is_enough(make_app: AppFactory, fleet: Fleet) -> None:
    fleet.sentinels[0].freeze()
    fleet.sentinels[1].stop()

    app = make_app(redis_url=fleet.url, redis_timeout=0.2)

    with app.app_context():
        assert until(lambda: redis_status().state == "healthy", TIMEOUT_SECONDS) < FOLLOW_SECONDS
    assert reaches(app, fleet.master)


def test_a_master_that_works_is_kept_while_no_sentinel_answers(
    make_app: AppFactory, fleet: Fleet
) -> None:
    app = make_app(redis_url=fleet.url, redis_timeout=0.2, redis_probe_interval=0.1)
    master = fleet.master
    assert reaches(app, master)

    for sentinel in fleet.sentinels:
        sentinel.freeze()
    time.sleep(1.5)

    assert reaches(app, master)
    with app.app_context():
        assert redis_status().trips == 0

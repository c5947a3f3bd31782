"""Redis holds hints only: the app serves without it, notices once, and takes it back by itself."""

import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from typing import Any

import pytest
import requests
from flask import Flask

from tests.conftest import ADMIN_KEY, AppFactory
from tests.faults.load import address
from tests.support.api import Admin, Polls
from tests.support.daemon import free_port
from tests.support.redis_server import RedisServer
from tests.support.redis_server import client as redis_connection
from tests.support.served import WORKERS, ServedApp, served
from tests.support.servers import redis_server
from tests.support.stopwatch import timed

pytestmark = pytest.mark.timing

CROWD = 30
HEAL_SECONDS = 3
REDIS_TIMEOUT = 0.5  # well above what a busy machine takes without any fault

Settings = dict[str, Any]


@pytest.fixture(scope="module")
def redis() -> Iterator[RedisServer]:
    with redis_server(private=True) as server:
        yield server


@pytest.fixture(scope="module")
def settings(settings_of_tests: Settings, redis: RedisServer) -> Settings:
    """Let each request ask Redis at once: so small a limit is not counted in the background."""
    return settings_of_tests | {
        "redis_url": redis.url,
        "redis_timeout": REDIS_TIMEOUT,
        "global_rate_limit": "40 per day",
        "trusted_proxies": 1,
    }


@pytest.fixture(scope="module")
def shared_server(app: Flask, settings: Settings) -> Iterator[ServedApp]:
    with served(**settings) as server:
        yield server


@pytest.fixture
def server(shared_server: ServedApp, redis: RedisServer) -> Iterator[ServedApp]:
    """Serve with a Redis that works, at the beginning of the test and after it."""
    healed(shared_server)
    yield shared_server
    redis.thaw()
    redis.start()
    healed(shared_server)


@pytest.fixture
def polls(make_app: AppFactory, redis: RedisServer) -> Polls:
    """Prepare polls by an app in this process that shares the server's Redis."""
    with closing(redis_connection(redis.url)) as connection:
        connection.flushdb()
    app = make_app(redis_url=redis.url)
    return Polls(app, Admin(app.test_client(use_cookies=False), ADMIN_KEY))


def redis_states(server: ServedApp) -> set[str]:
    """Return what /readyz says of Redis, asked often enough to hear every worker."""
    answers = [server.get("/readyz") for _ in range(8)]
    assert {answer.status_code for answer in answers} == {200}
    return {answer.json()["components"]["redis"] for answer in answers}


def healed(server: ServedApp) -> float:
    """Wait until all workers have Redis again; return how long that took."""
    begun = time.monotonic()
    while redis_states(server) != {"healthy"}:
        assert time.monotonic() < begun + HEAL_SECONDS, "Redis is back, but not for us"
    return time.monotonic() - begun


def read(server: ServedApp) -> requests.Response:
    """Read today's polls as a client who was never there before."""
    return server.get("/polls/today", headers={"X-Forwarded-For": address()})


def away(server: ServedApp, start: int) -> Counter[int]:
    """Return how often each worker says that Redis is away; all notice it within a second."""
    time.sleep(1)
    return Counter(line["process"] for line in server.logged("redis is away", start))


def vote(server: ServedApp, poll: dict[str, Any], cookie: str = "") -> requests.Response:
    body = {"rankedChoices": [poll["options"][0]["optionId"]]}
    return server.post(f"/polls/{poll['pollId']}/vote", json=body, headers={"Cookie": cookie})


def assert_serves(server: ServedApp, poll: dict[str, Any], key: str) -> None:
    """Read, vote, vote again and administer."""
    today = read(server)
    first = vote(server, poll)
    cookie = first.headers["Set-Cookie"].partition(";")[0]  # Secure: not kept over HTTP
    second = vote(server, poll, cookie)
    category = {"key": key, "name": "Written without Redis"}
    written = server.post("/admin/categories", json=category, headers={"x-admin-key": ADMIN_KEY})

    assert today.status_code == 200
    assert first.status_code == 200
    assert second.status_code == 409
    assert written.status_code == 200


class TestStopped:
    def test_all_goes_on_and_each_worker_says_once_that_it_is_away(
        self, server: ServedApp, polls: Polls, redis: RedisServer
    ) -> None:
        poll = polls.open()
        workers = server.workers()
        before = len(server.log())
        redis.stop()

        for number in range(4):
            assert_serves(server, poll, f"stopped-{number}")

        assert away(server, before) == dict.fromkeys(workers, 1)
        warnings = {line["message"] for line in server.log()[before:] if line["level"] != "INFO"}
        assert warnings == {"redis is away"}
        assert redis_states(server) == {"unhealthy"}

    def test_it_is_noticed_though_nobody_comes(self, server: ServedApp, redis: RedisServer) -> None:
        workers = server.workers(lambda: read(server))
        before = len(server.log())

        redis.stop()

        assert away(server, before) == dict.fromkeys(workers, 1)
        assert redis_states(server) == {"unhealthy"}

    def test_started_again_it_is_used_again_by_the_same_workers(
        self, server: ServedApp, redis: RedisServer
    ) -> None:
        workers = server.workers(lambda: read(server))
        before = len(server.log())
        redis.stop()
        assert away(server, before) == dict.fromkeys(workers, 1)

        redis.start()
        healed(server)

        statuses = Counter(server.get("/").status_code for _ in range(60))
        assert statuses == {200: 40, 429: 20}
        assert server.workers() == workers
        back = Counter(line["process"] for line in server.logged("redis is back", before))
        assert back == dict.fromkeys(workers, 1)


class TestFrozen:
    def test_each_worker_waits_once_and_never_again(
        self, server: ServedApp, polls: Polls, redis: RedisServer
    ) -> None:
        polls.open()
        server.workers()
        redis.freeze()

        seconds = [timed(lambda: read(server)) for _ in range(40)]

        assert len([taken for taken in seconds if taken >= REDIS_TIMEOUT]) <= WORKERS
        assert max(seconds) < 2 * REDIS_TIMEOUT
        assert redis_states(server) == {"unhealthy"}

        redis.thaw()
        healed(server)

    def test_crowd_that_waits_for_it_waits_once_and_is_one_line_in_the_log(
        self, server: ServedApp, polls: Polls, redis: RedisServer
    ) -> None:
        polls.open()
        workers = server.workers()
        before = len(server.log())
        redis.freeze()

        with ThreadPoolExecutor(CROWD) as pool:
            begun = time.monotonic()
            crowd = list(pool.map(lambda _: read(server), range(CROWD)))

        assert {answer.status_code for answer in crowd} == {200}
        assert time.monotonic() - begun < 4 * REDIS_TIMEOUT
        assert away(server, before) == dict.fromkeys(workers, 1)


def test_app_boots_and_serves_though_redis_was_never_there(
    settings: Settings, make_app: AppFactory
) -> None:
    with_none = make_app(redis_url="")
    poll = Polls(with_none, Admin(with_none.test_client(use_cookies=False), ADMIN_KEY)).open()

    with served(**settings | {"redis_url": f"redis://127.0.0.1:{free_port()}/0"}) as server:
        assert_serves(server, poll, "never-there")
        assert redis_states(server) == {"unhealthy"}

"""Redis holds hints only: the app serves without it, notices once, and takes it back by itself."""

import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from typing import Any

import pytest
import requests
from flask import Flask
from sqlalchemy import delete

from allthing.database import db
from allthing.models import VoteBallot
from allthing.redis_client import (
    safe_redis_count,
    safe_redis_delete,
    safe_redis_expire,
    safe_redis_get,
    safe_redis_get_many,
    safe_redis_incr,
    safe_redis_set,
)
from tests.api import Admin, Polls
from tests.conftest import ADMIN_KEY, AppFactory
from tests.daemon import free_port
from tests.redis_server import RedisServer
from tests.redis_server import client as redis_connection
from tests.served import WORKERS, ServedApp, served
from tests.servers import redis_server

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
    return settings_of_tests | {"redis_url": redis.url, "redis_timeout": REDIS_TIMEOUT}


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


@pytest.fixture
def nowhere() -> str:
    return f"redis://127.0.0.1:{free_port()}/0"


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


def vote(server: ServedApp, poll: dict[str, Any], cookie: str = "") -> requests.Response:
    body = {"rankedChoices": [poll["options"][0]["optionId"]]}
    return server.post(f"/polls/{poll['pollId']}/vote", json=body, headers={"Cookie": cookie})


def assert_serves(server: ServedApp, poll: dict[str, Any], key: str) -> None:
    """Read, vote, vote again and administer."""
    today = server.get("/polls/today")
    first = vote(server, poll)
    cookie = first.headers["Set-Cookie"].partition(";")[0]  # Secure: not kept over HTTP
    second = vote(server, poll, cookie)
    category = {"key": key, "name": "Written without Redis"}
    written = server.post("/admin/categories", json=category, headers={"x-admin-key": ADMIN_KEY})

    assert (today.status_code, today.json()["cached"]) == (200, False)
    assert first.status_code == 200
    assert second.status_code == 409
    assert written.status_code == 200


class TestStopped:
    def test_all_goes_on_and_each_worker_says_once_that_it_is_away(
        self, server: ServedApp, polls: Polls, redis: RedisServer
    ) -> None:
        poll = polls.open()
        server.workers("/polls/today")
        before = len(server.log())
        redis.stop()

        for number in range(4):
            assert_serves(server, poll, f"stopped-{number}")
        workers = server.workers("/polls/today")

        warnings = [line for line in server.log()[before:] if line["level"] != "INFO"]
        assert {line["message"] for line in warnings} == {"redis is away"}
        assert Counter(line["process"] for line in warnings) == dict.fromkeys(workers, 1)
        assert redis_states(server) == {"unhealthy"}

    def test_started_again_it_is_used_again_by_the_same_workers(
        self, server: ServedApp, polls: Polls, redis: RedisServer
    ) -> None:
        polls.open()
        redis.stop()
        workers = server.workers("/polls/today")
        before = len(server.log())

        redis.start()
        healed(server)
        cached = [server.get("/polls/today").json()["cached"] for _ in range(6)]

        assert cached == [False] + [True] * 5
        assert server.workers() == workers
        back = Counter(line["process"] for line in server.logged("redis is back", before))
        assert back == dict.fromkeys(workers, 1)


class TestFrozen:
    def test_each_worker_waits_once_and_never_again(
        self, server: ServedApp, polls: Polls, redis: RedisServer
    ) -> None:
        """A connection may be there or have to be made: at most two waits make one slow request."""
        polls.open()
        server.workers("/polls/today")
        redis.freeze()

        seconds = [timed(lambda: server.get("/polls/today")) for _ in range(40)]

        slow = [taken for taken in seconds if taken >= REDIS_TIMEOUT]
        assert 1 <= len(slow) <= WORKERS
        assert max(seconds) < 3 * REDIS_TIMEOUT
        assert redis_states(server) == {"unhealthy"}

        redis.thaw()
        healed(server)

    def test_crowd_that_waits_for_it_waits_once_and_is_one_line_in_the_log(
        self, server: ServedApp, polls: Polls, redis: RedisServer
    ) -> None:
        polls.open()
        workers = server.workers("/polls/today")
        before = len(server.log())
        redis.freeze()

        with ThreadPoolExecutor(CROWD) as pool:
            begun = time.monotonic()
            crowd = list(pool.map(server.get, ["/polls/today"] * CROWD))

        assert {answer.status_code for answer in crowd} == {200}
        assert time.monotonic() - begun < 4 * REDIS_TIMEOUT
        away = Counter(line["process"] for line in server.logged("redis is away", before))
        assert away == dict.fromkeys(workers, 1)


@pytest.mark.usefixtures("app")
class TestAbsent:
    def test_app_boots_and_serves_though_redis_was_never_there(
        self, settings: Settings, nowhere: str, make_app: AppFactory
    ) -> None:
        with_none = make_app(redis_url="")
        poll = Polls(with_none, Admin(with_none.test_client(use_cookies=False), ADMIN_KEY)).open()

        with served(**settings | {"redis_url": nowhere}) as server:
            server.workers("/polls/today")
            assert_serves(server, poll, "never-there")
            assert redis_states(server) == {"unhealthy"}

    def test_app_without_a_url_caches_nothing_and_says_so(self, make_app: AppFactory) -> None:
        client = make_app(redis_url="").test_client()

        cached = [client.get("/polls/today").json["cached"] for _ in range(3)]

        assert cached == [False] * 3
        ready = client.get("/readyz").json
        assert (ready["ok"], ready["status"]) == (True, "healthy")
        assert ready["components"]["redis"] == "disabled"

    @pytest.mark.parametrize("configured", [True, False], ids=["out of reach", "not configured"])
    def test_safe_functions_answer_no_and_never_raise(
        self, make_app: AppFactory, nowhere: str, configured: bool
    ) -> None:
        calls: list[tuple[Callable[[], object], object]] = [
            (lambda: safe_redis_get("key"), None),
            (lambda: safe_redis_get_many(["key", "other"]), [None, None]),
            (lambda: safe_redis_set("key", "value", 10), False),
            (lambda: safe_redis_delete("key"), False),
            (lambda: safe_redis_incr("key"), None),
            (lambda: safe_redis_expire("key", 10), False),
            (lambda: safe_redis_count("key", 10), None),
        ]

        for call, answer in calls:
            with make_app(redis_url=nowhere if configured else "").app_context():
                assert call() == answer


class TestSpoiledHints:
    """Redis is there, but what is in it is wrong."""

    @pytest.mark.parametrize(
        "garbage",
        [b"", b"null", b"[]", b"{}", b'{"value":1}', b"not JSON", b"\xff\xfe\x00", "a list"],
    )
    def test_garbage_in_the_cache_is_a_miss(
        self, polls: Polls, redis: RedisServer, garbage: bytes | str
    ) -> None:
        client = polls.app.test_client()
        polls.open()
        fresh = client.get("/polls/today").json["data"]
        with closing(redis_connection(redis.url)) as connection:
            for key in connection.scan_iter("allthing:cache:*"):
                connection.delete(key)
                if isinstance(garbage, bytes):
                    connection.set(key, garbage)
                else:
                    connection.rpush(key, garbage)

        answer = client.get("/polls/today")

        assert (answer.status_code, answer.json["cached"]) == (200, False)
        assert answer.json["data"] == fresh
        assert client.get("/readyz").json["components"]["redis"] == "healthy"

    @pytest.mark.parametrize("garbage", ["text", "a list"])
    def test_garbage_under_a_counter_does_not_shut_redis_out(
        self, polls: Polls, redis: RedisServer, garbage: str
    ) -> None:
        with closing(redis_connection(redis.url)) as connection:
            connection.delete("counter")
            if garbage == "text":
                connection.set("counter", garbage)
            else:
                connection.rpush("counter", garbage)

        with polls.app.app_context():
            assert safe_redis_incr("counter") is None
            assert safe_redis_count("counter", 10) is None
            assert safe_redis_set("other", "value", 10)

    def test_flag_of_a_vote_without_a_ballot_refuses_nobody(
        self, polls: Polls, redis: RedisServer
    ) -> None:
        poll = polls.open()
        voter = polls.app.test_client()
        assert polls.vote(poll, "Pea", voter=voter).status_code == 200
        with closing(redis_connection(redis.url)) as connection:
            assert list(connection.scan_iter("allthing:voted:*"))
        with polls.app.app_context():
            db.session.execute(delete(VoteBallot))
            db.session.commit()

        assert polls.vote(poll, "Pea", voter=voter).status_code == 200


def timed(action: Callable[[], object]) -> float:
    begun = time.monotonic()
    action()
    return time.monotonic() - begun

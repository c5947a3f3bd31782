"""Redis holds hints only: the app serves without it, notices once, and takes it back by itself."""

import os
import socket
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from itertools import count
from typing import Any

import pytest
import requests
from flask import Flask

from allthing.redis_client import (
    Increment,
    redis_status,
    safe_redis_add,
    safe_redis_delete,
    safe_redis_expire,
    safe_redis_get,
    safe_redis_incr,
    safe_redis_set,
    safe_redis_swap,
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
CLIENTS = count(1)
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


def read(server: ServedApp) -> requests.Response:
    """Read today's polls as a client who was never there before."""
    return server.get("/polls/today", headers={"X-Forwarded-For": f"10.0.0.{next(CLIENTS)}"})


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
        before = len(server.log())

        redis.stop()

        assert set(away(server, before).values()) == {1}
        assert redis_states(server) == {"unhealthy"}

    def test_started_again_it_is_used_again_by_the_same_workers(
        self, server: ServedApp, redis: RedisServer
    ) -> None:
        workers = server.workers()
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


@pytest.mark.usefixtures("app")
class TestAbsent:
    def test_app_boots_and_serves_though_redis_was_never_there(
        self, settings: Settings, nowhere: str, make_app: AppFactory
    ) -> None:
        with_none = make_app(redis_url="")
        poll = Polls(with_none, Admin(with_none.test_client(use_cookies=False), ADMIN_KEY)).open()

        with served(**settings | {"redis_url": nowhere}) as server:
            assert_serves(server, poll, "never-there")
            assert redis_states(server) == {"unhealthy"}

    def test_app_without_a_url_says_so(self, make_app: AppFactory) -> None:
        ready = make_app(redis_url="").test_client().get("/readyz").json

        assert (ready["ok"], ready["status"]) == (True, "healthy")
        assert ready["components"]["redis"] == "disabled"

    @pytest.mark.parametrize("configured", [True, False], ids=["out of reach", "not configured"])
    def test_safe_functions_answer_no_and_never_raise(
        self, make_app: AppFactory, nowhere: str, configured: bool
    ) -> None:
        calls: list[tuple[Callable[[], object], object]] = [
            (lambda: safe_redis_get("key"), None),
            (lambda: safe_redis_swap("key", [1], {}, 10), None),
            (lambda: safe_redis_set("key", "value", 10), False),
            (lambda: safe_redis_delete("key"), False),
            (lambda: safe_redis_incr("key"), None),
            (lambda: safe_redis_expire("key", 10), False),
            (lambda: safe_redis_add([Increment("key", 1, 10)] * 2), [None, None]),
        ]

        for call, answer in calls:
            with make_app(redis_url=nowhere if configured else "").app_context():
                assert call() == answer

    def test_nobody_waits_for_a_name_to_be_resolved(
        self, make_app: AppFactory, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The resolver of the system takes as long as it likes, and no timeout of ours ends it."""
        resolve = socket.getaddrinfo

        def slowly(host: str, *arguments: object, **named: object) -> object:
            if host != "redis.example":
                return resolve(host, *arguments, **named)
            time.sleep(2)
            raise socket.gaierror("nobody knows")

        monkeypatch.setattr(socket, "getaddrinfo", slowly)
        client = make_app(redis_url="redis://redis.example", redis_timeout=0.1).test_client()

        first, *later = [timed(lambda: client.get("/")) for _ in range(5)]

        assert first < 1
        assert max(later) < 0.1
        assert client.get("/readyz").json["components"]["redis"] == "unhealthy"


class TestRefusing:
    """Redis is there and answers what is read, but takes nothing: it stays away, without a flap."""

    @pytest.mark.parametrize(
        "settings",
        [
            {"maxmemory": "1"},
            {"replicaof": "127.0.0.1 1"},
            {"min_replicas_to_write": "1"},
            {"cluster_enabled": "yes"},
        ],
        ids=["full", "a replica", "short of replicas", "a cluster's"],
    )
    def test_it_is_away_and_does_not_come_back(
        self,
        make_app: AppFactory,
        caplog: pytest.LogCaptureFixture,
        settings: dict[str, str],
    ) -> None:
        with redis_server(private=True, **settings) as server:
            app = make_app(
                redis_url=server.url, redis_probe_interval=0.05, global_rate_limit="40 per day"
            )
            client = app.test_client()

            until = time.monotonic() + 1.5
            while time.monotonic() < until:
                assert client.get("/healthz").status_code == 200
                assert client.get("/").status_code in {200, 429}
                time.sleep(0.02)

            assert client.get("/readyz").json["components"]["redis"] == "unhealthy"
        assert said(caplog) == ["redis is away"]

    def test_a_node_that_serves_only_some_keys_does_not_flap(
        self, make_app: AppFactory, caplog: pytest.LogCaptureFixture
    ) -> None:
        options = {"cluster_enabled": "yes", "cluster_require_full_coverage": "no"}
        with redis_server(private=True, **options) as server:
            with closing(redis_connection(server.url)) as connection:
                connection.execute_command("CLUSTER", "ADDSLOTS", *range(8192))
                while b"cluster_state:ok" not in connection.execute_command("CLUSTER", "INFO"):
                    time.sleep(0.05)
            app = make_app(redis_url=server.url, redis_probe_interval=0.05)
            with app.app_context():
                for key in range(200):
                    safe_redis_set(f"key-{key}", "value", 10)
                    time.sleep(0.005)

        assert said(caplog) == ["redis is away"]

    def test_one_that_becomes_a_replica_is_left_at_once(
        self, make_app: AppFactory, caplog: pytest.LogCaptureFixture
    ) -> None:
        with redis_server(private=True) as server:
            app = make_app(redis_url=server.url, redis_probe_interval=0.1)
            with closing(redis_connection(server.url)) as connection, app.app_context():
                assert safe_redis_set("key", "value", 10)

                connection.execute_command("REPLICAOF", "127.0.0.1", "1")
                time.sleep(1)
                assert not safe_redis_set("key", "value", 10)
                assert safe_redis_get("key") is None
                assert said(caplog) == ["redis is away"]

                connection.execute_command("REPLICAOF", "NO", "ONE")
                time.sleep(1)
                assert safe_redis_set("key", "value", 10)
                assert said(caplog) == ["redis is away", "redis is back"]


class TestHealthy:
    """What is no fault of Redis does not shut it out."""

    @pytest.mark.parametrize("garbage", ["text", "a list"])
    def test_garbage_under_a_counter(
        self, make_app: AppFactory, redis_url: str, garbage: str
    ) -> None:
        with closing(redis_connection(redis_url)) as connection:
            if garbage == "text":
                connection.set("counter", garbage)
            else:
                connection.rpush("counter", garbage)

        with make_app().app_context():
            assert safe_redis_incr("counter") is None
            both = [Increment("counter", 1, 10), Increment("another", 2, 10)]
            assert safe_redis_add(both) == [None, 2]
            assert safe_redis_set("other", "value", 10)

    def test_more_threads_than_connections(
        self, make_app: AppFactory, redis_url: str, caplog: pytest.LogCaptureFixture
    ) -> None:
        app = make_app(redis_url=f"{redis_url}?max_connections=1")

        def use(_: int) -> None:
            with app.app_context():
                safe_redis_set("key", "value", 10)

        with ThreadPoolExecutor(CROWD) as pool:
            list(pool.map(use, range(1000)))

        assert said(caplog) == []
        assert app.test_client().get("/readyz").json["components"]["redis"] == "healthy"

    def test_a_name_is_resolved(self, make_app: AppFactory, redis_url: str) -> None:
        with make_app(redis_url=redis_url.replace("127.0.0.1", "localhost")).app_context():
            assert safe_redis_set("key", "value", 10)

    def test_a_forked_process_has_its_own_way_to_it(self, make_app: AppFactory) -> None:
        app = make_app()
        with app.app_context():
            assert safe_redis_set("key", "of the parent", 10)
            child = os.fork()
            if child == 0:
                os._exit(0 if child_can(lambda: safe_redis_set("key", "of the child", 10)) else 1)
            assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
            assert safe_redis_get("key") == "of the child"


def test_its_state_can_be_read(make_app: AppFactory) -> None:
    with redis_server(private=True) as server:
        app = make_app(redis_url=server.url, redis_probe_interval=0.05)
        with app.app_context():
            begun = redis_status()
            server.stop()
            time.sleep(0.5)
            lost = redis_status()
            server.start()
            time.sleep(1)
            found = redis_status()

    assert (begun.state, begun.trips, begun.error) == ("healthy", 0, None)
    assert (lost.state, lost.trips) == ("unhealthy", 1)
    assert "ConnectionError" in str(lost.error)
    assert 0 < lost.seconds < 0.6
    assert (found.state, found.trips) == ("healthy", 1)


def child_can(action: Callable[[], object]) -> bool:
    try:
        return bool(action())
    except BaseException:  # noqa: BLE001  # whatever it is, the child has to end here
        return False


def said(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [line.getMessage() for line in caplog.records if "redis is" in line.getMessage()]


def timed(action: Callable[[], object]) -> float:
    begun = time.monotonic()
    action()
    return time.monotonic() - begun

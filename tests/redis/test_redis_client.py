"""The Redis client in one process: what opens the circuit breaker, and what does not."""

import os
import socket
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing

import pytest
from redis import Redis

from allthing.redis_client import (
    call,
    redis_status,
    safe_redis_delete,
    safe_redis_expire,
    safe_redis_get,
    safe_redis_hincrby,
    safe_redis_incr,
    safe_redis_set,
    safe_redis_swap,
)
from tests.conftest import AppFactory
from tests.support.daemon import free_port
from tests.support.redis_server import client as redis_connection
from tests.support.servers import redis_server
from tests.support.stopwatch import timed

CROWD = 30

# The five functions, called as the guide of those who build on this backend calls them.
GUIDE = """
safe_redis_set("key", "value", ex=60)
safe_redis_get("key")
safe_redis_incr("counter")
safe_redis_expire("counter", 60)
safe_redis_delete("key")
"""
SAFE_FUNCTIONS = {
    function.__name__: function
    for function in (
        safe_redis_set,
        safe_redis_get,
        safe_redis_incr,
        safe_redis_expire,
        safe_redis_delete,
    )
}


def test_they_are_called_as_the_guide_says(make_app: AppFactory, redis_url: str) -> None:
    with make_app().app_context(), redis_connection(redis_url) as redis:
        answers = [eval(line, SAFE_FUNCTIONS.copy()) for line in GUIDE.strip().splitlines()]

        assert answers == [True, "value", 1, True, True]
        assert redis.get("key") is None
        assert 0 < redis.ttl("counter") <= 60


class TestAbsent:
    def test_app_without_a_url_says_so(self, make_app: AppFactory) -> None:
        ready = make_app(redis_url="").test_client().get("/readyz").json

        assert (ready["ok"], ready["status"]) == (True, "healthy")
        assert ready["components"]["redis"] == "disabled"

    @pytest.mark.parametrize("configured", [True, False], ids=["out of reach", "not configured"])
    def test_safe_functions_answer_no_and_never_raise(
        self, make_app: AppFactory, configured: bool
    ) -> None:
        redis_url = f"redis://127.0.0.1:{free_port()}/0" if configured else ""
        uses: list[tuple[Callable[[], object], object]] = [
            (lambda: safe_redis_get("key"), None),
            (lambda: safe_redis_swap("key", [1], {}, 10), None),
            (lambda: safe_redis_set("key", "value", ex=10), False),
            (lambda: safe_redis_delete("key"), False),
            (lambda: safe_redis_incr("key"), None),
            (lambda: safe_redis_expire("key", 10), False),
            (lambda: safe_redis_hincrby("key", {"a": 1, "b": 1}, ex=10), [None, None]),
        ]

        for use, answer in uses:
            with make_app(redis_url=redis_url).app_context():
                assert use() == answer

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
                    safe_redis_set(f"key-{key}", "value", ex=10)
                    time.sleep(0.005)

        assert said(caplog) == ["redis is away"]

    def test_one_that_becomes_a_replica_is_left_at_once(
        self, make_app: AppFactory, caplog: pytest.LogCaptureFixture
    ) -> None:
        with redis_server(private=True) as server:
            app = make_app(redis_url=server.url, redis_probe_interval=0.1)
            with closing(redis_connection(server.url)) as connection, app.app_context():
                assert safe_redis_set("key", "value", ex=10)

                connection.execute_command("REPLICAOF", "127.0.0.1", "1")
                time.sleep(1)
                assert not safe_redis_set("key", "value", ex=10)
                assert safe_redis_get("key") is None
                assert said(caplog) == ["redis is away"]

                connection.execute_command("REPLICAOF", "NO", "ONE")
                time.sleep(1)
                assert safe_redis_set("key", "value", ex=10)
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
            assert safe_redis_hincrby("counter", {"a": 1, "b": 2}, ex=10) == [None, None]
            assert safe_redis_set("other", "value", ex=10)

    def test_garbage_in_one_counter_of_a_hash(self, make_app: AppFactory, redis_url: str) -> None:
        with closing(redis_connection(redis_url)) as connection:
            connection.hset("counters", "spoiled", "text")

        with make_app().app_context():
            added = safe_redis_hincrby("counters", {"spoiled": 1, "well": 2}, ex=10)

            assert added == [None, 2]
            assert redis_status().state == "healthy"

    def test_more_threads_than_connections(
        self, make_app: AppFactory, redis_url: str, caplog: pytest.LogCaptureFixture
    ) -> None:
        app = make_app(redis_url=f"{redis_url}?max_connections=1")

        def use(_: int) -> None:
            with app.app_context():
                safe_redis_set("key", "value", ex=10)

        with ThreadPoolExecutor(CROWD) as pool:
            list(pool.map(use, range(1000)))

        assert said(caplog) == []
        assert app.test_client().get("/readyz").json["components"]["redis"] == "healthy"

    @pytest.mark.parametrize("is_connected", [True, False], ids=["connected", "not connected"])
    def test_thread_that_is_late_by_itself(
        self, make_app: AppFactory, caplog: pytest.LogCaptureFixture, is_connected: bool
    ) -> None:
        def lose_time(client: Redis) -> object:
            if not is_connected:
                client.connection_pool.disconnect()
            time.sleep(0.4)
            return client.get("key")

        with make_app(redis_timeout=0.2).app_context():
            assert safe_redis_set("key", "value", ex=10)
            assert call(lose_time) is None
            assert safe_redis_get("key") == "value"

        assert said(caplog) == []

    def test_a_name_is_resolved(self, make_app: AppFactory, redis_url: str) -> None:
        with make_app(redis_url=redis_url.replace("127.0.0.1", "localhost")).app_context():
            assert safe_redis_set("key", "value", ex=10)

    def test_a_forked_process_has_its_own_way_to_it(self, make_app: AppFactory) -> None:
        app = make_app()
        with app.app_context():
            assert safe_redis_set("key", "of the parent", ex=10)
            child = os.fork()
            if child == 0:
                os._exit(
                    0 if child_can(lambda: safe_redis_set("key", "of the child", ex=10)) else 1
                )
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

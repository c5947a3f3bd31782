"""Rate limits of several processes: counted together on Redis, by each alone without one."""

import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from typing import Any

import pytest
from flask import Flask

from tests.conftest import AppFactory
from tests.support.api import ask
from tests.support.redis_server import client as redis_connection
from tests.support.served import WORKERS, ServedApp, served
from tests.support.servers import redis_server
from tests.support.stopwatch import until

HEAL_SECONDS = 3
TICKS = 0.5  # some ticks of the exchange, on a busy machine

Settings = dict[str, Any]


def has_redis(app: Flask) -> bool:
    return app.test_client().get("/readyz").json["components"]["redis"] == "healthy"


def crowd_of(server: ServedApp, number: int) -> Counter[int]:
    """Ask this often, some at a time, each on a connection of its own; count the statuses."""
    with ThreadPoolExecutor(8) as pool:
        return Counter(answer.status_code for answer in pool.map(server.get, ["/"] * number))


class TestProcesses:
    """Apps of one process stand for processes: they share nothing but Redis."""

    def test_they_count_together_on_redis(self, make_app: AppFactory) -> None:
        apps = [make_app(global_rate_limit="100 per day") for _ in range(3)]

        statuses = Counter(ask(app, "/", 1)[0] for _ in range(50) for app in apps)

        assert statuses == {200: 100, 429: 50}

    def test_few_requests_of_many_are_known_to_all_soon(self, make_app: AppFactory) -> None:
        """Far from the limit nobody asks Redis; it is told in the background."""
        apps = [make_app(global_rate_limit="400 per day") for _ in range(2)]
        assert set(ask(apps[0], "/", 150)) == {200}
        time.sleep(TICKS)

        statuses = Counter(ask(apps[1], "/", 300))

        assert statuses == {200: 250, 429: 50}

    def test_what_one_has_refused_no_other_lets_through(self, make_app: AppFactory) -> None:
        apps = [make_app(global_rate_limit="100 per day") for _ in range(3)]
        assert Counter(ask(apps[0], "/", 110)) == {200: 100, 429: 10}

        assert [ask(app, "/", 3) for app in apps[1:]] == [[429] * 3] * 2

    def test_a_client_beyond_its_limit_costs_redis_nothing(
        self, make_app: AppFactory, redis_url: str
    ) -> None:
        app = make_app(global_rate_limit="5 per day", redis_probe_interval=60)
        ask(app, "/", 6)
        time.sleep(TICKS)
        with closing(redis_connection(redis_url)) as redis:
            before = redis.info("stats")["total_commands_processed"]
            assert set(ask(app, "/", 50)) == {429}
            # Each tick of a process asks for what others have changed; one of those is this.
            assert redis.info("stats")["total_commands_processed"] - before < 25

    def test_without_redis_each_counts_by_itself(self, make_app: AppFactory) -> None:
        apps = [make_app(global_rate_limit="10 per day", redis_url="") for _ in range(2)]

        assert [Counter(ask(app, "/", 15)) for app in apps] == [{200: 10, 429: 5}] * 2

    def test_what_they_counted_without_redis_counts_when_it_is_back(
        self, make_app: AppFactory
    ) -> None:
        with redis_server(private=True) as server:
            apps = [
                make_app(
                    global_rate_limit="100 per day", redis_url=server.url, redis_probe_interval=0.1
                )
                for _ in range(2)
            ]
            assert [set(ask(app, "/", 10)) for app in apps] == [{200}] * 2
            server.stop()
            assert [set(ask(app, "/", 30)) for app in apps] == [{200}] * 2
            server.start()
            until(lambda: all(map(has_redis, apps)), HEAL_SECONDS)
            time.sleep(TICKS)

            # It forgot the first 20, and may not know what was on its way when it stopped.
            statuses = Counter(ask(apps[0], "/", 80))

            assert 100 - 80 <= statuses[200] <= 100 - 50

    def test_a_frozen_redis_counts_nothing_twice(self, make_app: AppFactory) -> None:
        """Thawed, it does what it was asked to, though nobody waits for the answer any more.

        It was asked once, and that may not have reached it: then it counts one too few.
        """
        with redis_server(private=True) as server:
            app = make_app(
                global_rate_limit="40 per day",
                redis_url=server.url,
                redis_timeout=0.1,
                redis_probe_interval=0.1,
            )
            begun = ask(app, "/", 15)
            server.freeze()
            frozen = ask(app, "/", 10)
            server.thaw()
            until(lambda: has_redis(app), HEAL_SECONDS)
            other = make_app(global_rate_limit="40 per day", redis_url=server.url)
            thawed = ask(app, "/", 10)
            elsewhere = ask(other, "/", 10)

            counted = Counter(begun + frozen + thawed + elsewhere)

        assert 40 <= counted[200] <= 41


class TestServed:
    """With two workers under gunicorn."""

    def test_a_client_gets_exactly_its_limit(self, settings_of_tests: Settings) -> None:
        with served(**settings_of_tests | {"global_rate_limit": "60 per day"}) as server:
            server.workers()
            assert crowd_of(server, 100) == {200: 60, 429: 40}

    @pytest.mark.parametrize("how", ["not configured", "stopped", "frozen"])
    def test_without_redis_it_gets_at_most_that_of_each_worker(
        self, settings_of_tests: Settings, how: str
    ) -> None:
        with redis_server(private=True) as redis:
            limited: Settings = {
                "global_rate_limit": "20 per day",
                "redis_url": "" if how == "not configured" else redis.url,
                "redis_timeout": 0.2,
            }
            with served(**settings_of_tests | limited) as server:
                server.workers("/readyz")
                if how != "not configured":
                    {"stopped": redis.stop, "frozen": redis.freeze}[how]()
                statuses = crowd_of(server, 100)

        assert set(statuses) == {200, 429}
        assert 20 <= statuses[200] <= WORKERS * 20

"""Rate limits: per client, over all paths, with Redis, without one, and when it goes away."""

import gc
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from itertools import count
from typing import Any

import pytest
from flask import Flask
from limits import parse

from allthing.limits import MOST_CLIENTS, Count, Windows
from tests.api import Polls
from tests.conftest import AppFactory
from tests.redis_server import client as redis_connection
from tests.routes import ORIGIN, assert_refused, contents, requests, store
from tests.served import WORKERS, ServedApp, served
from tests.servers import redis_server

PAGE = {"Origin": ORIGIN}
ELSEWHERE = {"REMOTE_ADDR": "192.0.2.99"}
TICKS = 0.5  # some ticks of the exchange, on a busy machine
UNLIMITED = {"/healthz", "/readyz"}
DAY_SECONDS = 24 * 3600  # windows are the clock's: a minute could end in the middle of a test

Settings = dict[str, Any]


@pytest.fixture(params=["on Redis", "without Redis", "on a Redis that is stopped"])
def counted(request: pytest.FixtureRequest, make_app: AppFactory) -> Iterator[AppFactory]:
    """Make apps whose limits are counted in one of three places."""
    if request.param == "on Redis":
        yield make_app
    elif request.param == "without Redis":
        yield lambda **settings: make_app(redis_url="", **settings)
    else:
        with redis_server(private=True) as server:

            def make(**settings: object) -> Flask:
                app = make_app(redis_url=server.url, redis_probe_interval=60, **settings)
                app.test_client().get("/readyz")
                server.stop()
                return app

            yield make


def ask(app: Flask, path: str, times: int, **arguments: object) -> list[int]:
    """Ask this often as a page; return the status of each answer."""
    client = app.test_client(use_cookies=False)
    return [client.get(path, headers=PAGE, **arguments).status_code for _ in range(times)]


class TestGlobalLimit:
    def test_it_is_one_count_for_all_paths(self, counted: AppFactory) -> None:
        app = counted(global_rate_limit="12 per day")
        client = app.test_client()
        answers = [
            client.open(path, method=method, headers=PAGE)
            for method, path in (
                ("GET", "/"),
                ("GET", "/polls/today"),
                ("GET", "/polls?pollDate=tomorrow"),
                ("GET", "/polls/x/results"),
                ("POST", "/polls/x/vote"),
                ("GET", "/no-such-path"),
                ("GET", "/admin/categories"),
                ("POST", "/admin/no-such-path"),
                ("DELETE", "/polls/today"),
                ("HEAD", "/"),
            )
        ]

        assert 429 not in [answer.status_code for answer in answers]
        assert ask(app, "/", 4) == [200, 200, 429, 429]

    def test_beyond_it_every_route_refuses_but_health(
        self, app: Flask, polls: Polls, counted: AppFactory
    ) -> None:
        limited = counted(global_rate_limit="5 per day")
        walked = requests(limited, store(polls))
        ask(limited, "/", 6)
        before = contents(app)

        for request in walked:
            response = request.send(limited.test_client())
            if request.rule.rule in UNLIMITED:
                assert response.status_code == 200
            else:
                assert_refused(response, 429)
                assert 0 < int(response.headers["Retry-After"]) <= DAY_SECONDS
        assert_refused(limited.test_client().get("/no-such-path", headers=PAGE), 429)
        assert_refused(limited.test_client().delete("/polls/today", headers=PAGE), 429)

        assert contents(app) == before

    def test_it_counts_each_client_by_itself(self, counted: AppFactory) -> None:
        app = counted(global_rate_limit="2 per day")

        assert ask(app, "/", 4)[-1] == 429
        assert ask(app, "/", 1, environ_overrides=ELSEWHERE) == [200]

    def test_health_is_not_counted(self, counted: AppFactory) -> None:
        app = counted(global_rate_limit="2 per day")

        for path in UNLIMITED:
            assert set(ask(app, path, 10)) == {200}
        assert ask(app, "/", 1) == [200]

    def test_it_ends_when_retry_after_says(self, counted: AppFactory) -> None:
        app = counted(global_rate_limit="3 per 2 seconds")
        answers = [app.test_client().get("/", headers=PAGE) for _ in range(7)]
        assert answers[-1].status_code == 429

        time.sleep(int(answers[-1].headers["Retry-After"]))

        assert ask(app, "/", 1) == [200]

    def test_windows_are_those_of_the_clock(self, counted: AppFactory) -> None:
        client = counted(global_rate_limit="1 per day").test_client()
        client.get("/", headers=PAGE)

        refused = client.get("/", headers=PAGE)

        until_midnight = DAY_SECONDS - time.time() % DAY_SECONDS
        assert int(refused.headers["Retry-After"]) == pytest.approx(until_midnight, abs=2)

    def test_of_several_rates_each_is_kept(self, counted: AppFactory) -> None:
        app = counted(global_rate_limit="3 per 2 seconds; 5 per day")
        time.sleep(2 - time.time() % 2)

        assert ask(app, "/", 4) == [200] * 3 + [429]
        time.sleep(2 - time.time() % 2)
        assert ask(app, "/", 3) == [200] * 2 + [429]


class TestVoteLimit:
    def test_refused_votes_count_as_attempts(self, polls: Polls, counted: AppFactory) -> None:
        limited = Polls(counted(vote_rate_limit="3 per day"), polls.admin)
        poll = polls.open()
        other = polls.open(title="Best bread")

        assert limited.vote(poll, "no-such-option").status_code == 422
        assert limited.vote(poll, "Pea").status_code == 200
        assert limited.vote(other, "no-such-option").status_code == 422
        beyond = limited.vote(poll, "Pea")

        assert beyond.status_code == 429
        assert 0 < int(beyond.headers["Retry-After"]) <= DAY_SECONDS
        assert polls.results(poll)["totalVotes"] == 1

    def test_refused_votes_use_up_no_vote_of_the_address(
        self, polls: Polls, counted: AppFactory
    ) -> None:
        limited = Polls(counted(vote_rate_limit="10 per day", votes_per_ip=1), polls.admin)
        poll = polls.open()

        statuses = [limited.vote(poll, *labels).status_code for labels in (["x"], ["x"], ["Pea"])]

        assert statuses == [422, 422, 200]
        assert limited.vote(poll, "Leek").status_code == 409

    def test_reading_goes_on_beyond_it(self, polls: Polls, counted: AppFactory) -> None:
        app = counted(vote_rate_limit="1 per day")
        limited = Polls(app, polls.admin)
        poll = polls.open()

        assert [limited.vote(poll, "Pea").status_code for _ in range(2)] == [200, 429]
        assert limited.results(poll)["totalVotes"] == 1

    def test_it_counts_each_client_by_itself(self, polls: Polls, counted: AppFactory) -> None:
        app = counted(vote_rate_limit="1 per day")
        poll = polls.open()
        body = {"rankedChoices": [poll["options"][0]["optionId"]]}
        path = f"/polls/{poll['pollId']}/vote"

        statuses = [
            app.test_client().post(path, json=body, environ_overrides={"REMOTE_ADDR": peer})
            for peer in ("192.0.2.1", "192.0.2.1", "192.0.2.2")
        ]

        assert [answer.status_code for answer in statuses] == [200, 429, 200]


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
            wait_for_redis(*apps)
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
            wait_for_redis(app)
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


def test_a_spoiled_counter_does_not_switch_a_limit_off(
    make_app: AppFactory, redis_url: str
) -> None:
    app = make_app(global_rate_limit="3 per day")
    ask(app, "/", 1)
    with redis_connection(redis_url) as redis:
        spoiled = list(redis.scan_iter("allthing:limit:*"))
        for key in spoiled:
            redis.set(key, "junk", ex=60)

    assert spoiled
    assert ask(app, "/", 4) == [200, 200, 429, 429]
    assert app.test_client().get("/readyz").json["components"]["redis"] == "healthy"


def test_any_number_of_clients_takes_little_memory(make_app: AppFactory) -> None:
    clients = count()
    windows = Windows(parse("3 per day"), "test", lambda: str(next(clients)))

    with make_app(redis_url="").app_context():
        for _ in range(2 * MOST_CLIENTS + 1):
            windows.take()

    assert next(clients) == 2 * MOST_CLIENTS + 1
    assert sum(isinstance(found, Count) for found in gc.get_objects()) <= MOST_CLIENTS


def crowd_of(server: ServedApp, number: int) -> Counter[int]:
    """Ask this often, some at a time, each on a connection of its own; count the statuses."""
    with ThreadPoolExecutor(8) as pool:
        return Counter(answer.status_code for answer in pool.map(server.get, ["/"] * number))


def wait_for_redis(*apps: Flask) -> None:
    for app in apps:
        until = time.monotonic() + 3
        while app.test_client().get("/readyz").json["components"]["redis"] != "healthy":
            assert time.monotonic() < until, "Redis is back, but not for us"
            time.sleep(0.02)

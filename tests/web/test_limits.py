"""Rate limits: per client, over all paths, wherever they are counted."""

import time
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
import time_machine
from flask import Flask

from tests.conftest import AppFactory
from tests.support.api import ORIGIN, Polls, ask
from tests.support.routes import assert_refused, contents, requests, store
from tests.support.servers import redis_server

PAGE = {"Origin": ORIGIN}
ELSEWHERE = {"REMOTE_ADDR": "192.0.2.99"}
UNLIMITED = {"/healthz", "/readyz"}
DAY_SECONDS = 24 * 3600  # windows are the clock's: a minute could end in the middle of a test


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


class TestGlobalLimit:
    def test_it_is_one_count_for_all_paths_but_votes(self, counted: AppFactory) -> None:
        app = counted(global_rate_limit="11 per day")
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
        limited = counted(global_rate_limit="5 per day", vote_rate_limit="1 per day")
        walked = requests(limited, store(polls))
        ask(limited, "/", 6)
        limited.test_client().post("/polls/x/vote", headers=PAGE)
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
        while (answer := app.test_client().get("/", headers=PAGE)).status_code == 200:
            pass
        assert answer.status_code == 429

        time.sleep(int(answer.headers["Retry-After"]))

        assert ask(app, "/", 1) == [200]

    def test_windows_are_those_of_the_clock(self, counted: AppFactory) -> None:
        client = counted(global_rate_limit="1 per day").test_client()
        client.get("/", headers=PAGE)

        refused = client.get("/", headers=PAGE)

        until_midnight = DAY_SECONDS - time.time() % DAY_SECONDS
        assert int(refused.headers["Retry-After"]) == pytest.approx(until_midnight, abs=2)

    def test_retry_after_is_right_to_the_second(self, make_app: AppFactory) -> None:
        client = make_app(redis_url="", global_rate_limit="1 per minute").test_client()
        with time_machine.travel(datetime(2026, 6, 10, 12, 0, 50, tzinfo=UTC), tick=False):
            client.get("/", headers=PAGE)

            assert client.get("/", headers=PAGE).headers["Retry-After"] == "10"

    def test_of_several_rates_each_is_kept(self, counted: AppFactory) -> None:
        app = counted(global_rate_limit="3 per 2 seconds; 5 per day")
        time.sleep(2 - time.time() % 2)

        assert ask(app, "/", 4) == [200] * 3 + [429]
        time.sleep(2 - time.time() % 2)
        assert ask(app, "/", 3) == [200] * 2 + [429]


class TestVoteLimit:
    def test_votes_are_counted_apart_from_all_else(self, polls: Polls, counted: AppFactory) -> None:
        app = counted(global_rate_limit="3 per day", vote_rate_limit="2 per day")
        poll = polls.open()

        assert ask(app, "/", 4)[-1] == 429
        voted = [Polls(app, polls.admin).vote(poll, "Pea").status_code for _ in range(3)]

        assert voted == [200, 200, 429]

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

    def test_options_are_counted_with_all_else(self, polls: Polls, counted: AppFactory) -> None:
        app = counted(global_rate_limit="2 per day", vote_rate_limit="1 per day")
        poll = polls.open()
        path = f"/polls/{poll['pollId']}/vote"

        asked = [app.test_client().options(path).status_code for _ in range(3)]

        assert asked == [200, 200, 429]
        assert Polls(app, polls.admin).vote(poll, "Pea").status_code == 200

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

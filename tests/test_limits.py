"""Rate limits: per client, over all paths, with Redis, without one, and when it goes away."""

import time
from collections.abc import Iterator

import pytest
from flask import Flask

from tests.api import Admin, Polls
from tests.conftest import ADMIN_KEY, AppFactory
from tests.redis_server import client as redis_connection
from tests.routes import ORIGIN, assert_refused, contents, requests, store
from tests.servers import redis_server

PAGE = {"Origin": ORIGIN}
ELSEWHERE = {"REMOTE_ADDR": "192.0.2.99"}
UNLIMITED = {"/healthz", "/readyz"}


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
                app.test_client().get("/polls/today")
                server.stop()
                return app

            yield make


def ask(app: Flask, path: str, times: int, **arguments: object) -> list[int]:
    """Ask this often as a page; return the status of each answer."""
    client = app.test_client(use_cookies=False)
    return [client.get(path, headers=PAGE, **arguments).status_code for _ in range(times)]


class TestGlobalLimit:
    def test_it_is_one_count_for_all_paths(self, counted: AppFactory) -> None:
        app = counted(global_rate_limit="12 per minute")
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
        limited = counted(global_rate_limit="5 per minute")
        walked = requests(limited, store(polls))
        ask(limited, "/", 6)
        before = contents(app)

        for request in walked:
            response = request.send(limited.test_client())
            if request.rule.rule in UNLIMITED:
                assert response.status_code == 200
            else:
                assert_refused(response, 429)
                assert 0 < int(response.headers["Retry-After"]) <= 60
        assert_refused(limited.test_client().get("/no-such-path", headers=PAGE), 429)
        assert_refused(limited.test_client().delete("/polls/today", headers=PAGE), 429)

        assert contents(app) == before

    def test_it_counts_each_client_by_itself(self, counted: AppFactory) -> None:
        app = counted(global_rate_limit="2 per minute")

        assert ask(app, "/", 4)[-1] == 429
        assert ask(app, "/", 1, environ_overrides=ELSEWHERE) == [200]

    def test_health_is_not_counted(self, counted: AppFactory) -> None:
        app = counted(global_rate_limit="2 per minute")

        for path in UNLIMITED:
            assert set(ask(app, path, 10)) == {200}
        assert ask(app, "/", 1) == [200]

    def test_it_ends_with_its_time(self, make_app: AppFactory) -> None:
        app = make_app(global_rate_limit="1 per 2 seconds", redis_url="")

        assert ask(app, "/", 2) == [200, 429]
        time.sleep(2.1)
        assert ask(app, "/", 1) == [200]


class TestAdminKeys:
    def test_wrong_keys_are_limited_while_the_right_one_works_from_elsewhere(
        self, counted: AppFactory
    ) -> None:
        app = counted(admin_rate_limit="20 per minute")
        client = app.test_client()
        answers = [
            client.get("/admin/categories", headers=PAGE | {"x-admin-key": f"wrong-{n}"})
            for n in range(30)
        ]
        right = PAGE | {"x-admin-key": ADMIN_KEY}

        statuses = [answer.status_code for answer in answers]
        assert statuses == [401] * 20 + [429] * 10
        assert_refused(answers[-1], 429)
        assert 0 < int(answers[-1].headers["Retry-After"]) <= 60
        elsewhere = client.get("/admin/categories", headers=right, environ_overrides=ELSEWHERE)
        assert elsewhere.status_code == 200
        assert_refused(client.get("/admin/categories", headers=right), 429)
        assert client.get("/polls/today").status_code == 200

    def test_it_is_one_count_for_all_admin_routes(self, polls: Polls, counted: AppFactory) -> None:
        """Each route is asked once; no second one could be guessed at with a fresh count."""
        app = counted(admin_rate_limit="3 per minute")
        walked = [r for r in requests(app, store(polls)) if r.rule.rule.startswith("/admin")]

        statuses = [r.send(app.test_client(), headers=PAGE).status_code for r in walked]

        assert statuses[:3] == [401] * 3
        assert set(statuses[3:]) == {429}

    def test_requests_with_the_right_key_are_not_counted(self, counted: AppFactory) -> None:
        app = counted(admin_rate_limit="2 per minute")
        right = {"x-admin-key": ADMIN_KEY}
        client = app.test_client()

        statuses = [client.get("/admin/categories", headers=right).status_code for _ in range(10)]
        refused = client.post("/admin/categories", headers=right, json={}).status_code

        assert set(statuses) == {200}
        assert refused == 422


class TestVoteLimit:
    def test_refused_votes_count_as_attempts(self, polls: Polls, counted: AppFactory) -> None:
        limited = Polls(counted(vote_rate_limit="3 per minute"), polls.admin)
        poll = polls.open()
        other = polls.open(title="Best bread")

        assert limited.vote(poll, "no-such-option").status_code == 422
        assert limited.vote(poll, "Pea").status_code == 200
        assert limited.vote(other, "no-such-option").status_code == 422
        beyond = limited.vote(poll, "Pea")

        assert beyond.status_code == 429
        assert 0 < int(beyond.headers["Retry-After"]) <= 60
        assert polls.results(poll)["totalVotes"] == 1

    def test_refused_votes_use_up_no_vote_of_the_address(
        self, polls: Polls, counted: AppFactory
    ) -> None:
        limited = Polls(counted(vote_rate_limit="10 per minute", votes_per_ip=1), polls.admin)
        poll = polls.open()

        statuses = [limited.vote(poll, *labels).status_code for labels in (["x"], ["x"], ["Pea"])]

        assert statuses == [422, 422, 200]
        assert limited.vote(poll, "Leek").status_code == 409

    def test_reading_goes_on_beyond_it(self, polls: Polls, counted: AppFactory) -> None:
        app = counted(vote_rate_limit="1 per minute")
        limited = Polls(app, polls.admin)
        poll = polls.open()

        assert [limited.vote(poll, "Pea").status_code for _ in range(2)] == [200, 429]
        assert limited.results(poll)["totalVotes"] == 1

    def test_it_counts_each_client_by_itself(self, polls: Polls, counted: AppFactory) -> None:
        app = counted(vote_rate_limit="1 per minute")
        poll = polls.open()
        body = {"rankedChoices": [poll["options"][0]["optionId"]]}
        path = f"/polls/{poll['pollId']}/vote"

        statuses = [
            app.test_client().post(path, json=body, environ_overrides={"REMOTE_ADDR": peer})
            for peer in ("192.0.2.1", "192.0.2.1", "192.0.2.2")
        ]

        assert [answer.status_code for answer in statuses] == [200, 429, 200]


def test_a_spoiled_counter_does_not_switch_the_limit_on_keys_off(
    make_app: AppFactory, redis_url: str
) -> None:
    wrong = Admin(make_app(admin_rate_limit="3 per minute").test_client(), "wrong")
    wrong.call("GET", "/categories")
    with redis_connection(redis_url) as redis:
        for key in redis.scan_iter("allthing:limit:*"):
            redis.set(key, "junk", ex=60)

    statuses = [wrong.call("GET", "/categories").status_code for _ in range(4)]

    assert statuses == [401, 401, 401, 429]

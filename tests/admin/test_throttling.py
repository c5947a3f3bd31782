"""Wrong admin keys are limited where they are audited: on all replicas, with Redis or without."""

import time
from collections import Counter
from typing import Any

import pytest
from flask import Flask
from werkzeug.test import TestResponse

from tests.conftest import ADMIN_KEY, AppFactory
from tests.support.api import Admin, Polls
from tests.support.routes import ORIGIN, assert_refused, requests, store
from tests.support.served import served
from tests.support.servers import redis_server

PAGE = {"Origin": ORIGIN}
RIGHT = PAGE | {"x-admin-key": ADMIN_KEY}
ELSEWHERE = "192.0.2.99"
PATH = "/admin/categories"


def ask(app: Flask, headers: dict[str, str], address: str = "127.0.0.1") -> TestResponse:
    client = app.test_client(use_cookies=False)
    return client.get(PATH, headers=headers, environ_overrides={"REMOTE_ADDR": address})


def guess(app: Flask, times: int = 1, address: str = "127.0.0.1") -> list[int]:
    """Try so many wrong keys; return the statuses."""
    keys = [PAGE | {"x-admin-key": f"wrong-{number}"} for number in range(times)]
    return [ask(app, headers, address).status_code for headers in keys]


def test_wrong_keys_are_refused_beyond_the_limit_and_audited_no_more(
    make_app: AppFactory, admin: Admin
) -> None:
    app = make_app(admin_rate_limit="20 per minute")

    statuses = guess(app, 30)

    assert statuses == [401] * 20 + [429] * 10
    assert len(admin.audit(success="false", limit="100")) == 20
    refused = ask(app, PAGE)
    assert_refused(refused, 429)
    assert 50 < int(refused.headers["Retry-After"]) <= 60


def test_right_key_is_refused_as_well_but_from_elsewhere_it_works(make_app: AppFactory) -> None:
    app = make_app(admin_rate_limit="3 per minute")
    guess(app, 3)

    assert_refused(ask(app, RIGHT), 429)
    assert ask(app, RIGHT, ELSEWHERE).status_code == 200
    assert app.test_client().get("/polls/today").status_code == 200


def test_it_ends_when_retry_after_says(make_app: AppFactory) -> None:
    app = make_app(admin_rate_limit="2 per 3 seconds")
    guess(app, 2)
    refused = ask(app, RIGHT)
    assert refused.status_code == 429

    time.sleep(int(refused.headers["Retry-After"]))

    assert ask(app, RIGHT).status_code == 200


def test_each_of_several_rates_is_kept(make_app: AppFactory) -> None:
    app = make_app(admin_rate_limit="2 per 2 seconds; 3 per hour")
    assert guess(app, 3) == [401, 401, 429]
    time.sleep(2)

    assert guess(app, 2) == [401, 429]
    assert int(ask(app, RIGHT).headers["Retry-After"]) > 3000


def test_it_is_one_count_for_all_admin_routes(make_app: AppFactory, polls: Polls) -> None:
    """Each route is asked once; no second one could be guessed at with a fresh count."""
    app = make_app(admin_rate_limit="3 per minute")
    walked = [r for r in requests(app, store(polls)) if r.rule.rule.startswith("/admin")]

    statuses = [r.send(app.test_client(), headers=PAGE).status_code for r in walked]

    assert statuses[:3] == [401] * 3
    assert set(statuses[3:]) == {429}


def test_what_the_right_key_does_is_not_counted(make_app: AppFactory) -> None:
    app = make_app(admin_rate_limit="2 per minute")
    client = app.test_client()

    refused = [client.post(PATH, headers=RIGHT, json={}).status_code for _ in range(5)]

    assert refused == [422] * 5
    assert ask(app, RIGHT).status_code == 200


@pytest.mark.parametrize(
    ("first", "second", "is_same"),
    [
        ("192.0.2.1", "192.0.2.2", False),
        ("192.0.2.1", "::ffff:192.0.2.1", True),
        ("2001:db8::1", "2001:db8:0:0:5:6:7:8", True),
        ("2001:db8::1", "2001:db8:0:1::1", False),
        ("2001:db8:0:0:1::", "2001:db8::9", True),
        ("::1", "::2", True),
        ("::1", "0:0:0:1::1", False),
    ],
)
def test_a_client_is_an_address_or_a_subscribers_network(
    make_app: AppFactory, first: str, second: str, is_same: bool
) -> None:
    app = make_app(admin_rate_limit="2 per minute")
    guess(app, 2, first)

    assert guess(app, 1, second) == [429 if is_same else 401]


def test_it_holds_on_two_workers_with_redis_stopped(
    app: Flask, settings_of_tests: dict[str, Any]
) -> None:
    with redis_server(private=True) as redis:
        limited = {"admin_rate_limit": "20 per minute", "redis_url": redis.url}
        with served(**settings_of_tests | limited) as server:
            server.workers("/readyz")
            redis.stop()

            answers = [server.get(PATH, headers={"x-admin-key": f"k{n}"}) for n in range(30)]

    assert Counter(answer.status_code for answer in answers) == {401: 20, 429: 10}
    assert all(int(answer.headers["Retry-After"]) <= 60 for answer in answers[20:])
    assert ask(app, RIGHT, ELSEWHERE).status_code == 200

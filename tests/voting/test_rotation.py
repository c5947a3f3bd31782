"""A new secret: nobody loses the identity, nobody gets a second vote."""

from concurrent.futures import ThreadPoolExecutor

import pytest
from flask import Flask
from itsdangerous import URLSafeSerializer
from werkzeug.test import TestResponse

from allthing.config import Settings
from tests.conftest import SECRET_KEY as OLD
from tests.conftest import AppFactory
from tests.support.api import Json, Polls
from tests.support.queries import count_ballots

NEW = "next-secret-key-0123456789-0123456789"
TOKEN = "Zs1cV0aJt7yQ4mXn9KfLr2WbUe6HgPdT"


def signed(secret: str) -> str:
    return "vt=" + URLSafeSerializer(secret, salt="voter-token").dumps({"t": TOKEN})


def send(app: Flask, poll: Json, cookie: str = "", key: str = "", place: int = 0) -> TestResponse:
    headers = {"Cookie": cookie} | ({"Idempotency-Key": key} if key else {})
    return app.test_client(use_cookies=False).post(
        f"/polls/{poll['pollId']}/vote",
        json={"rankedChoices": [poll["options"][place]["optionId"]]},
        headers=headers,
    )


@pytest.fixture
def swapped(make_app: AppFactory) -> Flask:
    """The app after the swap: the new secret is the current one, the old one still counts."""
    return make_app(secret_key=NEW, secret_key_fallbacks=[OLD])


def test_who_voted_before_is_refused_after(polls: Polls, app: Flask, swapped: Flask) -> None:
    poll = polls.open()
    assert send(app, poll, signed(OLD)).status_code == 200

    assert send(swapped, poll, signed(OLD)).status_code == 409
    assert count_ballots(app) == 1


def test_an_old_cookie_is_signed_anew_and_lasts_when_the_old_secret_is_gone(
    polls: Polls, swapped: Flask, make_app: AppFactory
) -> None:
    poll = polls.open()
    after = make_app(secret_key=NEW)

    first = send(swapped, poll, signed(OLD))
    cookie = first.headers["Set-Cookie"].partition(";")[0]
    again = send(after, poll, cookie)

    assert first.status_code == 200
    assert cookie == signed(NEW)
    assert again.status_code == 409
    assert "Set-Cookie" not in again.headers


def test_a_cookie_of_neither_secret_is_worthless(polls: Polls, swapped: Flask) -> None:
    answer = send(swapped, polls.open(), signed("x" * 40))

    assert "Set-Cookie" in answer.headers
    assert not answer.headers["Set-Cookie"].startswith(signed(NEW))


def test_a_retry_of_before_is_known_after(polls: Polls, app: Flask, swapped: Flask) -> None:
    poll = polls.open()
    send(app, poll, key="k")

    assert send(swapped, poll, key="k").json == {"ok": True, "deduped": True}
    assert send(swapped, poll, key="k", place=1).status_code == 422
    assert count_ballots(app) == 1


def test_ballots_of_an_address_under_both_secrets_count_together(
    polls: Polls, app: Flask, make_app: AppFactory
) -> None:
    poll = polls.open()
    crowded = make_app(secret_key=NEW, secret_key_fallbacks=[OLD], votes_per_ip=2)
    send(app, poll)

    assert [send(crowded, poll).status_code for _ in range(2)] == [200, 409]


@pytest.mark.postgresql
@pytest.mark.parametrize("key", ["", "k"])
def test_in_the_midst_of_it_replicas_of_both_orders_take_one_vote(
    polls: Polls, app: Flask, swapped: Flask, make_app: AppFactory, key: str
) -> None:
    """With a key and without a cookie it is the key that tells the voter."""
    prepared = make_app(secret_key_fallbacks=[NEW])
    cookie = "" if key else signed(OLD)
    for number in range(5):
        poll = polls.open(title=f"Soup {number}")

        def vote(n: int, poll: Json = poll) -> int:
            return send((prepared, swapped)[n % 2], poll, cookie, key).status_code

        with ThreadPoolExecutor(16) as pool:
            statuses = list(pool.map(vote, range(16)))

        assert sorted(statuses) == ([200] * 16 if key else [200] + [409] * 15)
        assert count_ballots(app) == number + 1


def test_a_short_secret_is_refused() -> None:
    with pytest.raises(ValueError, match="SECRET_KEY_FALLBACKS needs"):
        Settings(secret_key=NEW, secret_key_fallbacks=["short"], _env_file=None)

"""Idempotency-Key: a vote may be sent until it is answered, and is stored once."""

import secrets
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import select
from werkzeug.test import TestResponse

from allthing.database import db
from allthing.models import VoteBallot
from tests.conftest import AppFactory
from tests.support.api import Admin, Json, Polls
from tests.support.queries import count_ballots
from tests.support.routes import assert_refused

RANKED = {"pollType": "RANKED", "options": ("Leek", "Pea", "Corn")}
FIRST = {"ok": True}
AGAIN = {"ok": True, "deduped": True}


def send(
    app: Flask, poll: Json, key: str, *places: int, cookie: str | None = None, **body: Any
) -> TestResponse:
    """Send a vote under a key, by a client that keeps no cookies."""
    choices = [poll["options"][place]["optionId"] for place in places or (0,)]
    headers = {"Idempotency-Key": key} | ({"Cookie": cookie} if cookie else {})
    return app.test_client(use_cookies=False).post(
        f"/polls/{poll['pollId']}/vote", json={"rankedChoices": choices} | body, headers=headers
    )


def cookie_of(answer: TestResponse) -> str:
    return answer.headers["Set-Cookie"].partition(";")[0]


def test_a_client_that_lost_the_answer_gets_it_again_cookie_included(
    polls: Polls, app: Flask
) -> None:
    poll = polls.open()

    first, again = send(app, poll, "k"), send(app, poll, "k")

    assert (first.json, again.json) == (FIRST, AGAIN)
    assert cookie_of(first) == cookie_of(again)
    assert count_ballots(app) == 1


def test_who_got_the_answer_after_all_is_known_by_its_cookie(polls: Polls, app: Flask) -> None:
    poll = polls.open()
    cookie = cookie_of(send(app, poll, "k"))

    assert send(app, poll, "k", cookie=cookie).json == AGAIN
    assert send(app, poll, "other key", cookie=cookie).status_code == 409
    assert polls.vote(poll, "Pea").status_code == 200  # somebody else


def test_a_voter_with_a_cookie_keeps_it(polls: Polls, app: Flask) -> None:
    first, second = polls.open(), polls.open(title="Best bread")
    cookie = cookie_of(send(app, first, "k"))

    answer = send(app, second, "k", cookie=cookie)

    assert answer.json == FIRST
    assert "Set-Cookie" not in answer.headers


def test_one_key_makes_another_voter_in_each_poll(polls: Polls, app: Flask) -> None:
    first, second = polls.open(), polls.open(title="Best bread")

    cookies = {cookie_of(send(app, poll, "k")) for poll in (first, second)}

    assert len(cookies) == 2
    assert count_ballots(app) == 2


@pytest.mark.parametrize(
    "change", [{"places": (1,)}, {"gender": "other"}], ids=["choice", "survey"]
)
def test_another_vote_under_the_same_key_is_refused(polls: Polls, app: Flask, change: Json) -> None:
    poll = polls.open()
    send(app, poll, "k")

    assert_refused(send(app, poll, "k", *change.pop("places", ()), **change), 422, origin=None)
    assert count_ballots(app) == 1


def test_a_refused_ballot_uses_up_neither_key_nor_voter(polls: Polls, app: Flask) -> None:
    poll = polls.open(**RANKED)

    refused = send(app, poll, "k", 0)
    corrected = send(app, poll, "k", 0, 1)

    assert refused.status_code == 422
    assert corrected.json == FIRST
    assert cookie_of(refused) == cookie_of(corrected)


def test_a_retry_is_known_after_closing(polls: Polls, app: Flask, admin: Admin) -> None:
    poll = polls.open()
    send(app, poll, "k")
    admin.close(poll["pollId"])

    assert send(app, poll, "k").json == AGAIN
    assert send(app, poll, "new").status_code == 409


def test_header_and_field_are_one_key(polls: Polls, app: Flask) -> None:
    poll = polls.open()
    by_field = app.test_client(use_cookies=False).post(
        f"/polls/{poll['pollId']}/vote",
        json={"rankedChoices": [poll["options"][0]["optionId"]], "idempotencyKey": "k"},
    )

    assert by_field.json == FIRST
    assert send(app, poll, "k").json == AGAIN
    assert send(app, poll, "k", idempotencyKey="k").json == AGAIN
    assert_refused(send(app, poll, "k", idempotencyKey="K"), 422, origin=None)


@pytest.mark.parametrize("key", ["", "x" * 129, "x" * 256, "\xe9", "a\tb", "\x7f"], ids=ascii)
def test_a_header_out_of_bounds_is_refused(polls: Polls, app: Flask, key: str) -> None:
    poll = polls.open()

    assert_refused(send(app, poll, key), 400, origin=None)
    assert count_ballots(app) == 0
    assert send(app, poll, "!~ " * 42).json == FIRST


@pytest.mark.postgresql
@pytest.mark.parametrize("settings", [{}, {"redis_url": ""}, {"votes_per_ip": 1}], ids=str)
def test_thirty_at_once_on_two_replicas_are_thirty_equal_answers(
    polls: Polls, make_app: AppFactory, settings: Json
) -> None:
    poll = polls.open(**RANKED)
    replicas = [make_app(**settings) for _ in range(2)]

    with ThreadPoolExecutor(30) as pool:
        answers = list(pool.map(lambda n: send(replicas[n % 2], poll, "k", 2, 0), range(30)))

    assert [answer.status_code for answer in answers] == [200] * 30
    assert sorted("deduped" in answer.json for answer in answers) == [False] + [True] * 29
    assert len({cookie_of(answer) for answer in answers}) == 1
    assert count_ballots(replicas[0]) == 1
    assert polls.results(poll)["totalBallots"] == 1


@pytest.mark.postgresql
def test_thirty_different_votes_under_one_key_at_once_make_one_ballot(
    polls: Polls, app: Flask
) -> None:
    poll = polls.open(options=tuple(f"Soup {n}" for n in range(30)))

    with ThreadPoolExecutor(30) as pool:
        answers = list(pool.map(lambda n: send(app, poll, "k", n), range(30)))

    assert sorted(answer.status_code for answer in answers) == [200] + [422] * 29
    assert count_ballots(app) == 1


def test_keys_are_not_stored(polls: Polls, app: Flask) -> None:
    key = secrets.token_hex()
    send(app, polls.open(), key)

    with app.app_context():
        (ballot,) = db.session.scalars(select(VoteBallot))
        stored = {getattr(ballot, column.key) for column in VoteBallot.__mapper__.column_attrs}
    assert not any(key in str(value) for value in stored)


def test_the_document_tells_of_the_header(app: Flask) -> None:
    vote = app.test_client().get("/openapi.json").json["paths"]["/polls/{poll_id}/vote"]["post"]

    (header,) = [entry for entry in vote["parameters"] if entry["in"] == "header"]

    assert (header["name"], header["required"]) == ("Idempotency-Key", False)

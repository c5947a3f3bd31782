"""What readers get again and again: a copy that is still right is not sent twice, none is old."""

import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from tests.conftest import AppFactory
from tests.support.api import Admin, Json, Polls
from tests.support.routes import ORIGIN, Request, requests, store

KINDS = {"today": "/polls/today", "results": "results", "picture": "results.svg"}


def path_of(kind: str, poll: Json) -> str:
    name = KINDS[kind]
    return name if name.startswith("/") else f"/polls/{poll['pollId']}/{name}"


def ask(client: FlaskClient, path: str, known: str | None = None) -> TestResponse:
    headers = {"Origin": ORIGIN} | ({} if known is None else {"If-None-Match": known})
    return client.get(path, headers=headers)


@pytest.mark.parametrize("kind", KINDS)
class TestCopies:
    def test_one_that_is_right_is_not_sent_again(
        self, client: FlaskClient, polls: Polls, kind: str
    ) -> None:
        path = path_of(kind, polls.open())
        etag = ask(client, path).headers["ETag"]
        plain = etag.removeprefix("W/")

        for known in (etag, plain, f'"x", {etag}', f'{plain} ,\t"x"', "*"):
            answer = ask(client, path, known)
            assert (answer.status_code, answer.data) == (304, b""), known
            assert answer.headers["ETag"] == etag
            assert answer.headers["Cache-Control"] == "no-cache"
            assert answer.headers["Access-Control-Allow-Origin"] == ORIGIN
            assert answer.headers["Access-Control-Allow-Credentials"] == "true"
            assert "Origin" in answer.vary

    def test_another_one_is(self, client: FlaskClient, polls: Polls, kind: str) -> None:
        path = path_of(kind, polls.open())
        first = ask(client, path)
        plain = first.headers["ETag"].removeprefix("W/")
        unquoted = plain.strip('"')

        for known in ("", '"x"', unquoted, f'"{unquoted}x"', 'junk,,"', "\xff", "W/", "x" * 8000):
            answer = ask(client, path, known)
            assert (answer.status_code, answer.headers["ETag"]) == (200, first.headers["ETag"])
            assert answer.data

    def test_head_is_as_get(self, client: FlaskClient, polls: Polls, kind: str) -> None:
        path = path_of(kind, polls.open())
        ask(client, path)
        got, head = ask(client, path), client.head(path)

        assert (head.status_code, head.data) == (200, b"")
        for name in ("ETag", "Cache-Control", "Content-Type", "Content-Length", "Vary"):
            assert head.headers[name] == got.headers[name]
        assert client.head(path, headers={"If-None-Match": "*"}).status_code == 304


def test_a_tag_is_that_of_the_data_and_not_of_where_they_came_from(
    make_app: AppFactory, polls: Polls
) -> None:
    poll = polls.open()
    client = make_app().test_client()

    answers = [ask(client, path_of("results", poll)) for _ in range(2)]

    assert [answer.json["cached"] for answer in answers] == [False, True]
    assert len({answer.headers["ETag"] for answer in answers}) == 1


def test_a_vote_makes_another_tag(client: FlaskClient, polls: Polls) -> None:
    poll = polls.open()
    for kind in ("results", "picture"):
        known = ask(client, path_of(kind, poll)).headers["ETag"]

        polls.vote(poll, "Leek")

        assert ask(client, path_of(kind, poll), known).status_code == 200


def test_no_other_day_is_kept(app: Flask, polls: Polls, client: FlaskClient) -> None:
    """Anyone could ask for any number of them."""
    polls.open()

    answers = [client.get("/polls?pollDate=2031-05-04").json["cached"] for _ in range(2)]

    assert answers == [False, False]


def shown(app: Flask, poll_id: str) -> dict[str, object]:
    """Return what the public reads: the day, and a poll's result and its picture."""
    client = app.test_client()
    today = client.get("/polls/today")
    results = client.get(f"/polls/{poll_id}/results")
    picture = client.get(f"/polls/{poll_id}/results.svg")
    return {
        "today": today.json["data"],
        "results": results.json.get("data", results.status_code),
        "picture": picture.text if picture.status_code == 200 else picture.status_code,
    }


def test_whatever_an_admin_or_voter_changes_shows_at_once(
    app: Flask, polls: Polls, make_app: AppFactory
) -> None:
    changing = [(r.method, r.rule) for r in requests(app, {}) if r.method != "GET"]
    for number, (method, rule) in enumerate(changing):
        ids = store(polls)
        if "category_id" not in rule.arguments:  # where something goes, it was not before
            ids["category_id"] = polls.admin.category(key=f"other-{number}")["id"]
        shown(app, ids["poll_id"])  # so that it is kept

        request = Request(method, rule, ids)
        assert request.send(app.test_client()).status_code == request.example.status

        fresh = make_app()  # which has kept nothing
        assert shown(app, ids["poll_id"]) == shown(fresh, ids["poll_id"]), str(request)


def test_an_unknown_poll_is_not_kept(client: FlaskClient, admin: Admin) -> None:
    assert [client.get("/polls/unknown/results").status_code for _ in range(2)] == [404, 404]


class TestTooFewBallots:
    """A poll that closes with fewer than `MIN_VOTES` gets no snapshot, whose keeping would show."""

    @pytest.fixture
    def demanding(self, make_app: AppFactory, admin: Admin) -> Admin:
        return admin.at(make_app(min_votes=1))

    def test_its_end_shows_at_once(self, polls: Polls, demanding: Admin) -> None:
        poll = polls.open()
        assert polls.results(poll)["status"] == "OPEN"

        demanding.close(poll["pollId"])

        assert polls.results(poll)["status"] == "CLOSED"

    def test_a_snapshot_that_is_made_up_for_shows_at_once(
        self, polls: Polls, admin: Admin, demanding: Admin
    ) -> None:
        poll = polls.open()
        demanding.done("POST", f"/instances/{poll['pollId']}/replace")
        assert [poll["isNew"] for poll in polls.listed()] == [True]

        admin.done("POST", "/snapshots/create-missing")

        assert [poll["isNew"] for poll in polls.listed()] == [False]

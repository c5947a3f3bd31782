"""The bot check, against a stand-in for Cloudflare's server on this machine."""

import json
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs

import psycopg2
import pytest
from flask import Flask
from flask.testing import FlaskClient

from tests.conftest import AppFactory
from tests.support.api import Json, Polls

SECRET = "turnstile-secret"


class Verifier(BaseHTTPRequestHandler):
    """Passes each good token once, as Turnstile does."""

    spent: set[str]

    def do_POST(self) -> None:  # the name that the base class looks for
        form = parse_qs(self.rfile.read(int(self.headers["Content-Length"])).decode())
        (token,) = form["response"]
        passed = form["secret"] == [SECRET] and token == "good" and token not in self.spent
        self.spent.add(token)
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"junk" if token == "junk" else json.dumps({"success": passed}).encode())

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def verifier() -> Iterator[str]:
    Verifier.spent = set()
    with ThreadingHTTPServer(("127.0.0.1", 0), Verifier) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/siteverify"
        server.shutdown()
        thread.join()


@pytest.fixture
def checking_app(make_app: AppFactory, verifier: str) -> Flask:
    return make_app(turnstile_secret_key=SECRET, turnstile_url=verifier)


def vote(client: FlaskClient, poll: Json, token: str | None, places: tuple[int, ...] = (0,)) -> int:
    body: Json = {"rankedChoices": [poll["options"][place]["optionId"] for place in places]}
    if token is not None:
        body["turnstileToken"] = token
    return client.post(f"/polls/{poll['pollId']}/vote", json=body).status_code


@pytest.mark.parametrize(
    ("token", "status"), [("good", 200), ("bad", 403), (None, 403), ("", 403), ("junk", 403)]
)
def test_a_vote_needs_a_token_that_passes(
    polls: Polls, checking_app: Flask, token: str | None, status: int
) -> None:
    assert vote(checking_app.test_client(), polls.open(), token) == status


def test_a_refused_ballot_does_not_use_up_the_token(polls: Polls, checking_app: Flask) -> None:
    poll = polls.open()
    client = checking_app.test_client()

    assert vote(client, poll, "good", places=(0, 1)) == 422
    assert vote(client, poll, "good") == 200


@pytest.mark.postgresql
def test_a_vote_that_is_tried_again_after_a_deadlock_is_checked_once(
    polls: Polls, checking_app: Flask, database_url: str
) -> None:
    """A token is good for one call. The rival holds what the vote wants second."""
    poll = polls.open()
    with (
        closing(psycopg2.connect(database_url)) as rival,
        rival.cursor() as cursor,
        ThreadPoolExecutor(1) as pool,
    ):
        cursor.execute("SET deadlock_timeout = '1min'")  # the vote is to be the one that loses
        cursor.execute('LOCK TABLE "voteTallies"')
        cast = pool.submit(vote, checking_app.test_client(), poll, "good")
        while not is_waited_for(cursor):
            time.sleep(0.02)
        # A table is queued up for: the second try can't take it before us, as it could a row.
        cursor.execute('LOCK TABLE "pollInstances"')
        rival.rollback()
        assert cast.result() == 200
    assert polls.results(poll)["totalVotes"] == 1


def is_waited_for(cursor: psycopg2.extensions.cursor) -> bool:
    cursor.execute(
        "SELECT EXISTS (SELECT 1 FROM pg_locks WHERE NOT granted"
        " AND pg_backend_pid() = ANY (pg_blocking_pids(pid)))"
    )
    return bool(cursor.fetchone()[0])


@pytest.mark.parametrize(("fail_open", "status"), [(False, 403), (True, 200)])
def test_without_turnstile_votes_pass_only_by_setting(
    polls: Polls, make_app: AppFactory, fail_open: bool, status: int
) -> None:
    app = make_app(
        turnstile_secret_key=SECRET,
        turnstile_url="http://127.0.0.1:1/siteverify",
        turnstile_fail_open=fail_open,
    )

    assert vote(app.test_client(), polls.open(), "good") == status


def test_without_a_secret_no_token_is_asked_for(polls: Polls, client: FlaskClient) -> None:
    assert vote(client, polls.open(), None) == 200

"""The bot check, against a stand-in for Cloudflare's server on this machine."""

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs

import pytest
from flask import Flask
from flask.testing import FlaskClient

from tests.api import Json, Polls
from tests.conftest import AppFactory

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

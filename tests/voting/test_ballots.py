"""Ballots that the rules of their poll refuse, and the last net below all rules."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
import time_machine
from flask import Flask
from itsdangerous import URLSafeSerializer
from sqlalchemy import func, select
from werkzeug.test import TestResponse

from allthing.database import db
from allthing.models import PollCategory, VoteBallot
from allthing.runtime import clock
from tests.conftest import SECRET_KEY, AppFactory
from tests.support.api import Polls
from tests.support.routes import HEADERS, assert_refused, contents, requests, store


class TestVotes:
    """What only a vote can get wrong; tests/voting/test_voting.py has the rules of ballots."""

    def vote(self, app: Flask, ids: dict[str, str], **changes: Any) -> TestResponse:
        body = {"rankedChoices": [ids["option_id"]]} | changes.pop("body", {})
        client = app.test_client(use_cookies=False)
        return client.post(f"/polls/{ids['poll_id']}/vote", json=body, **changes)

    def test_worthless_cookie_gives_a_new_identity(self, app: Flask, polls: Polls) -> None:
        ids = store(polls)
        ours = URLSafeSerializer(SECRET_KEY, salt="voter-token")
        theirs = URLSafeSerializer("x" * 40, salt="voter-token")
        elsewhere = URLSafeSerializer(SECRET_KEY, salt="session")
        token = {"t": "a" * 32}
        genuine = ours.dumps(token)
        worthless = [
            genuine[:-1] + ("A" if genuine[-1] != "A" else "B"),
            genuine.replace(".", "A.", 1),
            genuine[: len(genuine) // 2],
            theirs.dumps(token),
            elsewhere.dumps(token),
            ours.dumps({"t": "short"}),
            ours.dumps({"t": "x" * 4000}),
            ours.dumps({"t": ["a"]}),
            ours.dumps(["a"]),
            ours.dumps(None),
            ".",
            "\xff" * 40,
            "x" * 4096,
        ]

        for cookie in worthless:
            response = self.vote(app, ids, headers={"Cookie": f"vt={cookie}"})
            assert response.status_code == 200, cookie
            assert response.headers["Set-Cookie"].startswith("vt=")
        assert "Set-Cookie" not in self.vote(app, ids, headers={"Cookie": f"vt={genuine}"}).headers

    def test_of_two_cookies_one_counts(self, app: Flask, polls: Polls) -> None:
        ids = store(polls)
        serializer = URLSafeSerializer(SECRET_KEY, salt="voter-token")
        first, second = (serializer.dumps({"t": letter * 32}) for letter in "ab")
        headers = {"Cookie": f"vt={first}; vt={second}"}

        statuses = [self.vote(app, ids, headers=headers).status_code for _ in range(2)]

        assert statuses == [200, 409]

    @pytest.mark.parametrize(("secure", "domain"), [(True, ""), (False, "example.org")])
    def test_cookie_is_set_as_the_contract_says(
        self, polls: Polls, make_app: AppFactory, secure: bool, domain: str
    ) -> None:
        app = make_app(cookie_secure=secure, cookie_domain=domain)

        cookie = self.vote(app, store(polls)).headers["Set-Cookie"]

        attributes = {attribute.strip().lower() for attribute in cookie.split(";")}
        assert {"httponly", "samesite=lax", "path=/", "max-age=31536000"} <= attributes
        assert ("secure" in attributes) is secure
        assert ("domain=example.org" in attributes) is bool(domain)

    def test_reading_sets_no_cookie(self, app: Flask, polls: Polls) -> None:
        for request in requests(app, store(polls)):
            if request.method == "GET":
                assert "Set-Cookie" not in request.send(app.test_client()).headers

    def test_vote_outside_the_days_of_a_poll_is_refused(self, app: Flask, polls: Polls) -> None:
        ids = store(polls)
        tomorrow = clock.now() + timedelta(days=1)

        with time_machine.travel(clock.now() - timedelta(days=1), tick=False):
            assert_refused(self.vote(app, ids, headers=HEADERS), 409)
        with time_machine.travel(tomorrow, tick=False):
            assert_refused(self.vote(app, ids, headers=HEADERS), 409)
        assert self.vote(app, ids).status_code == 200

    def test_option_that_the_template_has_but_not_the_poll_is_refused(
        self, app: Flask, polls: Polls
    ) -> None:
        ids = store(polls)
        template = polls.admin.done("GET", f"/templates/{ids['template_id']}")["template"]
        before = contents(app)

        for choice in (template["options"][0]["id"], ids["option_id"].upper(), "", "x" * 36):
            response = self.vote(app, ids, headers=HEADERS, body={"rankedChoices": [choice]})
            assert_refused(response, 422)

        assert contents(app) == before

    def test_idempotency_key_out_of_bounds_is_refused(self, app: Flask, polls: Polls) -> None:
        ids = store(polls)

        for key in ("", "x" * 129, "x" * 256, 1, ["x"], "a\0b"):
            response = self.vote(app, ids, headers=HEADERS, body={"idempotencyKey": key})
            assert_refused(response, 422)
        assert self.vote(app, ids, body={"idempotencyKey": "é🍲" * 64}).status_code == 200

    @pytest.mark.postgresql
    def test_the_same_vote_thirty_times_at_once_is_one_ballot(
        self, app: Flask, polls: Polls
    ) -> None:
        ids = store(polls)
        cookie = URLSafeSerializer(SECRET_KEY, salt="voter-token").dumps({"t": "a" * 32})
        headers = {"Cookie": f"vt={cookie}"}

        with ThreadPoolExecutor(30) as pool:
            statuses = pool.map(lambda _: self.vote(app, ids, headers=headers), range(30))

        assert sorted(answer.status_code for answer in statuses) == [200] + [409] * 29
        with app.app_context():
            assert db.session.scalar(select(func.count()).select_from(VoteBallot)) == 1


class TestLastNet:
    """What slips past all of this is still refused where the database would choke on it."""

    def answer(self, app: Flask, **fields: Any) -> TestResponse:
        """Have a view store fields of a category that nothing has looked at."""

        @app.post("/unchecked")
        def unchecked() -> str:
            db.session.add(PollCategory(**{"key": "soups", "name": "Soups"} | fields))
            db.session.flush()
            return "stored"

        return app.test_client().post("/unchecked", headers=HEADERS)

    @pytest.mark.parametrize("fields", [{"key": "a\ud800b"}, {"sort_order": 2**63}])
    def test_value_that_cannot_be_sent_is_refused(
        self, make_app: AppFactory, fields: dict[str, Any]
    ) -> None:
        assert_refused(self.answer(make_app(), **fields), 422)

    @pytest.mark.postgresql
    @pytest.mark.parametrize("fields", [{"key": "\0"}, {"key": "x" * 65}, {"sort_order": 2**31}])
    def test_value_that_postgresql_does_not_store_is_refused(
        self, make_app: AppFactory, fields: dict[str, Any]
    ) -> None:
        assert_refused(self.answer(make_app(), **fields), 422)

    def test_bug_of_ours_is_no_fault_of_the_client(self, make_app: AppFactory) -> None:
        app = make_app()

        @app.get("/broken")
        def broken() -> str:
            return str(int("x"))

        assert_refused(app.test_client().get("/broken", headers=HEADERS), 500)

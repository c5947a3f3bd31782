"""What does not fit a body's schema is refused on every route, and nothing is stored.

Lengths are counted in code points: 256 emoji fit where 256 characters are allowed. Control
characters and overrides of the writing direction are dropped from text; NUL and half a surrogate
pair are refused, since they can't be stored. `idempotencyKey` is any text of 1 to 128 characters.
"""

import json

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select

from allthing.database import db
from allthing.models import VoteBallot
from tests.support.api import Admin, Polls
from tests.support.bodies import JSON, VOTE, changed, send, with_body
from tests.support.examples import EXAMPLES
from tests.support.routes import assert_refused, contents, leaves, store

WRONG = {
    str: ("1", "1.5", "true", '["x"]', '{"x": 1}', '"a\\u0000b"', '"\\udfff"'),
    int: ('"1"', "1.5", "true", "[1]", "{}", "1e400", "2147483648", "-1", "9223372036854775808"),
    bool: ('"true"', "1", "0", "[true]", "{}"),
    list: ('"x"', "1", "true", "{}"),
    type(None): ("1", "true", "[]", "{}"),
}
NULLABLE = {"question", "contextText", "maxRank", "parentCategoryId", "description"} | {
    "questionOverride",
    *EXAMPLES[VOTE].lengths,
}
VISIBLE = {"name", "title", "label"}
INVISIBLE = ['""', '" \\t "', '"\\u200b"', '"\\u202e\\u2066"', '"\\u001b\\u0007"', '"\\u3164"']
UNBOUNDED = {"contextText"}  # but for the body's own limit


class TestFields:
    """Every field of every body, one at a time."""

    def test_value_of_another_type_is_refused(self, app: Flask, polls: Polls) -> None:
        walked = with_body(app, store(polls))
        before = contents(app)

        for request in walked:
            for place, value in leaves(request.body):
                for raw in WRONG[type(value)]:
                    assert_refused(send(app, request, changed(request.body, place, raw)), 422)

        assert contents(app) == before

    def test_null_is_refused_where_nothing_may_be_empty(self, app: Flask, polls: Polls) -> None:
        walked = with_body(app, store(polls))
        before = contents(app)

        for request in walked:
            for place, _ in leaves(request.body):
                if place[-1] not in NULLABLE:
                    response = send(app, request, changed(request.body, place, "null"))
                    assert_refused(response, 422)

        assert contents(app) == before

    def test_null_empties_what_may_be_empty(self, app: Flask, polls: Polls) -> None:
        for request in with_body(app, store(polls)):
            for name in NULLABLE & request.body.keys():
                body = {required: request.body[required] for required in request.example.required}
                data = json.dumps(body | {name: None}).encode()
                assert send(app, request, data).status_code == 200, (str(request), name)

    def test_missing_field_is_refused(self, app: Flask, polls: Polls) -> None:
        walked = with_body(app, store(polls))
        before = contents(app)

        for request in walked:
            for name in request.example.required:
                rest = {key: value for key, value in request.body.items() if key != name}
                assert_refused(send(app, request, json.dumps(rest).encode()), 422)

        assert contents(app) == before

    @pytest.mark.parametrize("raw", INVISIBLE)
    def test_text_that_cannot_be_seen_is_refused(self, app: Flask, polls: Polls, raw: str) -> None:
        walked = with_body(app, store(polls))
        before = contents(app)

        for request in walked:
            for place, _ in leaves(request.body):
                if place[-1] in VISIBLE:
                    assert_refused(send(app, request, changed(request.body, place, raw)), 422)

        assert contents(app) == before

    def test_no_text_is_without_a_limit(self, app: Flask, polls: Polls) -> None:
        walked = with_body(app, store(polls))
        before = contents(app)

        for request in walked:
            for place, value in leaves(request.body):
                if isinstance(value, str) and place[-1] not in UNBOUNDED:
                    data = changed(request.body, place, json.dumps("x" * 5000))
                    assert_refused(send(app, request, data), 422)

        assert contents(app) == before

    @pytest.mark.parametrize("too_many", [0, 1])
    def test_length_is_counted_in_code_points(
        self, app: Flask, polls: Polls, too_many: int
    ) -> None:
        for request in with_body(app, store(polls)):
            for place, _ in leaves(request.body):
                limit = request.example.lengths.get(place[-1])
                if limit is None:
                    continue
                ending = "c" if request.method == "POST" else "u"  # names of two may not be equal
                character = ending if place[-1] == "key" else "🍲"
                needed = {place[0], *request.example.required}
                body = {name: request.body[name] for name in needed}
                text = json.dumps(character * (limit + too_many - 1) + ending, ensure_ascii=False)
                response = send(app, request, changed(body, place, text))
                assert response.status_code == (422 if too_many else 200), (str(request), place)

    def test_control_characters_are_dropped(self, admin: Admin) -> None:
        """An ESC or an override of the writing direction makes one label read as another."""
        name = admin.category(name="So\x1bup \u202eevil\u202c\x07 \x9b")["name"]

        assert name == "Soup evil"

    def test_survey_answers_lose_control_characters_too(
        self, app: Flask, polls: Polls, client: FlaskClient
    ) -> None:
        ids = store(polls)
        body = {"rankedChoices": [ids["option_id"]], "gender": "\x1b[31m\u202eno\x00"[:-1]}

        assert client.post(f"/polls/{ids['poll_id']}/vote", json=body).status_code == 200

        with app.app_context():
            assert db.session.scalar(select(VoteBallot.gender)) == "[31mno"

    @pytest.mark.parametrize("name", ["<script>alert(1)</script>", "' OR 1=1 --", "100 % _ \\"])
    def test_text_is_stored_as_it_is_and_leaves_as_json_only(self, admin: Admin, name: str) -> None:
        admin.category(name=name)

        response = admin.call("GET", "/categories")

        assert response.json["categories"][0]["name"] == name
        assert response.content_type == JSON

    def test_unknown_fields_are_ignored(self, app: Flask, polls: Polls) -> None:
        for request in with_body(app, store(polls)):
            body = request.body | {"id": 1, "region": "old", "__proto__": {}, "created_at": "x"}
            assert send(app, request, json.dumps(body).encode()).status_code == 200

    def test_no_change_is_a_change_that_succeeds(self, app: Flask, polls: Polls) -> None:
        walked = with_body(app, store(polls))
        before = contents(app)

        for request in walked:
            if request.method in {"PATCH", "PUT"} and not request.example.required:
                assert send(app, request, b"{}").status_code == 200, str(request)

        assert contents(app) == before

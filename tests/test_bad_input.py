"""Bad input is refused in one place, on every door: a clear 4xx, and nothing is stored.

The tests walk the URL map, so that a new route can't escape them. What was ours to decide:

- A byte order mark before the JSON is 400, as are a name given twice in one object, NaN and
  Infinity, and a number of thousands of digits. Nested too deep is 422, at whatever depth.
- A query parameter that is given twice is 422; one that no route knows is ignored.
- Lengths are counted in code points: 256 emoji fit where 256 characters are allowed.
- Control characters and overrides of the writing direction are dropped from text; NUL and half
  a surrogate pair are refused, since they can't be stored.
- An id is compared as text: a UUID in upper case, in braces or without dashes is unknown.
- `idempotencyKey` is a field of the ballot and any text of at most 128 characters: a longer one
  is 422, as all that does not fit the body's schema.
- OPTIONS without `Access-Control-Request-Method` is no preflight; it says which methods there
  are, below /admin to those with a key.
"""

import gzip
import json
import uuid
from base64 import urlsafe_b64encode
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any
from urllib.parse import quote, unquote

import pytest
import time_machine
from flask import Flask
from flask.testing import FlaskClient
from itsdangerous import URLSafeSerializer
from sqlalchemy import func, select
from werkzeug.test import TestResponse

from allthing import clock
from allthing.database import db
from allthing.endpoints import endpoint_of
from allthing.inputs import Input, Query
from allthing.models import PollCategory, VoteBallot
from tests.api import Admin, Polls
from tests.conftest import ADMIN_KEY, SECRET_KEY, AppFactory
from tests.routes import (
    EXAMPLES,
    HEADERS,
    ORIGIN,
    Request,
    assert_refused,
    contents,
    leaves,
    requests,
    store,
)

JSON = "application/json"
VOTE = "polls.cast_vote"
VOTE_LIMIT = 16 * 1024
BODY_LIMIT = 1024 * 1024
MARK = "@@here@@"

Place = tuple[str | int, ...]


def with_body(app: Flask, ids: dict[str, str]) -> list[Request]:
    return [request for request in requests(app, ids) if request.example.body is not None]


def changed(body: Any, place: Place, raw: str) -> bytes:
    """Return the body as JSON, with the text `raw` in place of one value."""
    copy = json.loads(json.dumps(body))
    inner = copy
    for name in place[:-1]:
        inner = inner[name]
    inner[place[-1]] = MARK
    return json.dumps(copy).replace(json.dumps(MARK), raw).encode()


def send(app: Flask, request: Request, data: bytes, **changes: Any) -> TestResponse:
    return request.send(app.test_client(), data=data, **{"content_type": JSON} | changes)


def every_input(base: type) -> list[type]:
    below = [model for child in base.__subclasses__() for model in every_input(child)]
    return base.__subclasses__() + below


class TestExamples:
    """The table that the other tests walk is complete and true."""

    def test_every_route_that_changes_something_has_one(self, app: Flask) -> None:
        missing = {
            request.endpoint
            for request in requests(app, {})
            if request.method != "GET" and request.endpoint not in EXAMPLES
        }

        assert not missing, "add an example of each to tests/routes.py"

    def test_every_one_has_a_body_or_a_query_where_the_route_reads_one(self, app: Flask) -> None:
        for request in requests(app, {}):
            typed = endpoint_of(app, request.endpoint)
            if typed is not None:
                example = request.example
                assert (typed.body is not None) == (example.body is not None), str(request)
                assert (typed.query is not None) == bool(example.query), str(request)

    def test_every_name_that_is_read_occurs_in_one(self) -> None:
        bodies = [example.body for example in EXAMPLES.values()]
        queries = {name for example in EXAMPLES.values() for name in example.query}
        fields = {name for place, _ in leaves(bodies) for name in place}
        for base, known in ((Input, fields), (Query, queries)):
            for model in every_input(base):
                of_an_import = model.__name__.startswith("Imported")  # see tests of the import
                if model.__module__.startswith("allthing.") and not of_an_import:
                    read = {field.alias or name for name, field in model.model_fields.items()}
                    assert read <= known, f"{model.__name__}: add an example to tests/routes.py"

    def test_every_one_is_taken(self, app: Flask, polls: Polls) -> None:
        for number, request in enumerate(requests(app, {})):
            ids = store(polls, title=f"Poll {number}")
            response = Request(request.method, request.rule, ids).send(app.test_client())

            assert response.status_code == request.example.status, (str(request), response.text)

    def test_required_fields_are_enough(self, app: Flask, polls: Polls) -> None:
        for request in with_body(app, store(polls)):
            body = {name: request.body[name] for name in request.example.required}

            assert send(app, request, json.dumps(body).encode()).status_code == 200, str(request)


def nested(depth: int, opening: str = "[", closing: str = "]") -> bytes:
    return b'{"extra":%b1%b}' % (opening.encode() * depth, closing.encode() * depth)


MALFORMED = {
    "empty": (b"", 400),
    "cut off": (b"{", 400),
    "trailing garbage": (b'{"a":1}x', 400),
    "not JSON": (b"rankedChoices=1", 400),
    "single quotes": (b"{'a':1}", 400),
    "null": (b"null", 422),
    "list": (b"[]", 422),
    "text": (b'"x"', 422),
    "number": (b"1", 422),
    "true": (b"true", 422),
    "invalid UTF-8": (b'{"a":"\xff\xfe"}', 400),
    "Latin-1": ('{"a":"\xe9"}'.encode("latin-1"), 400),
    "UTF-16": ('{"a":"b"}'.encode("utf-16"), 400),
    "surrogate in UTF-8": (b'{"a":"\xed\xa0\x80"}', 400),
    "overlong UTF-8": (b'{"a":"\xc0\x80"}', 400),
    "byte order mark": (b"\xef\xbb\xbf{}", 400),
    "NaN": (b'{"extra":NaN}', 400),
    "Infinity": (b'{"extra":[-Infinity]}', 400),
    "5,000 digits": (b'{"extra":%b}' % (b"9" * 5000), 400),
    "duplicate name": (b'{"option":"a","option":"b"}', 400),
    "duplicate name inside": (b'{"extra":[{"a":1,"a":1}]}', 400),
    "raw control character": (b'{"a":"\x01"}', 400),
    "NUL in a text": (b'{"extra":"a\\u0000b"}', 422),
    "NUL in a name": (b'{"a\\u0000b":1}', 422),
    "half a surrogate pair": (b'{"extra":"\\ud800"}', 422),
    "21 lists deep": (nested(21), 422),
    "990 lists deep": (nested(990), 422),
    "8,000 lists deep": (nested(8000), 422),
    "500 objects deep": (nested(500, '{"a":', "}"), 422),
    "8,000 open lists": (b"[" * 8000, 422),
}


@pytest.mark.parametrize(("data", "status"), MALFORMED.values(), ids=MALFORMED)
def test_malformed_body_is_refused_by_every_route(
    app: Flask, polls: Polls, data: bytes, status: int
) -> None:
    walked = with_body(app, store(polls))
    before = contents(app)

    for request in walked:
        assert_refused(send(app, request, data), status)

    assert contents(app) == before


CONTENT_TYPES = {
    "none": None,
    "text": "text/plain",
    "form": "application/x-www-form-urlencoded",
    "multipart": "multipart/form-data; boundary=x",
    "UTF-7": "application/json; charset=utf-7",
    "UTF-16": "application/json; charset=utf-16",
    "Latin-1": "application/json; charset=iso-8859-1",
    "XML": "application/xml",
    "junk": ";;;",
    "long": "application/json" + "x" * 5000,
}


@pytest.mark.parametrize("content_type", CONTENT_TYPES.values(), ids=CONTENT_TYPES)
def test_body_of_another_type_is_refused_by_every_route(
    app: Flask, polls: Polls, content_type: str | None
) -> None:
    walked = with_body(app, store(polls))
    before = contents(app)

    for request in walked:
        data = json.dumps(request.body).encode()
        assert_refused(send(app, request, data, content_type=content_type), 415)

    assert contents(app) == before


@pytest.mark.parametrize("encoding", ["gzip", "GZIP", "deflate", "br", "identity, gzip", "junk"])
def test_packed_body_is_refused_unread(app: Flask, polls: Polls, encoding: str) -> None:
    walked = with_body(app, store(polls))
    before = contents(app)

    for request in walked:
        data = gzip.compress(json.dumps(request.body).encode())
        headers = HEADERS | {"Content-Encoding": encoding}
        assert_refused(send(app, request, data, headers=headers), 415)

    assert contents(app) == before


@pytest.mark.parametrize("content_type", [JSON, 'application/json; charset="UTF-8"'])
def test_json_in_utf_8_is_taken(app: Flask, polls: Polls, content_type: str) -> None:
    for request in with_body(app, store(polls)):
        data = json.dumps(request.body).encode()
        assert send(app, request, data, content_type=content_type).status_code == 200


@pytest.mark.parametrize("declared", [True, False], ids=["with its length", "chunked"])
def test_too_large_a_body_is_refused(app: Flask, polls: Polls, declared: bool) -> None:
    walked = with_body(app, store(polls))
    before = contents(app)

    for request in walked:
        limit = VOTE_LIMIT if request.endpoint == VOTE else BODY_LIMIT
        data = json.dumps(request.body).encode().ljust(limit + 1)
        chunked = {"CONTENT_LENGTH": "", "wsgi.input_terminated": True}
        response = send(app, request, data, environ_overrides={} if declared else chunked)
        assert_refused(response, 413)

    assert contents(app) == before


def test_body_of_exactly_the_limit_is_taken(app: Flask, polls: Polls) -> None:
    for request in with_body(app, store(polls)):
        limit = VOTE_LIMIT if request.endpoint == VOTE else BODY_LIMIT
        data = json.dumps(request.body).encode().ljust(limit)
        assert send(app, request, data).status_code == 200


def test_routes_without_a_body_ignore_what_is_sent(app: Flask, polls: Polls) -> None:
    """The admin pages send none, and no Content-Type; what comes all the same is not read."""
    for number, request in enumerate(requests(app, {})):
        if request.example.body is None:
            ids = store(polls, title=f"Poll {number}")
            filled = Request(request.method, request.rule, ids)
            response = send(app, filled, b"{\xff", content_type="text/plain")
            assert response.status_code == request.example.status, str(request)


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


WORTHLESS_IDS = [
    "nope",
    "0",
    "-1",
    " ",
    "null",
    "a" * 36,
    "x" * 5000,
    "\0",
    "a\0b",
    "' OR 1=1 --",
    '"',
    "%",
    "_" * 36,
    "..",
    "../../categories",
    "..\\x",
    "🍲",
    "\u202e",
    "é",
    "\r\nX-Injected: 1",
    "{{7*7}}",
    "${x}",
    "١٢٣",
    str(uuid.UUID(int=0)),
    str(uuid.uuid4()),
]


class TestPaths:
    @pytest.mark.parametrize("worthless", WORTHLESS_IDS, ids=lambda value: ascii(value)[:20])
    def test_worthless_id_is_not_found(self, app: Flask, polls: Polls, worthless: str) -> None:
        walked = [request for request in requests(app, store(polls)) if request.rule.arguments]
        before = contents(app)

        for request in walked:
            for name in request.rule.arguments:
                path = request.path(**{name: worthless})
                response = request.send(app.test_client(), path=path)
                assert_refused(response, 404)
                assert "X-Injected" not in response.headers

        assert contents(app) == before

    @pytest.mark.parametrize(
        "spell", [str.upper, "{{{}}}".format, lambda i: i.replace("-", ""), "urn:uuid:{}".format]
    )
    def test_id_in_another_spelling_is_not_found(
        self, app: Flask, polls: Polls, spell: Any
    ) -> None:
        ids = store(polls)

        for request in requests(app, ids):
            for name in request.rule.arguments:
                path = request.path(**{name: spell(ids[name])})
                assert_refused(request.send(app.test_client(), path=path), 404)

    def test_bytes_that_are_no_utf_8_are_not_found(self, app: Flask, polls: Polls) -> None:
        for request in requests(app, store(polls)):
            for name in request.rule.arguments:
                raw = request.path(**{name: "MARK"}).replace("MARK", "caf\xe9\xff")
                response = request.send(app.test_client(), environ_overrides={"PATH_INFO": raw})
                assert_refused(response, 404)

    @pytest.mark.parametrize("entity_id", ["x" * 5000, "a\0b", "🍲" * 40, "' OR 1=1 --"])
    def test_worthless_id_below_admin_is_audited(
        self, app: Flask, polls: Polls, admin: Admin, entity_id: str
    ) -> None:
        walked = [
            request
            for request in requests(app, store(polls))
            if request.rule.rule.startswith("/admin") and request.method != "GET"
        ]

        for request in (request for request in walked if request.rule.arguments):
            known = len(admin.audit(limit=200, success="false"))
            names = dict.fromkeys(request.rule.arguments, entity_id)
            request.send(app.test_client(), path=request.path(**names))
            rows = admin.audit(limit=200, success="false")
            assert len(rows) == known + 1, str(request)
            assert 0 < len(rows[0]["entityId"]) <= 36

    @pytest.mark.parametrize(
        "misspell",
        [
            "{}/".format,
            "{};x".format,
            "{}.json".format,
            "{}%00".format,
            "{}%20".format,
            "/.{}".format,
            "/x/..{}".format,
            "/%2e{}".format,
            str.title,
            str.upper,
            lambda path: "/" + path[1:].replace("/", "//"),
            lambda path: "/" + path[1:].replace("/", "\\"),
        ],
    )
    @pytest.mark.parametrize("key", [None, ADMIN_KEY])
    def test_misspelled_path_leads_nowhere(
        self, app: Flask, polls: Polls, key: str | None, misspell: Any
    ) -> None:
        headers = {"Origin": ORIGIN} | ({"x-admin-key": key} if key else {})
        walked = requests(app, store(polls))
        before = contents(app)

        for request in walked:
            path = unquote(misspell(request.path()))
            if request.rule.rule == "/" or path == request.path():
                continue
            raw = {"PATH_INFO": path}
            response = request.send(app.test_client(), environ_overrides=raw, headers=headers)
            assert_refused(response, 404, *[] if key else [401])

        assert contents(app) == before

    @pytest.mark.parametrize("worthless", WORTHLESS_IDS, ids=lambda value: ascii(value)[:20])
    def test_file_that_the_documentation_lacks_is_not_found(
        self, app: Flask, worthless: str
    ) -> None:
        path = quote(worthless, safe="") + "/x"
        response = app.test_client().get(f"/docs/{path}", headers={"Origin": ORIGIN})
        assert_refused(response, 404)

    def test_leading_slashes_change_neither_route_nor_guard(self, app: Flask) -> None:
        for path, status in (("//healthz", 200), ("///admin/categories", 401)):
            response = app.test_client().get("/", environ_overrides={"PATH_INFO": path})
            assert response.status_code == status

    def test_unknown_method_is_refused_with_those_that_are_known(
        self, app: Flask, polls: Polls
    ) -> None:
        walked = requests(app, store(polls))
        before = contents(app)

        for request in walked:
            for method in ("TRACE", "PROPFIND", "CONNECT", "BREW", "X" * 100):
                response = app.test_client().open(request.path(), method=method, headers=HEADERS)
                assert_refused(response, 405, 404)
                assert request.method in response.headers["Allow"]

        assert contents(app) == before

    def test_head_is_answered_as_get_without_a_body(self, app: Flask, polls: Polls) -> None:
        for request in requests(app, store(polls)):
            if request.method == "GET":
                response = app.test_client().head(
                    request.path(), headers=HEADERS, query_string=request.query
                )
                assert (response.status_code, response.data) == (200, b""), str(request)

    def test_options_names_the_methods_and_does_nothing(self, app: Flask, polls: Polls) -> None:
        walked = requests(app, store(polls))
        before = contents(app)

        for request in walked:
            response = app.test_client().options(request.path(), headers=HEADERS)
            assert response.status_code == 200
            assert request.method in response.headers["Allow"]

        assert contents(app) == before

    def test_method_can_not_be_overridden(self, app: Flask, polls: Polls) -> None:
        walked = requests(app, store(polls))
        before = contents(app)

        for request in walked:
            if request.method == "GET":
                for name in ("X-HTTP-Method-Override", "X-HTTP-Method", "X-Method-Override"):
                    headers = HEADERS | {name: "DELETE"}
                    response = request.send(app.test_client(), headers=headers)
                    assert response.status_code == 200, str(request)

        assert contents(app) == before


BEYOND_THE_CALENDAR = urlsafe_b64encode(
    f"9999-12-31T23:59:59-23:59|{uuid.UUID(int=0)}".encode()
).decode()
WORTHLESS_VALUES = {
    "pollDate": [
        "",
        "tomorrow",
        "2026-02-30",
        "0000-01-01",
        "99999-01-01",
        "2026-1-1",
        "20260101",
        "2026-W01-1",
        "2026-01-01T00:00:00+02:00",
        "٢٠٢٦-01-01",
        "2026-01-01 ",
        "1",
    ],
    "limit": ["", "0", "-1", "1e9", "1000000000", "abc", "9" * 5000, "1.5", "٣x", "2147483648"],
    "success": ["", "maybe", "2", "nul"],
    "cursor": [
        BEYOND_THE_CALENDAR,
        "",
        "x",
        "é",
        "MjAzMQ==",
        "=" * 5000,
        "MjAzMS0xMy00MHwwMDAw",
        "_" * 64,
    ],
}
WORTHLESS_VALUES["isActive"] = WORTHLESS_VALUES["force"] = WORTHLESS_VALUES["success"]
WORTHLESS_VALUES["days"] = WORTHLESS_VALUES["limit"]
WORTHLESS_VALUES["offset"] = [*WORTHLESS_VALUES["limit"], str(2**63)]
WORTHLESS_VALUES["from"] = WORTHLESS_VALUES["to"] = [
    "",
    "tomorrow",
    "2026-02-30",
    "0000-01-01",
    "99999-01-01",
    "2026-01-01T23:59:60Z",
    "2026-01-01T12:00:00",
]
OVERFLOWING = ["0001-01-01", "9999-12-31", "0001-01-01T00:00:00+23:59", "9999-12-31T23:59:59-23:59"]
FREE_TEXTS = ["%", "_", "' OR 1=1 --", "🍲", "x" * 5000, "", "\x1b", "\r\nX-Injected: 1"]
FREE = {"adminKeyHash", "action", "entityType", "entityId", "categoryId"}


class TestQueries:
    def walk(self, app: Flask, ids: dict[str, str]) -> list[tuple[Request, str]]:
        return [(r, name) for r in requests(app, ids) for name in r.query]

    def test_every_parameter_has_values_to_be_refused(self) -> None:
        names = {name for example in EXAMPLES.values() for name in example.query}

        assert names <= WORTHLESS_VALUES.keys() | FREE

    def test_worthless_value_is_refused(self, app: Flask, polls: Polls) -> None:
        walked = self.walk(app, store(polls))
        before = contents(app)

        for request, name in walked:
            for value in ["a\0b", *WORTHLESS_VALUES.get(name, [])]:
                query = request.query | {name: value}
                assert_refused(request.send(app.test_client(), query_string=query), 422)

        assert contents(app) == before

    def test_dates_at_the_ends_of_the_calendar_break_nothing(
        self, app: Flask, polls: Polls
    ) -> None:
        """They may be days like others, or refused where what is reckoned from them is none."""
        for request, name in self.walk(app, store(polls)):
            for value in OVERFLOWING if name in {"pollDate", "from", "to"} else ():
                query = request.query | {name: value}
                response = request.send(app.test_client(), query_string=query)
                assert response.status_code in {200, 404, 422}, (str(request), name, value)

    def test_free_text_is_taken_literally(self, app: Flask, polls: Polls) -> None:
        for request, name in self.walk(app, store(polls)):
            for value in FREE_TEXTS if name in FREE else ():
                query = request.query | {name: value}
                response = request.send(app.test_client(), query_string=query)
                found = response.json.get("auditLogs", response.json.get("templates"))
                assert (response.status_code, found) == (200, []), (str(request), name, value)
                assert "X-Injected" not in response.headers

    def test_bytes_that_are_no_utf_8_break_nothing(self, app: Flask, polls: Polls) -> None:
        for request, name in self.walk(app, store(polls)):
            query = f"{name}=caf\xe9\xff%ff%ed%a0%80"
            response = request.send(app.test_client(), environ_overrides={"QUERY_STRING": query})
            assert response.status_code in {200, 422}, (str(request), name)

    def test_parameter_given_twice_is_refused(self, app: Flask, polls: Polls) -> None:
        for request, name in self.walk(app, store(polls)):
            query = [*request.query.items(), (name, request.query[name])]
            assert_refused(request.send(app.test_client(), query_string=query), 422)

    def test_missing_date_is_refused(self, app: Flask, polls: Polls) -> None:
        for request, name in self.walk(app, store(polls)):
            if name == "pollDate":
                assert_refused(request.send(app.test_client(), query_string={}), 422)

    def test_unknown_parameters_are_ignored(self, app: Flask, polls: Polls) -> None:
        for number, request in enumerate(requests(app, {})):
            filled = Request(request.method, request.rule, store(polls, title=f"Poll {number}"))
            query = filled.query | {"extra": "a\0b", "x-admin-key": "wrong", "": "x"}
            response = filled.send(app.test_client(), query_string=query)
            assert response.status_code == request.example.status, str(request)


UNUSUAL_HEADERS = {
    "another Accept": {"Accept": "text/html"},
    "no Accept at all": {"Accept": "*/*;q=0"},
    "junk in Accept": {"Accept": "\xff;q=x,,;"},
    "junk If-None-Match": {"If-None-Match": 'W/"' + "x" * 8000},
    "junk If-Modified-Since": {"If-Modified-Since": "yesterday"},
    "Range": {"Range": "bytes=0-1"},
    "junk cookies": {"Cookie": "=;;\xff=\xfe; vt; " + "x" * 4000},
    "Basic credentials": {"Authorization": "Basic !!!"},
    "another Host": {"Host": "evil.example"},
    "forwarded": {"X-Forwarded-For": "x" * 8000, "X-Forwarded-Proto": "gopher"},
    "no user agent": {"User-Agent": ""},
    "long user agent": {"User-Agent": "\xff" * 8000},
    "place": {"cf-ipcountry": "NOWHERE", "cf-region": "\xff" * 300},
}


@pytest.mark.parametrize("trusted_proxies", [0, 1])
@pytest.mark.parametrize("headers", UNUSUAL_HEADERS.values(), ids=UNUSUAL_HEADERS)
def test_unusual_header_changes_no_answer(
    polls: Polls, make_app: AppFactory, headers: dict[str, str], trusted_proxies: int
) -> None:
    app = make_app(trusted_proxies=trusted_proxies)

    for request in requests(app, store(polls)):
        if request.method == "GET" or request.endpoint == VOTE:
            client = app.test_client(use_cookies=False)
            response = request.send(client, headers=HEADERS | headers)
            assert response.status_code == 200, (str(request), response.text)
            assert response.content_type == JSON
            assert "evil.example" not in str(response.headers)


class TestVotes:
    """What only a vote can get wrong; tests/test_voting.py has the rules of ballots."""

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

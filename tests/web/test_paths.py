"""Odd paths, ids and methods reach nothing that they should not.

An id is compared as text: a UUID in upper case, in braces or without dashes is unknown. OPTIONS
without `Access-Control-Request-Method` is no preflight; it says which methods there are, below
/admin to those with a key.
"""

import uuid
from typing import Any
from urllib.parse import quote, unquote

import pytest
from flask import Flask

from tests.conftest import ADMIN_KEY
from tests.support.api import Admin, Polls
from tests.support.routes import HEADERS, ORIGIN, assert_refused, contents, requests, store

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
    "1b4e28ba-2fa1-41d2-883f-0016d3cca427",
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
            assert len(rows[0]["entityId"] or "") <= 36
            assert 0 < len(rows[0]["metadata"]["path"]) <= 256

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
                answer = response.status_code, response.data
                assert answer == (request.example.status, b""), str(request)

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
                    assert response.status_code == request.example.status, str(request)

        assert contents(app) == before

"""Odd query strings and headers: refused or without effect, on every route.

A query parameter that is given twice is 422; one that no route knows is ignored.
"""

import uuid
from base64 import urlsafe_b64encode

import pytest
from flask import Flask

from allthing.web.typed_views import view_spec
from tests.conftest import AppFactory
from tests.support.api import Polls
from tests.support.bodies import JSON, VOTE
from tests.support.examples import EXAMPLES
from tests.support.routes import HEADERS, Request, assert_refused, contents, requests, store

PROBLEM = "application/problem+json"
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
        for request in requests(app, {}):
            filled = Request(request.method, request.rule, store(polls))
            query = filled.query | {"extra": "a\0b", "x-admin-key": "wrong", "": "x"}
            response = filled.send(app.test_client(), query_string=query)
            assert response.status_code == request.example.status, str(request)


UNUSUAL_HEADERS = {
    "another Accept, host and place": {
        "Accept": "text/html",
        "Host": "evil.example",
        "cf-ipcountry": "NOWHERE",
        "cf-region": "\xff" * 300,
    },
    "no Accept at all, no user agent, a part": {
        "Accept": "*/*;q=0",
        "User-Agent": "",
        "Range": "bytes=0-1",
        "If-Modified-Since": "yesterday",
        "Authorization": "Basic !!!",
    },
    "junk": {
        "Accept": "\xff;q=x,,;",
        "If-None-Match": 'W/"' + "x" * 8000,
        "Cookie": "=;;\xff=\xfe; vt; " + "x" * 4000,
        "X-Forwarded-For": "x" * 8000,
        "X-Forwarded-Proto": "gopher",
        "User-Agent": "\xff" * 8000,
    },
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
            status = request.example.status
            assert response.status_code == status, (str(request), response.text)
            typed = view_spec(app, request.endpoint)
            usual = typed.media_type if typed else JSON
            assert response.content_type == (usual if status == 200 else PROBLEM)
            assert "evil.example" not in str(response.headers)

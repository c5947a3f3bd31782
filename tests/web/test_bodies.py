"""Malformed bodies are refused in one place, on every route: a clear 4xx, and nothing is stored.

A byte order mark before the JSON is 400, as are a name given twice in one object, NaN and
Infinity, and a number of thousands of digits. Nested too deep is 422, at whatever depth.
"""

import gzip
import json

import pytest
from flask import Flask

from tests.support.api import Polls
from tests.support.bodies import BODY_LIMIT, JSON, VOTE, VOTE_LIMIT, send, with_body
from tests.support.routes import HEADERS, Request, assert_refused, contents, requests, store


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
    "500 open lists": (b"[" * 500, 400),
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


def test_lists_that_never_end_are_refused_by_every_route(app: Flask, polls: Polls) -> None:
    """As no JSON or as nested too deep: which comes first depends on the Python."""
    for request in with_body(app, store(polls)):
        assert_refused(send(app, request, b"[" * 8000), 400, 422)


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
    for request in requests(app, {}):
        if request.example.body is None:
            filled = Request(request.method, request.rule, store(polls))
            response = send(app, filled, b"{\xff", content_type="text/plain")
            assert response.status_code == request.example.status, str(request)

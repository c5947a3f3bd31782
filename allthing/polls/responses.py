"""Answers made of prepared bytes: what a reader has already is not sent again."""

import time
from typing import Any

import orjson
from flask import Response, request

from allthing.cache import Reading
from allthing.web.typed_views import JSON

Headers = list[tuple[str, str]]

JSON_HEADERS = [("Content-Type", JSON)]
STALE_HEADERS = [("Cache-Control", "no-store"), ("Warning", '110 - "Response is Stale"')]

# A cached body begins with the first of these. Which one it gets when it is sent, is told in the
# contract: whether it was cached, and beside that whether it may be out of date.
CACHED = b'{"cached":true,'
COMPUTED = b'{"cached":false,'
STALE = b'{"cached":true,"stale":true,'


def written(data: Any) -> bytes:
    """Write `data` as the body of a cached answer."""
    return CACHED + b'"data":' + orjson.dumps(data) + b"}"


def answer_json(reading: Reading, *, frozen: bool = False) -> Response:
    """Answer with what `written` wrote; what is `frozen` counts as cached from the first."""
    body = reading.value.data
    if reading.is_stale:
        body = body.replace(CACHED, STALE, 1)
    elif not reading.was_cached and not frozen:
        body = body.replace(CACHED, COMPUTED, 1)
    return answer(reading, body, JSON_HEADERS)


def answer(reading: Reading, body: bytes, headers: Headers) -> Response:
    """Answer with the body, or 304 to a reader whose copy is still right.

    A reader may keep a copy, but has to ask each time: who has just voted must see the own vote.
    """
    value = reading.value
    if reading.is_stale:
        age = str(round(time.monotonic() - value.noted))
        return Response(body, headers=[*headers, *STALE_HEADERS, ("Age", age)])
    # The bytes also tell whether they were cached, so the tag is that of the data: a weak one.
    told = [("ETag", f'W/"{value.etag}"'), ("Cache-Control", "no-cache")]
    asked: str | None = request.environ.get("HTTP_IF_NONE_MATCH")
    if asked is not None and names(asked, value.etag):
        return Response(status=304, headers=told)
    return Response(body, headers=[*headers, *told])


def names(asked: str, etag: str) -> bool:
    """Tell whether If-None-Match names the tag; ours has no comma, so anything may be split."""
    return any(tag.strip() in {f'W/"{etag}"', f'"{etag}"', "*"} for tag in asked.split(","))

"""Responses made of prepared bytes: what a reader has already is not sent again."""

import time
from typing import Any
from wsgiref.types import WSGIEnvironment

import orjson
from flask import Response, request
from werkzeug.datastructures import Headers

from allthing.cache import CachedRead
from allthing.web.typed_views import JSON

HeaderList = list[tuple[str, str]]

JSON_HEADERS = [("Content-Type", JSON)]
STALE_HEADERS = [("Cache-Control", "no-store"), ("Warning", '110 - "Response is Stale"')]

# A cached body begins with the first of these. Which one it gets when it is sent, is told in the
# contract: whether it was cached, and beside that whether it may be out of date.
CACHED = b'{"cached":true,'
COMPUTED = b'{"cached":false,'
STALE = b'{"cached":true,"stale":true,'


class PreparedResponse(Response):
    """A response with a body, whose headers are complete as they are: nothing is left to derive."""

    def get_wsgi_headers(self, environ: WSGIEnvironment) -> Headers:  # noqa: ARG002
        return self.headers


def cacheable_body(data: Any) -> bytes:
    """Write `data` as the body of a cached JSON response."""
    return CACHED + b'"data":' + orjson.dumps(data) + b"}"


def json_response(read: CachedRead, *, frozen: bool = False) -> Response:
    """Respond with what `cacheable_body` wrote; what is `frozen` always counts as cached."""
    body = read.value.data
    if read.is_stale:
        body = body.replace(CACHED, STALE, 1)
    elif not read.was_cached and not frozen:
        body = body.replace(CACHED, COMPUTED, 1)
    return conditional_response(read, body, JSON_HEADERS)


def conditional_response(read: CachedRead, body: bytes, headers: HeaderList) -> Response:
    """Respond with the body, or 304 to a reader whose copy is still right.

    A reader may keep a copy, but has to ask each time: who has just voted must see the own vote.
    """
    value = read.value
    if read.is_stale:
        age = str(round(time.monotonic() - value.computed_at))
        return PreparedResponse(body, headers=[*headers, *STALE_HEADERS, ("Age", age)])
    # The bytes also tell whether they were cached, so the tag is that of the data: a weak one.
    cache_headers = [("ETag", f'W/"{value.etag}"'), ("Cache-Control", "no-cache")]
    if_none_match: str | None = request.environ.get("HTTP_IF_NONE_MATCH")
    if if_none_match is not None and matches(if_none_match, value.etag):
        return Response(status=304, headers=cache_headers)
    return PreparedResponse(body, headers=[*headers, *cache_headers])


def matches(if_none_match: str, etag: str) -> bool:
    """Tell whether If-None-Match names the tag; ours has no comma, so anything may be split.

    Werkzeug's `parse_etags` takes 15 ms for 8 KB of commas, a hundred times the rest of a read.
    """
    ours = {f'W/"{etag}"', f'"{etag}"', "*"}
    return any(tag.strip() in ours for tag in if_none_match.split(","))

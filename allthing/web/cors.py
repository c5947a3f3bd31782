"""Cross-origin rules: which pages may call, told on every answer, errors included."""

from flask import Flask, request
from flask.wrappers import Response

from allthing.config import settings
from allthing.errors import Problem

METHODS = "GET, POST, PUT, PATCH, DELETE"
HEADERS = "content-type, idempotency-key, x-admin-key"
MAX_AGE_SECONDS = 600
METHOD_ASKED_FOR = "HTTP_ACCESS_CONTROL_REQUEST_METHOD"


def origin_is_allowed(origin: str) -> bool:
    """Compare scheme, host and port as a whole: a prefix that looks alike is another origin."""
    return origin.lower() in settings().cors_origins


def answer_preflight() -> Response | None:
    """Answer a preflight before it is counted or authenticated: it carries no key.

    Raises `Problem` for an origin that is not allowed.
    """
    # Read from the environment: this is asked of every request, and `headers` is no plain dict.
    if request.method != "OPTIONS" or METHOD_ASKED_FOR not in request.environ:
        return None
    if not origin_is_allowed(request.headers.get("Origin", "")):
        raise Problem("this origin is not allowed to call the API")
    headers = {
        "Access-Control-Allow-Methods": METHODS,
        "Access-Control-Allow-Headers": HEADERS,
        "Access-Control-Max-Age": str(MAX_AGE_SECONDS),
    }
    return Response(status=204, headers=headers)


def add_cors_headers(response: Response) -> Response:
    response.headers.add("Vary", "Origin")
    origin = request.environ.get("HTTP_ORIGIN")
    if origin is not None and origin_is_allowed(origin):
        response.headers["Access-Control-Allow-Origin"] = origin
        response.headers["Access-Control-Allow-Credentials"] = "true"
    return response


def init_app(app: Flask) -> None:
    app.before_request(answer_preflight)
    app.after_request(add_cors_headers)

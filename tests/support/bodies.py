"""Bodies for tests that walk the routes: an example with one value of it replaced."""

import json
from typing import Any

from flask import Flask
from werkzeug.test import TestResponse

from tests.support.routes import Request, requests

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

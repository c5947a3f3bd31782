"""What there is to reach: the product's own answers, given by bare Flask and by raw WSGI.

`BENCH_ANSWERS` names a JSON file: for each "METHOD path" the headers and the body of the answer.
A POST parses its JSON body first.
"""

import json
import os
from collections.abc import Callable, Iterable
from http import HTTPStatus
from pathlib import Path
from typing import Any

from flask import Flask, Response, request

Headers = list[tuple[str, str]]
Answers = dict[str, tuple[Headers, bytes]]


def read_answers() -> Answers:
    recorded = json.loads(Path(os.environ["BENCH_ANSWERS"]).read_text())
    return {
        place: ([(name, value) for name, value in headers], body.encode())
        for place, (headers, body) in recorded.items()
    }


def make_flask_app(answers: Answers) -> Flask:
    """Return the least app that gives these answers in Flask's own way."""
    app = Flask(__name__, static_folder=None)
    for place, (headers, body) in answers.items():
        method, path = place.split(" ")
        view = make_view(method, headers, body)
        app.add_url_rule(path, endpoint=place.replace(".", "-"), view_func=view, methods=[method])
    return app


def make_view(method: str, headers: Headers, body: bytes) -> Callable[[], Response]:
    def read() -> Response:
        return Response(body, headers=headers)

    def write() -> Response:
        request.get_json()
        return Response(body, headers=headers)

    return write if method == "POST" else read


def make_raw_app(answers: Answers) -> Callable[..., Iterable[bytes]]:
    """Return the same without any framework."""

    def app(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        headers, body = answers[f"{environ['REQUEST_METHOD']} {environ['PATH_INFO']}"]
        if environ["REQUEST_METHOD"] == "POST":
            json.loads(environ["wsgi.input"].read(int(environ["CONTENT_LENGTH"])))
        length = ("Content-Length", str(len(body)))
        start_response(f"{HTTPStatus.OK.value} OK", [*headers, length])
        return [body]

    return app


flask_app = make_flask_app(read_answers())
raw_app = make_raw_app(read_answers())

"""Errors that come after the view: whoever raises, the answer is one of ours."""

import sqlite3

import pytest
from flask import Response
from sqlalchemy.exc import OperationalError

from tests.conftest import AppFactory
from tests.support.api import ORIGIN
from tests.support.routes import assert_refused


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (ZeroDivisionError("secret"), 500),
        (OperationalError("SELECT secret", None, sqlite3.OperationalError("away")), 503),
    ],
    ids=["ours", "the database's"],
)
@pytest.mark.parametrize("path", ["/polls/today", "/admin/categories", "/no-such-path"])
def test_error_in_an_after_request_hook_is_answered_as_any_other(
    make_app: AppFactory, error: Exception, status: int, path: str
) -> None:
    app = make_app()
    failures = [error]

    def fail_once(response: Response) -> Response:
        if failures:
            raise failures.pop()
        return response

    app.after_request(fail_once)
    response = app.test_client().get(path, headers={"Origin": ORIGIN})

    assert_refused(response, status)
    assert "secret" not in response.text
    if status == 500:
        assert response.json["detail"] == "something went wrong on our side; it has been logged"

"""Errors: `Problem`, what database errors mean, and every error as problem+json (RFC 9457)."""

import logging
from http import HTTPStatus

from flask import Flask, Response, jsonify
from sqlalchemy import exc
from werkzeug.exceptions import HTTPException, InternalServerError

RETRY_AFTER_SECONDS = 2  # that a client should wait where we can't serve

log = logging.getLogger(__name__)


class Problem(Exception):
    """A refused request: its status, a sentence for the person who reads it, further headers."""

    status = HTTPStatus.BAD_REQUEST

    def __init__(self, detail: str, headers: dict[str, str] | None = None) -> None:
        super().__init__(detail)
        self.detail = detail
        self.headers = headers or {}


class Invalid(Problem):
    """What was sent breaks a rule of its form or its meaning."""

    status = HTTPStatus.UNPROCESSABLE_ENTITY


class Forbidden(Problem):
    """The one who asks may not do this."""

    status = HTTPStatus.FORBIDDEN


class NotFound(Problem):
    """There is nothing by this id or path."""

    status = HTTPStatus.NOT_FOUND


class Conflict(Problem):
    """What is stored does not allow this."""

    status = HTTPStatus.CONFLICT


class Unavailable(Problem):
    """Something that we depend on is away; the client may try again soon."""

    status = HTTPStatus.SERVICE_UNAVAILABLE

    def __init__(self, detail: str) -> None:
        super().__init__(detail, {"Retry-After": str(RETRY_AFTER_SECONDS)})


def as_problem(error: exc.SQLAlchemyError) -> Problem | None:
    """Say what a database error means to a client; None if it is a bug of ours."""
    match error:
        case exc.DataError():
            return Invalid("a value is out of the range that can be stored")
        case exc.IntegrityError():
            return Conflict("this contradicts what is stored")
        case exc.ProgrammingError() | exc.OperationalError() if is_missing_table(error):
            return Unavailable("the database is not migrated: run flask db upgrade")
        case exc.OperationalError() | exc.InternalError() if is_misuse(error):
            return None
        case (
            exc.OperationalError() | exc.InterfaceError() | exc.InternalError() | exc.TimeoutError()
        ):
            return Unavailable("the database does not answer, try again soon")
    return None


def is_missing_table(error: exc.DBAPIError) -> bool:
    """Recognise an empty database: PostgreSQL by its code, SQLite by its words."""
    undefined_table = getattr(error.orig, "pgcode", None) == "42P01"
    return undefined_table or "no such table" in str(error.orig)


def is_misuse(error: exc.DBAPIError) -> bool:
    """Recognise what only a bug of ours can cause: a transaction used wrongly, SQLite's bad SQL."""
    code = getattr(error.orig, "pgcode", None) or getattr(error.orig, "sqlite_errorname", None)
    return code in {"25001", "25P01", "25P02", "SQLITE_ERROR"}


def problem_response(status: int, detail: str, headers: dict[str, str] | None = None) -> Response:
    """Build the only error body there is; `detail` is always a string."""
    body = {
        "type": "about:blank",
        "title": HTTPStatus(status).phrase,
        "status": int(status),
        "detail": detail,
    }
    response = jsonify(body)
    response.status_code = status
    response.content_type = "application/problem+json"
    response.headers.update(headers or {})
    return response


def handle_problem(error: Problem) -> Response:
    return problem_response(error.status, error.detail, error.headers)


def handle_http_exception(error: HTTPException) -> Response:
    """Keep the status and headers (Allow, Retry-After…) of an HTTP error, not its HTML."""
    if isinstance(error, InternalServerError) and isinstance(error.original_exception, Exception):
        return handle_unexpected(error.original_exception)  # raised by an after-request hook
    headers = {name: value for name, value in error.get_headers() if name != "Content-Type"}
    return problem_response(error.code or 500, error.description or error.name, headers)


def handle_unexpected(error: Exception) -> Response:
    """Respond to what no rule foresaw: a database that is away is 503, all else is our bug."""
    problem = as_problem(error) if isinstance(error, exc.SQLAlchemyError) else None
    if problem is None:
        log.error("unexpected error", exc_info=error)
        return problem_response(500, "something went wrong on our side; it has been logged")
    log.warning("database refused", extra={"status": problem.status, "error": str(error)[:500]})
    return handle_problem(problem)


def init_app(app: Flask) -> None:
    app.url_map.merge_slashes = False  # a path is exact: 404, no HTML that leads elsewhere
    app.register_error_handler(Problem, handle_problem)
    app.register_error_handler(HTTPException, handle_http_exception)
    app.register_error_handler(Exception, handle_unexpected)

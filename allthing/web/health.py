"""Health: `/healthz` says that the process lives, `/readyz` whether it can do its work."""

from http import HTTPStatus

from flask import Blueprint
from flask.typing import ResponseReturnValue
from pydantic import MISSING
from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError

from allthing.database import db
from allthing.database.engine import database_is_unresponsive
from allthing.redis_client import redis_state
from allthing.runtime.deadlines import deadline
from allthing.web.rate_limits import limiter
from allthing.web.typed_views import Out, typed_view

ANSWER_SECONDS = 1

bp = Blueprint("health", __name__)


class GreetingAnswer(Out):
    ok: bool = True
    service: str = "allthing"


class LiveAnswer(Out):
    ok: bool = True
    status: str = "healthy"


class ComponentsOut(Out):
    database: str
    redis: str


class ReadyAnswer(Out):
    """`detail` says why not, where something is not ready."""

    ok: bool
    status: str
    components: ComponentsOut
    detail: str | MISSING = MISSING


@bp.get("/")
@typed_view()
def greet() -> GreetingAnswer:
    """Say what this is."""
    return GreetingAnswer()


@bp.get("/healthz")
@limiter.exempt
@typed_view()
def live() -> LiveAnswer:
    """Say that the process lives; nothing else is asked."""
    return LiveAnswer()


@bp.get("/readyz")
@limiter.exempt
@typed_view(answer=ReadyAnswer, statuses=(HTTPStatus.OK, HTTPStatus.SERVICE_UNAVAILABLE))
def ready() -> ResponseReturnValue:
    """Say whether we can serve: 503 without the database; Redis may be away."""
    database, reason = database_state()
    redis = redis_state()
    is_ready = database == "healthy"
    body = {
        "ok": is_ready,
        "status": "healthy" if is_ready and redis != "unhealthy" else "degraded",
        "components": {"database": database, "redis": redis},
    }
    return body | ({"detail": reason} if reason else {}), 200 if is_ready else 503


def database_state() -> tuple[str, str | None]:
    """Ask for the migration the schema is at: an empty database is no database."""
    if database_is_unresponsive():
        return "unhealthy", "the database does not respond"
    try:
        with deadline(ANSWER_SECONDS):
            db.session.execute(text("SELECT version_num FROM alembic_version"))
    except SQLAlchemyError as error:
        return "unhealthy", f"the database does not answer: {type(error).__name__}"
    return "healthy", None

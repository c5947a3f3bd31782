"""Health: `/healthz` says that the process lives, `/readyz` whether it can do its work."""

from flask import Blueprint
from flask.typing import ResponseReturnValue
from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError

from allthing.database import db
from allthing.limits import limiter
from allthing.redis_client import redis_state

bp = Blueprint("health", __name__)


@bp.get("/")
def greet() -> ResponseReturnValue:
    return {"ok": True, "service": "allthing"}


@bp.get("/healthz")
@limiter.exempt
def live() -> ResponseReturnValue:
    return {"ok": True, "status": "healthy"}


@bp.get("/readyz")
@limiter.exempt
def ready() -> ResponseReturnValue:
    """Answer 503 only without the database: Redis may be away, we serve all the same."""
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
    try:
        db.session.execute(text("SELECT version_num FROM alembic_version"))
    except SQLAlchemyError as error:
        return "unhealthy", f"the database does not answer: {type(error).__name__}"
    return "healthy", None

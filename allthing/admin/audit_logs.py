"""The audit log, to be read: filtered, newest first, page by page."""

import re
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Annotated, Any

from flask import Blueprint
from pydantic import BeforeValidator, Field, WithJsonSchema
from sqlalchemy import ColumnElement, literal, select, tuple_

from allthing.database import Id, Instant, db
from allthing.models import AdminAuditLog
from allthing.runtime import clock
from allthing.web.field_types import DAY_PATTERN, parse_day
from allthing.web.request_data import Query
from allthing.web.typed_views import Out, typed_view

DEFAULT_PAGE = 50
MAX_PAGE = 200
EXACT_FILTERS = ("admin_key_hash", "action", "entity_type", "entity_id", "success")
POSITION = re.compile(r"([0-9T:.+-]+)\|([0-9a-f-]{36})")

bp = Blueprint("audit_logs", __name__, url_prefix="/audit-logs")


def parse_instant(value: str) -> datetime:
    """Read an instant with its offset, or a date: the beginning of that poll day."""
    day = parse_day(value[: len("2031-05-04")])
    if len(value) == len("2031-05-04"):
        return clock.start_of(day)
    try:
        instant = datetime.fromisoformat(value)
    except ValueError as error:
        raise ValueError("is neither a date nor an instant such as 2031-05-04T12:00Z") from error
    if instant.tzinfo is None:
        raise ValueError("needs an offset, as in 2031-05-04T12:00Z")
    return instant.astimezone(UTC)


def parse_cursor(cursor: str) -> tuple[datetime, str]:
    """Read where the page before ended: the instant and the id of its last row."""
    try:
        position = POSITION.fullmatch(urlsafe_b64decode(cursor).decode())
        if position is not None:
            return datetime.fromisoformat(position[1]).astimezone(UTC), position[2]
    except (ValueError, OverflowError):
        pass
    raise ValueError("is not a cursor of this list")


def cursor_after(row: AdminAuditLog) -> str:
    return urlsafe_b64encode(f"{row.created_at.isoformat()}|{row.id}".encode()).decode()


Moment = Annotated[
    datetime,
    BeforeValidator(parse_instant),
    WithJsonSchema(
        {
            "type": "string",
            "pattern": DAY_PATTERN,
            "anyOf": [{"format": "date"}, {"format": "date-time"}],
            "description": "An instant with its offset, or the beginning of a poll day.",
        }
    ),
]
Cursor = Annotated[
    tuple[datetime, str],
    BeforeValidator(parse_cursor),
    WithJsonSchema({"type": "string", "description": "`nextCursor` of the page before."}),
]


class AuditLogQuery(Query):
    """Which rows: equal in every given field, from `from` on and before `to`."""

    admin_key_hash: str | None = None
    action: str | None = None
    entity_type: str | None = None
    entity_id: str | None = None
    success: bool | None = None
    since: Moment | None = Field(None, alias="from")
    until: Moment | None = Field(None, alias="to")
    limit: Annotated[int, Field(ge=1, le=MAX_PAGE)] = DEFAULT_PAGE
    cursor: Cursor | None = None


class AuditLogOut(Out):
    id: str
    action: str
    entity_type: str | None
    entity_id: str | None
    admin_key_hash: str | None
    ip_address: str | None
    user_agent: str | None
    changes: dict[str, Any] | None
    details: dict[str, Any] | None = Field(serialization_alias="metadata")
    success: bool
    error_message: str | None
    created_at: datetime


class AuditLogsAnswer(Out):
    audit_logs: list[AuditLogOut]
    next_cursor: str | None


def find_audit_logs(query: AuditLogQuery) -> tuple[Sequence[AdminAuditLog], str | None]:
    """Return one page, newest first, and the cursor of the next one, if there is one."""
    rows = db.session.scalars(
        select(AdminAuditLog)
        .where(*conditions(query))
        .order_by(AdminAuditLog.created_at.desc(), AdminAuditLog.id.desc())
        .limit(query.limit + 1)
    ).all()
    page = rows[: query.limit]
    return page, cursor_after(page[-1]) if len(rows) > query.limit else None


def conditions(query: AuditLogQuery) -> list[ColumnElement[bool]]:
    given = query.model_dump(include=set(EXACT_FILTERS), exclude_none=True)
    found = [getattr(AdminAuditLog, name) == value for name, value in given.items()]
    if query.since:
        found.append(AdminAuditLog.created_at >= query.since)
    if query.until:
        found.append(AdminAuditLog.created_at < query.until)
    if query.cursor:
        instant, row_id = query.cursor
        row = tuple_(AdminAuditLog.created_at, AdminAuditLog.id)
        found.append(row < tuple_(literal(instant, Instant), literal(row_id, Id)))
    return found


@bp.get("")
@typed_view()
def list_audit_logs(query: AuditLogQuery) -> AuditLogsAnswer:
    """List what admins did, newest first, a page at a time."""
    page, cursor = find_audit_logs(query)
    return AuditLogsAnswer(audit_logs=page, next_cursor=cursor)

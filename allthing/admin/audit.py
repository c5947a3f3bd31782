"""The audit trail: who did what, in the transaction of what was done.

A view says `@audited(...)`, the rule it calls records what it changes (`models.changes`), and the
blueprint's after-request hook writes the row.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar
from urllib.parse import quote

from flask import Flask, request

from allthing.admin.auth import AdminContext
from allthing.database import ID_LENGTH, db
from allthing.models import AdminAuditLog
from allthing.models.changes import Change, recorded_change

READING_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
REFUSED_KEY = "admin_key_refused"

View = TypeVar("View", bound=Callable[..., Any])


@dataclass(frozen=True)
class Audited:
    """What a view or a command does, as the audit names it."""

    action: str
    entity_type: str | None


def audited(action: str, entity_type: str | None = None) -> Callable[[View], View]:
    """Name the action of a view. Without this a view that changes anything can't be served."""

    def decorate(view: View) -> View:
        view.__dict__["audited"] = Audited(action, entity_type)
        return view

    return decorate


def audited_view(app: Flask, endpoint: str | None) -> Audited | None:
    found: Audited | None = getattr(app.view_functions.get(endpoint or ""), "audited", None)
    return found


def require_audited_views(app: Flask, prefix: str) -> None:
    """Raise `RuntimeError` if a route below `prefix` may change something and is not `@audited`."""
    for rule in app.url_map.iter_rules():
        changes = (rule.methods or set()) - READING_METHODS
        if rule.rule.startswith(prefix) and changes and not audited_view(app, rule.endpoint):
            raise RuntimeError(f"{rule.rule} ({rule.endpoint}) changes things but is not @audited")


def log_admin_action(
    admin: AdminContext,
    what: Audited,
    change: Change,
    error: str | None = None,
) -> None:
    """Add one audit row to the session; the caller commits it with the change or by itself."""
    db.session.add(
        AdminAuditLog(
            action=what.action,
            entity_type=what.entity_type,
            entity_id=(change.entity_id or "")[:ID_LENGTH] or None,
            admin_key_hash=admin.key_hash,
            ip_address=admin.address,
            user_agent=admin.user_agent,
            changes=change.changes,
            details={"admin": admin.key_name, "via": admin.via, **change.details},
            success=error is None,
            error_message=error,
        )
    )


def requested_change(what: Audited) -> Change:
    """Return the change this request recorded, with the entity of the path if it got no further.

    What comes out of the path is kept percent-encoded: it may hold what can't be stored.
    """
    change = recorded_change()
    named = (request.view_args or {}).get(f"{what.entity_type}_id")
    if change.entity_id is None and named is not None:
        change.entity_id = quote(str(named))
    change.details |= {"method": request.method, "path": quote(request.path)[:256]}
    return change

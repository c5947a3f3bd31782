"""The audit trail: who did what, in the transaction of what was done.

A section's view only says `@audited(...)` and what it changed; the gate's hook writes the row.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar
from urllib.parse import quote

from flask import Flask, g, request

from allthing.admin.auth import AdminContext
from allthing.database import ID_LENGTH, db
from allthing.models import AdminAuditLog

READING_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
REFUSED_KEY = "admin_key_refused"

View = TypeVar("View", bound=Callable[..., Any])
Values = Mapping[str, Any]


@dataclass(frozen=True)
class Audited:
    """What a view does, as the audit names it."""

    action: str
    entity_type: str | None


@dataclass
class Description:
    """What a request did: to which entity, and the values before and after."""

    entity_id: str | None = None
    changes: dict[str, Any] | None = None
    details: dict[str, Any] = field(default_factory=dict)


def audited(action: str, entity_type: str | None = None) -> Callable[[View], View]:
    """Name the action of a view. Without this a view that changes anything can't be served."""

    def mark(view: View) -> View:
        view.__dict__["audited"] = Audited(action, entity_type)
        return view

    return mark


def describe(
    entity_id: str | None = None,
    *,
    before: Values | None = None,
    after: Values | None = None,
    details: Values | None = None,
) -> None:
    """Tell the hook what this request changed; only values that differ are kept."""
    g.audit = Description(entity_id, difference(before, after), dict(details or {}))


def difference(before: Values | None, after: Values | None) -> dict[str, Any] | None:
    """Return `{"before": …, "after": …}` with the entries that differ; None if nothing does."""
    old, new = dict(before or {}), dict(after or {})
    changed = [name for name in {**old, **new} if old.get(name) != new.get(name)]
    if not changed:
        return None
    return {
        "before": {name: old[name] for name in changed if name in old} or None,
        "after": {name: new[name] for name in changed if name in new} or None,
    }


def audited_view(app: Flask, endpoint: str | None) -> Audited | None:
    marked: Audited | None = getattr(app.view_functions.get(endpoint or ""), "audited", None)
    return marked


def require_audited_views(app: Flask, prefix: str) -> None:
    """Stop the app if a route below `prefix` may change something and has no action's name."""
    for rule in app.url_map.iter_rules():
        changes = (rule.methods or set()) - READING_METHODS
        if rule.rule.startswith(prefix) and changes and not audited_view(app, rule.endpoint):
            raise RuntimeError(f"{rule.rule} ({rule.endpoint}) changes things but is not @audited")


def log_admin_action(
    admin: AdminContext,
    what: Audited,
    description: Description,
    error: str | None = None,
) -> None:
    """Add one audit row to the session; the caller commits it with the change or by itself."""
    db.session.add(
        AdminAuditLog(
            action=what.action,
            entity_type=what.entity_type,
            entity_id=(description.entity_id or "")[:ID_LENGTH] or None,
            admin_key_hash=admin.key_hash,
            ip_address=admin.address,
            user_agent=admin.user_agent,
            changes=description.changes,
            details={"admin": admin.key_name, "via": admin.door, **description.details},
            success=error is None,
            error_message=error,
        )
    )


def described_request() -> Description:
    """Return what the view described, with the entity of the path where it got no further.

    What comes out of the path is kept percent-encoded: it may hold what can't be stored.
    """
    description: Description = g.get("audit") or Description()
    path_ids = list((request.view_args or {}).values())
    if description.entity_id is None and path_ids:
        description.entity_id = quote(str(path_ids[0]))
    description.details |= {"method": request.method, "path": quote(request.path)[:256]}
    return description

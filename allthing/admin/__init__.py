"""Admin blueprint: authenticates every request and commits each change with its audit row."""

import logging
from http import HTTPStatus

from flask import Blueprint, Flask, current_app, g, request
from flask.wrappers import Response
from sqlalchemy.exc import SQLAlchemyError

from allthing.admin import (
    analytics,
    audit_logs,
    categories,
    imports,
    instances,
    operations,
    plans,
    presets,
    preview,
    snapshots,
    templates,
)
from allthing.admin.audit import (
    READING_METHODS,
    REFUSED_KEY,
    Audited,
    audited_view,
    log_admin_action,
    requested_change,
    require_audited_views,
)
from allthing.admin.auth import require_admin
from allthing.admin.throttling import throttle_wrong_keys
from allthing.config import settings
from allthing.database import db
from allthing.database.transactions import retry_once
from allthing.errors import Unavailable, handle_problem
from allthing.runtime.deadlines import set_deadline

PREFIX = "/admin"

log = logging.getLogger(__name__)

bp = Blueprint("admin", __name__, url_prefix=PREFIX)
for section in (
    analytics,
    audit_logs,
    categories,
    imports,
    instances,
    operations,
    plans,
    presets,
    preview,
    snapshots,
    templates,
):
    bp.register_blueprint(section.bp)


@bp.before_request
def authenticate() -> None:
    """Let only requests with an admin key reach a view."""
    set_deadline(settings().db_statement_timeout)  # an import is no vote: it may take long
    retry_once(throttle_wrong_keys)
    require_admin()


@bp.after_request
def commit_with_audit(response: Response) -> Response:
    """Commit what the view did together with its audit row, or only the row of a failure.

    If the row can't be written, neither is the change, and the answer says so.
    """
    what = audited_view(current_app, request.endpoint)
    if response.status_code == HTTPStatus.UNAUTHORIZED:
        what = Audited(REFUSED_KEY, what.entity_type if what else None)
    elif request.method in READING_METHODS:  # OPTIONS comes to changing views as well
        what = None
    if what is None or "admin" not in g:  # the latter was refused before it was authenticated
        return response
    if response.status_code < HTTPStatus.BAD_REQUEST:
        try:
            log_admin_action(g.admin, what, requested_change(what))
            db.session.commit()
        except SQLAlchemyError:
            log.exception("an admin action could not be audited", extra={"action": what.action})
            response = handle_problem(Unavailable("the change could not be recorded: not made"))
        else:
            return response
    record_refusal(what, response)
    return response


def record_refusal(what: Audited, response: Response) -> None:
    """Write the row of a failure by itself; if even that fails, the log has to do."""
    db.session.rollback()
    detail = f"{response.status_code} {(response.get_json(silent=True) or {}).get('detail', '')}"
    try:
        log_admin_action(g.admin, what, requested_change(what), error=detail)
        db.session.commit()
    except SQLAlchemyError:
        db.session.rollback()
        log.exception("a refused admin action could not be audited", extra={"action": what.action})


def init_app(app: Flask) -> None:
    app.register_blueprint(bp)
    require_audited_views(app, PREFIX)

"""Authentication and audit: no request gets in without a key, no change is made without its row.

These tests walk the URL map, so that a new route can't escape them.
"""

import hashlib
from collections.abc import Callable, Iterator

import pytest
from flask import Flask
from sqlalchemy import text

from allthing.admin import categories
from allthing.admin.audit import READING_METHODS, audited, audited_view, require_audited_views
from allthing.database import db, find
from allthing.models import PollCategory
from allthing.models.changes import record_change, recorded_change
from tests.conftest import ADMIN_KEY
from tests.support.api import Admin, Polls
from tests.support.examples import EXAMPLES
from tests.support.routes import Request, contents, requests, store

WRONG_KEYS = (None, "wrong", "", " ", "k\xe9y", ADMIN_KEY + "x")
UNKNOWN_IDS = ("no-such-id", "x" * 5000)


def admin_requests(app: Flask, ids: dict[str, str]) -> list[Request]:
    return [request for request in requests(app, ids) if request.path().startswith("/admin")]


def changes(request: Request) -> bool:
    return request.method not in READING_METHODS


def audit_rows(app: Flask) -> int:
    with app.app_context():
        return db.session.scalar(text('SELECT count(*) FROM "adminAuditLogs"'))


def test_every_changing_route_has_an_example(app: Flask, polls: Polls) -> None:
    changing = [request for request in admin_requests(app, store(polls)) if changes(request)]

    assert {request.endpoint for request in changing} <= set(EXAMPLES)
    assert len(changing) > 20


def test_every_route_refuses_a_missing_and_a_wrong_key_alike(app: Flask, polls: Polls) -> None:
    for request in admin_requests(app, store(polls)):
        before, answers = contents(app), set()
        for key in WRONG_KEYS:
            rows = audit_rows(app)
            headers = {} if key is None else {"x-admin-key": key}
            response = request.send(app.test_client(), headers=headers)
            answers.add(response.data)
            assert response.status_code == 401, request
            assert audit_rows(app) == rows + 1, request
        assert len(answers) == 1, request
        assert contents(app) == before, request


def test_every_success_leaves_exactly_one_row_with_the_key(
    app: Flask, admin: Admin, polls: Polls
) -> None:
    for number, example in enumerate(admin_requests(app, store(polls))):
        request = admin_requests(app, store(polls))[number]
        rows = audit_rows(app)

        response = request.send(app.test_client())

        assert response.status_code == example.example.status, (request, response.text)
        assert audit_rows(app) == rows + changes(example), request
        if changes(request):
            row = admin.audit()[0]
            assert row["success"] is (example.example.status == 200)
            assert row["action"] == audited_view(app, request.endpoint).action
            assert row["adminKeyHash"] == hashlib.sha256(ADMIN_KEY.encode()).hexdigest()
            assert row["ipAddress"] == "127.0.0.1"
            assert row["metadata"]["admin"] == "admin"


def test_every_refusal_leaves_exactly_one_row_and_nothing_else(
    app: Flask, admin: Admin, polls: Polls
) -> None:
    for request in filter(changes, admin_requests(app, store(polls))):
        refusals: list[dict] = []
        if request.body is not None:
            refusals.append({"json": [1]})
        if request.rule.arguments:
            unknown = (dict.fromkeys(request.rule.arguments, x) for x in UNKNOWN_IDS)
            refusals += [{"path": request.path(**ids)} for ids in unknown]
        for refusal in refusals:
            before, rows = contents(app), audit_rows(app)

            response = request.send(app.test_client(), **refusal)

            assert response.status_code in {404, 422}, (request, response.text)
            assert audit_rows(app) == rows + 1, request
            assert contents(app) == before, request
            row = admin.audit()[0]
            assert row["success"] is False
            assert row["action"] == audited_view(app, request.endpoint).action
            assert row["adminKeyHash"] == hashlib.sha256(ADMIN_KEY.encode()).hexdigest()
            assert response.json["detail"] in row["errorMessage"]
            of_this_kind = f"{row['entityType']}_id" in request.rule.arguments
            assert (row["entityId"] is not None) is of_this_kind, request


def test_options_changes_nothing_and_leaves_no_row(app: Flask, admin: Admin, polls: Polls) -> None:
    walked = admin_requests(app, store(polls))
    before, rows = contents(app), audit_rows(app)

    for request in walked:
        answer = admin.call("OPTIONS", request.path().removeprefix("/admin"))
        assert (answer.status_code, "OPTIONS" in answer.headers["Allow"]) == (200, True), request

    assert (contents(app), audit_rows(app)) == (before, rows)


def test_a_changing_route_without_an_action_stops_the_app_at_start() -> None:
    other = Flask("other")
    other.add_url_rule("/admin/forgotten", "forgotten", lambda: "", methods=["DELETE"])

    with pytest.raises(RuntimeError, match="forgotten"):
        require_audited_views(other, "/admin")


def test_a_fault_of_ours_undoes_the_change_and_is_audited(
    app: Flask, admin: Admin, monkeypatch: pytest.MonkeyPatch
) -> None:
    category = admin.category(name="Food")
    endpoint = f"admin.{categories.bp.name}.update_category"
    monkeypatch.setitem(app.view_functions, endpoint, half_done_view())

    response = admin.call("PUT", f"/categories/{category['id']}")

    assert response.status_code == 500
    assert response.json["status"] == 500
    row = admin.audit()[0]
    assert (row["success"], row["entityId"]) == (False, category["id"])
    assert (row["changes"], "createdCount" in row["metadata"]) == (None, False)
    assert admin.done("GET", "/categories")["categories"][0]["name"] == "Food"


def test_what_is_rolled_back_is_recorded_no_more(app: Flask) -> None:
    with app.app_context():
        for entity_id, rest in (("first", db.session.rollback), ("second", db.session.commit)):
            db.session.execute(text("SELECT 1"))
            record_change(entity_id)
            rest()
        db.session.execute(text("SELECT 1"))
        record_change("third")
        db.session.rollback()

        assert recorded_change().entity_id == "second"


def half_done_view() -> Callable[..., str]:
    @audited("category_updated", "category")
    def view(category_id: str) -> str:
        find(PollCategory, category_id).name = "Half done"
        db.session.flush()
        record_change(category_id, before={"name": 1}, details={"createdCount": 1})
        raise ZeroDivisionError

    return view


@pytest.fixture
def no_new_audit_rows(app: Flask) -> Iterator[None]:
    """Let the audit log be read, but not written."""
    rename = 'ALTER TABLE "adminAuditLogs" RENAME COLUMN "{}" TO "{}"'
    with app.app_context():
        db.session.execute(text(rename.format("userAgent", "away")))
        db.session.commit()
        yield
        db.session.execute(text(rename.format("away", "userAgent")))
        db.session.commit()


@pytest.mark.usefixtures("no_new_audit_rows")
def test_a_change_that_cannot_be_audited_is_not_made(admin: Admin) -> None:
    response = admin.call("POST", "/categories", {"key": "food", "name": "Food"})

    assert response.status_code == 503
    assert int(response.headers["Retry-After"]) > 0
    assert admin.done("GET", "/categories") == {"categories": []}

"""The audit log as admins read it: what it holds, its filters, its pages, its indexes."""

import hashlib
from datetime import timedelta

import pytest
import time_machine
from flask import Flask
from sqlalchemy import text

from allthing.database import db
from allthing.runtime import clock
from tests.support.api import Admin, Json, Polls
from tests.support.queries import statements


def hash_of(key: str) -> str:
    return hashlib.sha256(key.encode()).hexdigest()


def test_changes_hold_what_changed_before_and_after(admin: Admin) -> None:
    category = admin.category(key="food", name="Food")

    admin.done("PUT", f"/categories/{category['id']}", {"name": "Meals", "sortOrder": 0})

    assert admin.audit()[0]["changes"] == {"before": {"name": "Food"}, "after": {"name": "Meals"}}
    assert admin.audit()[1]["changes"]["after"]["key"] == "food"


def test_log_is_filtered_by_each_field(app: Flask, admin: Admin) -> None:
    category = admin.category()
    admin.call("PUT", "/categories/unknown", {"name": "Meals"})
    Admin(app.test_client(), "wrong").call("GET", "/categories")

    def actions(**filters: object) -> list[str]:
        return [row["action"] for row in admin.audit(**filters)]

    assert actions() == ["admin_key_refused", "category_updated", "category_created"]
    assert actions(success="true") == ["category_created"]
    assert actions(success="false") == ["admin_key_refused", "category_updated"]
    assert actions(action="category_created") == ["category_created"]
    assert actions(entityId=category["id"]) == ["category_created"]
    assert actions(entityType="category", entityId="unknown") == ["category_updated"]
    assert actions(adminKeyHash=hash_of("wrong")) == ["admin_key_refused"]


def test_log_is_filtered_by_time(admin: Admin) -> None:
    noon = clock.now().replace(year=2031, month=5, day=4, hour=12)
    for hours, key in ((0, "first"), (24, "second")):
        with time_machine.travel(noon + timedelta(hours=hours), tick=False):
            admin.category(key=key)

    def keys(**filters: str) -> list[str]:
        return [row["changes"]["after"]["key"] for row in admin.audit(**filters)]

    assert keys(**{"from": "2031-05-05"}) == ["second"]
    assert keys(to="2031-05-05") == ["first"]
    assert keys(**{"from": "2031-05-04T11:00:00Z", "to": "2031-05-04T14:00:00+00:00"}) == ["first"]


def test_pages_follow_each_other_without_gap_or_repetition(admin: Admin) -> None:
    with time_machine.travel(clock.now(), tick=False):  # one instant for all: the id decides
        for number in range(7):
            admin.category(key=f"category-{number}")
    seen, cursor = [], ""
    while cursor is not None:
        page = admin.call(
            "GET", "/audit-logs", query_string={"limit": 3} | ({"cursor": cursor} if cursor else {})
        ).json
        seen += [row["id"] for row in page["auditLogs"]]
        cursor = page["nextCursor"]

    assert seen == [row["id"] for row in admin.audit()]
    assert len(seen) == 7


@pytest.mark.parametrize(
    "query",
    [
        *("limit=0", "limit=201", "limit=x", "success=maybe", "action=a&action=b", "entityId=%00"),
        *("from=tomorrow", "to=2031-05-04T12:00:00", "cursor=x", "cursor=AAAA"),
    ],
)
def test_bad_filters_are_refused(admin: Admin, query: str) -> None:
    response = admin.call("GET", f"/audit-logs?{query}")

    assert response.status_code == 422
    assert isinstance(response.json["detail"], str)


@pytest.mark.postgresql
@pytest.mark.parametrize(
    "filters",
    [
        {},
        {"adminKeyHash": "key 7"},
        {"entityType": "category", "entityId": "entity 7"},
        {"success": "false"},
        {"action": "action 7"},
    ],
    ids=lambda filters: "+".join(filters) or "all",
)
def test_each_question_to_a_long_log_is_answered_from_an_index(
    app: Flask, admin: Admin, filters: Json
) -> None:
    with app.app_context():
        db.session.execute(
            text(
                """INSERT INTO "adminAuditLogs" (id, action, "entityType", "entityId",
                    "adminKeyHash", success, "createdAt")
                SELECT gen_random_uuid(), 'action ' || n % 50, 'category', 'entity ' || n % 500,
                    'key ' || n % 50, n % 50 <> 0, now() - n * interval '1 minute'
                FROM generate_series(1, 20000) n"""
            )
        )
        db.session.commit()
        db.session.execute(text('ANALYZE "adminAuditLogs"'))
        with statements(db.engine) as sent:
            assert admin.audit(**filters)
        explain = db.session.connection().exec_driver_sql
        plans = ["\n".join(explain(f"EXPLAIN {sql}", values).scalars()) for sql, values in sent]

    assert len(plans) == 2  # before it is asked who has tried wrong keys
    for plan in plans:
        assert "Index Scan using" in plan
        assert "Sort" not in plan


def test_a_created_category_is_found_in_the_table(polls: Polls, app: Flask, admin: Admin) -> None:
    category = admin.category(key="science", name="Science")

    with app.app_context():
        newest = db.session.execute(
            text('SELECT action, "entityId" FROM "adminAuditLogs" ORDER BY "createdAt" DESC')
        ).first()

    assert tuple(newest) == ("category_created", category["id"])

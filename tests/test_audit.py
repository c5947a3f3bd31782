"""The gate: nobody gets in without a key, nothing gets out without its audit row.

These tests walk the URL map, so that a new route can't escape them.
"""

import hashlib
from collections.abc import Callable, Iterator
from datetime import timedelta

import pytest
import time_machine
from flask import Flask
from sqlalchemy import text
from werkzeug.routing import Rule

from allthing import admin as gate
from allthing import clock
from allthing.admin.audit import READING_METHODS, audited_view, require_audited_views
from allthing.database import Base, db
from tests.api import Admin, Json, Polls, today
from tests.conftest import ADMIN_KEY
from tests.queries import statements

OPTIONS = [{"label": "Leek"}, {"label": "Pea"}]

# A request that succeeds, for every route that changes something: (path, body).
Request = tuple[str, object]
VALID: dict[str, Callable[[Admin], Request]] = {
    "admin.categories.create_category": lambda _: ("/categories", {"key": "food", "name": "Food"}),
    "admin.categories.update_category": lambda a: (
        f"/categories/{a.category()['id']}",
        {"name": "Drinks"},
    ),
    "admin.templates.create_template": lambda a: (
        "/templates",
        {
            "categoryId": a.category()["id"],
            "title": "Soup",
            "pollType": "SINGLE",
            "options": OPTIONS,
        },
    ),
    "admin.templates.update_template": lambda a: (
        f"/templates/{a.template()['id']}",
        {"title": "Best broth"},
    ),
    "admin.templates.set_active": lambda a: (
        f"/templates/{a.template()['id']}/active",
        {"isActive": False},
    ),
    "admin.templates.set_featured": lambda a: (
        f"/templates/{a.template()['id']}/featured",
        {"featured": True},
    ),
    "admin.templates.replace_options": lambda a: (
        f"/templates/{a.template()['id']}/options",
        {"options": OPTIONS},
    ),
    "admin.instances.close": lambda a: (f"/instances/{open_instance(a)['id']}/close", None),
    "admin.operations.roll_over": lambda _: (f"/rollover?pollDate={today()}", None),
    "admin.operations.close_polls": lambda _: (f"/close?pollDate={today()}", None),
}


def open_instance(admin: Admin) -> Json:
    admin.template()
    admin.rollover()
    return admin.done("GET", f"/instances?pollDate={today()}")["instances"][0]


def admin_routes(app: Flask) -> list[tuple[Rule, str]]:
    """Return every rule below /admin with each of its methods."""
    return [
        (rule, method)
        for rule in app.url_map.iter_rules()
        if rule.rule.startswith("/admin")
        for method in sorted((rule.methods or set()) - {"HEAD", "OPTIONS"})
    ]


def changing_routes(app: Flask) -> list[tuple[Rule, str]]:
    return [(r, m) for r, m in admin_routes(app) if m not in READING_METHODS]


def filled(rule: Rule) -> str:
    """Return the rule's path below /admin with an unknown id in every place."""
    with_ids = rule.build(dict.fromkeys(rule.arguments, "no-such-id"), append_unknown=False)
    assert with_ids is not None
    return with_ids[1].removeprefix("/admin")


def stored(app: Flask) -> dict[str, int]:
    """Return the number of rows of every table."""
    with app.app_context():
        return {
            table.name: db.session.scalar(text(f'SELECT count(*) FROM "{table.name}"'))
            for table in Base.metadata.sorted_tables
        }


def test_every_changing_route_has_a_valid_example(app: Flask) -> None:
    assert {rule.endpoint for rule, _ in changing_routes(app)} == set(VALID)


def test_every_route_refuses_a_missing_and_a_wrong_key_alike(app: Flask) -> None:
    for rule, method in admin_routes(app):
        answers = []
        for key in (None, "wrong", "", " ", "k\xe9y", ADMIN_KEY + "x"):
            before = stored(app)
            response = Admin(app.test_client(), key).call(method, filled(rule), {"name": "x"})
            after = stored(app)
            answers.append(response.data)
            assert response.status_code == 401, rule
            assert after.pop("adminAuditLogs") == before.pop("adminAuditLogs") + 1, rule
            assert after == before, rule
        assert len(set(answers)) == 1, rule


def test_every_success_leaves_exactly_one_row_with_the_key(app: Flask, admin: Admin) -> None:
    for rule, method in changing_routes(app):
        with app.app_context():
            for table in reversed(Base.metadata.sorted_tables):
                db.session.execute(table.delete())
            db.session.commit()
        path, body = VALID[rule.endpoint](admin)
        known = {row["id"] for row in admin.audit()}

        response = admin.call(method, path, body)

        assert response.status_code == 200, (rule, response.text)
        (row,) = [row for row in admin.audit() if row["id"] not in known]
        assert row["success"] is True
        assert row["action"] == audited_view(app, rule.endpoint).action
        assert row["adminKeyHash"] == hash_of(ADMIN_KEY)
        assert row["ipAddress"] == "127.0.0.1"
        assert row["metadata"]["admin"] == "admin"


def test_every_refusal_leaves_exactly_one_row_and_nothing_else(app: Flask, admin: Admin) -> None:
    for rule, method in changing_routes(app):
        refusals: list[tuple[str, dict]] = [(f"{filled(rule)}?pollDate=nonsense", {"json": [1]})]
        if rule.arguments:
            refusals.append((filled(rule), {"json": {}}))
            refusals.append((filled(rule).replace("no-such-id", "x" * 5000), {"json": {}}))
        for path, arguments in refusals:
            before = stored(app)

            response = admin.call(method, path, **arguments)

            after = stored(app)
            assert response.status_code in {404, 415, 422}, (rule, response.text)
            assert after.pop("adminAuditLogs") == before.pop("adminAuditLogs") + 1, rule
            assert after == before, rule
            row = admin.audit()[0]
            assert row["success"] is False
            assert row["action"] == audited_view(app, rule.endpoint).action
            assert row["adminKeyHash"] == hash_of(ADMIN_KEY)
            assert response.json["detail"] in row["errorMessage"]


def test_a_changing_route_without_an_action_stops_the_app_at_start(app: Flask) -> None:
    other = Flask("other")
    other.add_url_rule("/admin/forgotten", "forgotten", lambda: "", methods=["DELETE"])

    with pytest.raises(RuntimeError, match="forgotten"):
        require_audited_views(other, "/admin")


def test_a_failure_of_ours_is_audited_too(
    app: Flask, admin: Admin, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken() -> None:
        raise ZeroDivisionError

    category = admin.category()
    monkeypatch.setitem(app.view_functions, "admin.categories.update_category", broken_view(broken))

    response = admin.call("PUT", f"/categories/{category['id']}", {"name": "New name"})

    assert response.status_code == 500
    assert admin.audit(success="false")[0]["entityId"] == category["id"]


def broken_view(fault: Callable[[], None]) -> Callable[..., str]:
    @gate.audit.audited("category_updated", "category")
    def view(category_id: str) -> str:
        gate.categories.find(gate.categories.PollCategory, category_id).name = "Half done"
        db.session.flush()
        fault()
        return ""

    return view


@pytest.fixture
def no_audit_table(app: Flask) -> Iterator[None]:
    rename = 'ALTER TABLE "{}" RENAME TO "{}"'
    with app.app_context():
        db.session.execute(text(rename.format("adminAuditLogs", "away")))
        db.session.commit()
        yield
        db.session.execute(text(rename.format("away", "adminAuditLogs")))
        db.session.commit()


@pytest.mark.usefixtures("no_audit_table")
def test_a_change_that_cannot_be_audited_is_not_made(app: Flask, admin: Admin) -> None:
    response = admin.call("POST", "/categories", {"key": "food", "name": "Food"})

    assert response.status_code == 503
    assert int(response.headers["Retry-After"]) > 0
    assert admin.done("GET", "/categories") == {"categories": []}


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
    ["limit=0", "limit=201", "limit=x", "success=maybe", "from=tomorrow", "cursor=x", "cursor=AAAA"]
    + ["to=2031-05-04T12:00:00", "action=a&action=b", "entityId=%00"],
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
        (query,) = sent
        plan = "\n".join(
            db.session.connection().exec_driver_sql(f"EXPLAIN {query[0]}", query[1]).scalars()
        )

    assert "Index Scan using" in plan
    assert "Sort" not in plan


def test_a_created_category_is_found_in_the_table(polls: Polls, app: Flask, admin: Admin) -> None:
    category = admin.category(key="science", name="Science")

    with app.app_context():
        newest = db.session.execute(
            text('SELECT action, "entityId" FROM "adminAuditLogs" ORDER BY "createdAt" DESC')
        ).first()

    assert tuple(newest) == ("category_created", category["id"])


def hash_of(key: str) -> str:
    return hashlib.sha256(key.encode()).hexdigest()

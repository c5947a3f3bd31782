"""Plans over HTTP: what is stored for a date, replaced, refused and deleted."""

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import date, timedelta

import pytest
from flask import Flask
from sqlalchemy import text

from allthing.database import db, find
from allthing.models import PollTemplate
from tests.support.api import Admin, Json, today

TODAY = date.fromisoformat(today())
DAY = TODAY.isoformat()
SOUPS = [{"label": "Beet", "sortOrder": 1}, {"label": "Onion", "sortOrder": 0}]
UNKNOWN = "00000000-0000-0000-0000-000000000000"


@pytest.fixture
def template(admin: Admin) -> Json:
    return admin.template(question="Which?")


def wait_for_waiting(transactions: int) -> None:
    """Return once so many transactions wait for a lock that another one holds."""
    waiting = text("SELECT count(*) FROM pg_locks WHERE NOT granted")
    deadline = time.monotonic() + 2
    while (db.session.scalar(waiting) or 0) < transactions:
        assert time.monotonic() < deadline, "the requests do not meet"
        time.sleep(0.01)


class TestUpsert:
    def test_a_date_without_a_plan_has_null(self, admin: Admin, template: Json) -> None:
        assert admin.planned(template["id"], DAY) is None

    def test_a_new_plan_is_enabled_unless_said_otherwise(
        self, admin: Admin, template: Json
    ) -> None:
        answer = admin.plan(template["id"], DAY)

        assert admin.planned(template["id"], DAY) == {
            "id": answer["planId"],
            "templateId": template["id"],
            "pollDate": DAY,
            "isEnabled": True,
            "questionOverride": None,
            "options": [],
        }
        assert answer["ok"] is True

    def test_an_update_touches_only_what_is_sent(self, admin: Admin, template: Json) -> None:
        first = admin.plan(template["id"], DAY, questionOverride="Which today?", isEnabled=False)
        admin.plan_options(template["id"], DAY, SOUPS)

        again = admin.plan(template["id"], DAY, isEnabled=True)

        plan = admin.planned(template["id"], DAY)
        assert again["planId"] == first["planId"] == plan["id"]
        assert (plan["isEnabled"], plan["questionOverride"]) == (True, "Which today?")
        assert [option["label"] for option in plan["options"]] == ["Onion", "Beet"]

    @pytest.mark.parametrize("nothing", [None, "", "  "])
    def test_an_empty_question_takes_the_override_back(
        self, admin: Admin, template: Json, nothing: str | None
    ) -> None:
        admin.plan(template["id"], DAY, questionOverride="Which today?", isEnabled=False)

        admin.plan(template["id"], DAY, questionOverride=nothing)

        plan = admin.planned(template["id"], DAY)
        assert (plan["isEnabled"], plan["questionOverride"]) == (False, None)

    def test_plans_of_other_dates_and_templates_stay(self, admin: Admin, template: Json) -> None:
        admin.plan(template["id"], DAY, isEnabled=False)

        assert admin.planned(template["id"], TODAY + timedelta(days=1)) is None
        assert admin.planned(admin.template()["id"], DAY) is None

    @pytest.mark.postgresql
    @pytest.mark.parametrize(
        ("put", "fields"),
        [(Admin.plan, []), (Admin.plan_options, [SOUPS])],
        ids=["put_plan", "put_options"],
    )
    def test_eight_at_once_make_one_plan(
        self, admin: Admin, template: Json, app: Flask, put: Callable[..., Json], fields: list
    ) -> None:
        with ThreadPoolExecutor(8) as pool, app.app_context():
            find(PollTemplate, template["id"], lock="update")
            answers = [pool.submit(put, admin, template["id"], DAY, *fields) for _ in range(8)]
            wait_for_waiting(8)
            db.session.rollback()

        assert len({answer.result()["planId"] for answer in answers}) == 1


class TestOptions:
    def test_options_make_the_plan_if_there_is_none(self, admin: Admin, template: Json) -> None:
        answer = admin.plan_options(template["id"], DAY, SOUPS)

        plan = admin.planned(template["id"], DAY)
        assert answer == {"ok": True, "planId": plan["id"], "optionCount": 2}
        assert plan["isEnabled"] is True
        assert [(o["label"], o["sortOrder"]) for o in plan["options"]] == [
            ("Onion", 0),
            ("Beet", 1),
        ]

    def test_options_replace_those_before_and_leave_the_rest(
        self, admin: Admin, template: Json
    ) -> None:
        admin.plan(template["id"], DAY, questionOverride="Which today?")
        admin.plan_options(template["id"], DAY, [{"label": label} for label in "ABC"])

        admin.plan_options(template["id"], DAY, SOUPS)

        plan = admin.planned(template["id"], DAY)
        assert [option["label"] for option in plan["options"]] == ["Onion", "Beet"]
        assert plan["questionOverride"] == "Which today?"


class TestRefusals:
    @pytest.mark.parametrize(
        ("path", "body"),
        [
            ("plan", {}),
            ("plan", {"pollDate": "2031-02-30"}),
            ("plan", {"pollDate": "tomorrow"}),
            ("plan", {"pollDate": DAY, "isEnabled": None}),
            ("plan", {"pollDate": DAY, "isEnabled": "no"}),
            ("plan", {"pollDate": DAY, "questionOverride": "x" * 1001}),
            ("plan/options", {"pollDate": DAY}),
            ("plan/options", {"options": SOUPS}),
            ("plan/options", {"pollDate": DAY, "options": SOUPS[:1]}),
            ("plan/options", {"pollDate": DAY, "options": [{"label": " "}, {"label": "x"}]}),
        ],
    )
    def test_a_bad_body_changes_nothing(
        self, admin: Admin, template: Json, path: str, body: Json
    ) -> None:
        admin.plan_options(template["id"], DAY, SOUPS)
        before = admin.planned(template["id"], DAY)

        refused = admin.call("PUT", f"/templates/{template['id']}/{path}", body)

        assert refused.status_code == 422
        assert isinstance(refused.json["detail"], str)
        assert admin.planned(template["id"], DAY) == before

    @pytest.mark.parametrize("query", ["", "?pollDate=", "?pollDate=2031-5-4"])
    @pytest.mark.parametrize("method", ["GET", "DELETE"])
    def test_one_plan_is_asked_for_by_its_date(
        self, admin: Admin, template: Json, method: str, query: str
    ) -> None:
        path = f"/templates/{template['id']}/plan{query}"

        assert admin.call(method, path).status_code == 422

    @pytest.mark.parametrize(
        ("method", "path", "body"),
        [
            ("GET", f"plan?pollDate={DAY}", None),
            ("GET", f"plans?from={DAY}&to={DAY}", None),
            ("PUT", "plan", {"pollDate": DAY}),
            ("PUT", "plan/options", {"pollDate": DAY, "options": SOUPS}),
            ("DELETE", f"plan?pollDate={DAY}", None),
        ],
    )
    @pytest.mark.parametrize("template_id", [UNKNOWN, "nope"])
    def test_an_unknown_template_is_not_found(
        self, admin: Admin, template_id: str, method: str, path: str, body: Json | None
    ) -> None:
        refused = admin.call(method, f"/templates/{template_id}/{path}", body)

        assert refused.status_code == 404


class TestDeletion:
    def test_a_deleted_plan_is_gone_with_its_options(self, admin: Admin, template: Json) -> None:
        plan_id = admin.plan_options(template["id"], DAY, SOUPS)["planId"]
        path = f"/templates/{template['id']}/plan?pollDate={DAY}"

        assert admin.done("DELETE", path) == {"ok": True, "planId": plan_id}

        assert admin.planned(template["id"], DAY) is None
        assert admin.call("DELETE", path).status_code == 404

    def test_another_date_keeps_its_plan(self, admin: Admin, template: Json) -> None:
        admin.plan(template["id"], DAY)
        tomorrow = TODAY + timedelta(days=1)
        path = f"/templates/{template['id']}/plan?pollDate={tomorrow}"

        assert admin.call("DELETE", path).status_code == 404
        assert admin.planned(template["id"], DAY) is not None


def test_every_change_of_a_plan_is_audited(admin: Admin, template: Json) -> None:
    plan_id = admin.plan(template["id"], DAY, isEnabled=False)["planId"]
    admin.plan_options(template["id"], DAY, SOUPS)
    admin.done("DELETE", f"/templates/{template['id']}/plan?pollDate={DAY}")

    deleted, replaced, upserted = admin.audit(entityType="plan", entityId=plan_id)

    assert [row["action"] for row in (upserted, replaced, deleted)] == [
        "plan_upserted",
        "plan_options_replaced",
        "plan_deleted",
    ]
    assert upserted["changes"]["before"] is None
    assert upserted["changes"]["after"]["isEnabled"] is False
    assert list(replaced["changes"]["after"]) == ["options"]
    assert deleted["changes"]["before"]["pollDate"] == DAY
    assert deleted["changes"]["after"] is None

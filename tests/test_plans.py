"""Plans over HTTP: what is stored for a date, and what its rollover makes of it."""

import time
from concurrent.futures import ThreadPoolExecutor
from datetime import date, timedelta

import pytest
from flask import Flask
from sqlalchemy import text

from allthing.database import db, find
from allthing.models import PollTemplate
from tests.api import Admin, Json, today
from tests.queries import statements

TODAY = date.fromisoformat(today())
DAY = TODAY.isoformat()
SOUPS = [{"label": "Beet", "sortOrder": 1}, {"label": "Onion", "sortOrder": 0}]
UNKNOWN = "00000000-0000-0000-0000-000000000000"


@pytest.fixture
def template(admin: Admin) -> Json:
    return admin.template(question="Which?")


def put_plan(admin: Admin, template: Json, **fields: object) -> Json:
    body = {"pollDate": DAY} | fields
    return admin.done("PUT", f"/templates/{template['id']}/plan", body)


def put_options(admin: Admin, template: Json, options: object = SOUPS) -> Json:
    body = {"pollDate": DAY, "options": options}
    return admin.done("PUT", f"/templates/{template['id']}/plan/options", body)


def plan_of(admin: Admin, template: Json, day: object = DAY) -> Json | None:
    return admin.done("GET", f"/templates/{template['id']}/plan?pollDate={day}")["plan"]


def opened(admin: Admin, day: object = DAY) -> list[Json]:
    admin.rollover(day)
    return admin.done("GET", f"/instances?pollDate={day}")["instances"]


def wait_for_waiting(transactions: int) -> None:
    """Return once so many transactions wait for a lock that another one holds."""
    waiting = text("SELECT count(*) FROM pg_locks WHERE NOT granted")
    deadline = time.monotonic() + 2
    while (db.session.scalar(waiting) or 0) < transactions:
        assert time.monotonic() < deadline, "the requests do not meet"
        time.sleep(0.01)


class TestUpsert:
    def test_a_date_without_a_plan_has_null(self, admin: Admin, template: Json) -> None:
        assert plan_of(admin, template) is None

    def test_a_new_plan_is_enabled_unless_said_otherwise(
        self, admin: Admin, template: Json
    ) -> None:
        answer = put_plan(admin, template)

        assert plan_of(admin, template) == {
            "id": answer["planId"],
            "templateId": template["id"],
            "pollDate": DAY,
            "isEnabled": True,
            "questionOverride": None,
            "options": [],
        }
        assert answer["ok"] is True

    def test_an_update_touches_only_what_is_sent(self, admin: Admin, template: Json) -> None:
        first = put_plan(admin, template, questionOverride="Which today?", isEnabled=False)
        put_options(admin, template)

        again = put_plan(admin, template, isEnabled=True)

        plan = plan_of(admin, template)
        assert again["planId"] == first["planId"] == plan["id"]
        assert (plan["isEnabled"], plan["questionOverride"]) == (True, "Which today?")
        assert [option["label"] for option in plan["options"]] == ["Onion", "Beet"]

    @pytest.mark.parametrize("nothing", [None, "", "  "])
    def test_an_empty_question_takes_the_override_back(
        self, admin: Admin, template: Json, nothing: str | None
    ) -> None:
        put_plan(admin, template, questionOverride="Which today?", isEnabled=False)

        put_plan(admin, template, questionOverride=nothing)

        plan = plan_of(admin, template)
        assert (plan["isEnabled"], plan["questionOverride"]) == (False, None)

    def test_plans_of_other_dates_and_templates_stay(self, admin: Admin, template: Json) -> None:
        put_plan(admin, template, isEnabled=False)

        assert plan_of(admin, template, TODAY + timedelta(days=1)) is None
        assert plan_of(admin, admin.template()) is None

    @pytest.mark.postgresql
    @pytest.mark.parametrize("put", [put_plan, put_options])
    def test_eight_at_once_make_one_plan(
        self, admin: Admin, template: Json, app: Flask, put
    ) -> None:
        with ThreadPoolExecutor(8) as pool, app.app_context():
            find(PollTemplate, template["id"], lock="change")
            answers = [pool.submit(put, admin, template) for _ in range(8)]
            wait_for_waiting(8)
            db.session.rollback()

        assert len({answer.result()["planId"] for answer in answers}) == 1


class TestOptions:
    def test_options_make_the_plan_if_there_is_none(self, admin: Admin, template: Json) -> None:
        answer = put_options(admin, template)

        plan = plan_of(admin, template)
        assert answer == {"ok": True, "planId": plan["id"], "optionCount": 2}
        assert plan["isEnabled"] is True
        assert [(o["label"], o["sortOrder"]) for o in plan["options"]] == [
            ("Onion", 0),
            ("Beet", 1),
        ]

    def test_options_replace_those_before_and_leave_the_rest(
        self, admin: Admin, template: Json
    ) -> None:
        put_plan(admin, template, questionOverride="Which today?")
        put_options(admin, template, [{"label": label} for label in "ABC"])

        put_options(admin, template)

        plan = plan_of(admin, template)
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
        put_options(admin, template)
        before = plan_of(admin, template)

        refused = admin.call("PUT", f"/templates/{template['id']}/{path}", body)

        assert refused.status_code == 422
        assert isinstance(refused.json["detail"], str)
        assert plan_of(admin, template) == before

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
        plan_id = put_options(admin, template)["planId"]
        path = f"/templates/{template['id']}/plan?pollDate={DAY}"

        assert admin.done("DELETE", path) == {"ok": True, "planId": plan_id}

        assert plan_of(admin, template) is None
        assert admin.call("DELETE", path).status_code == 404

    def test_another_date_keeps_its_plan(self, admin: Admin, template: Json) -> None:
        put_plan(admin, template)
        tomorrow = TODAY + timedelta(days=1)
        path = f"/templates/{template['id']}/plan?pollDate={tomorrow}"

        assert admin.call("DELETE", path).status_code == 404
        assert plan_of(admin, template) is not None


class TestList:
    def listed(self, admin: Admin, template: Json, first: object, last: object) -> list[Json]:
        path = f"/templates/{template['id']}/plans?from={first}&to={last}"
        return admin.done("GET", path)["plans"]

    def test_both_ends_belong_to_the_period(self, admin: Admin, template: Json) -> None:
        days = [TODAY + timedelta(days=n) for n in range(5)]
        for day in reversed(days):
            put_plan(admin, template, pollDate=day.isoformat())
        put_plan(admin, admin.template(), pollDate=days[2].isoformat())

        plans = self.listed(admin, template, days[1], days[3])

        assert [plan["pollDate"] for plan in plans] == [d.isoformat() for d in days[1:4]]
        assert plans[0] == plan_of(admin, template, days[1])

    def test_a_period_may_be_a_year(self, admin: Admin, template: Json) -> None:
        put_options(admin, template)

        (plan,) = self.listed(admin, template, DAY, TODAY + timedelta(days=365))

        assert plan == plan_of(admin, template)

    @pytest.mark.parametrize(
        "query",
        [
            "",
            f"from={DAY}",
            f"to={DAY}",
            f"from={DAY}&to=soon",
            f"from={DAY}&to={TODAY - timedelta(days=1)}",
            f"from={DAY}&to={TODAY + timedelta(days=366)}",
            "from=0001-01-01&to=9999-12-31",
        ],
    )
    def test_a_bad_period_is_refused(self, admin: Admin, template: Json, query: str) -> None:
        refused = admin.call("GET", f"/templates/{template['id']}/plans?{query}")

        assert refused.status_code == 422
        assert isinstance(refused.json["detail"], str)

    def test_it_takes_as_many_queries_for_nine_plans_as_for_two(
        self, admin: Admin, template: Json, app: Flask
    ) -> None:
        with app.app_context():
            engine = db.engine

        def queries(plans: int) -> int:
            for n in range(plans):
                put_options_on(admin, template, TODAY + timedelta(days=n))
            with statements(engine) as sent:
                found = self.listed(admin, template, DAY, TODAY + timedelta(days=30))
            assert [len(plan["options"]) for plan in found] == [2] * plans
            return len(sent)

        assert queries(2) == queries(9)


def put_options_on(admin: Admin, template: Json, day: date) -> None:
    body = {"pollDate": day.isoformat(), "options": SOUPS}
    admin.done("PUT", f"/templates/{template['id']}/plan/options", body)


class TestRollover:
    def test_a_disabled_date_is_skipped_and_only_that_one(
        self, admin: Admin, template: Json
    ) -> None:
        put_plan(admin, template, isEnabled=False)

        assert opened(admin) == []
        assert len(opened(admin, TODAY + timedelta(days=1))) == 1

    def test_a_date_enabled_again_is_opened(self, admin: Admin, template: Json) -> None:
        put_plan(admin, template, isEnabled=False)
        opened(admin)

        put_plan(admin, template, isEnabled=True)

        assert len(opened(admin)) == 1

    def test_the_question_and_options_of_the_date_are_asked(
        self, admin: Admin, template: Json
    ) -> None:
        put_plan(admin, template, questionOverride="Which today?")
        put_options(admin, template)

        (planned,) = opened(admin)
        (usual,) = opened(admin, TODAY + timedelta(days=1))

        assert planned["question"] == "Which today?"
        assert [option["label"] for option in planned["options"]] == ["Onion", "Beet"]
        assert usual["question"] == "Which?"
        assert [option["label"] for option in usual["options"]] == ["Leek", "Pea"]

    def test_what_a_plan_leaves_open_is_the_templates(self, admin: Admin, template: Json) -> None:
        put_plan(admin, template, questionOverride="Which today?")
        put_plan(admin, template, questionOverride=None)

        (instance,) = opened(admin)

        assert instance["question"] == "Which?"
        assert [option["label"] for option in instance["options"]] == ["Leek", "Pea"]

    def test_a_deleted_plan_counts_no_more(self, admin: Admin, template: Json) -> None:
        put_plan(admin, template, isEnabled=False)
        admin.done("DELETE", f"/templates/{template['id']}/plan?pollDate={DAY}")

        assert len(opened(admin)) == 1

    def test_an_open_poll_is_not_changed_by_a_later_plan(
        self, admin: Admin, template: Json
    ) -> None:
        before = opened(admin)

        put_plan(admin, template, isEnabled=False, questionOverride="Which today?")

        assert opened(admin) == before


def test_every_change_of_a_plan_is_audited(admin: Admin, template: Json) -> None:
    plan_id = put_plan(admin, template, isEnabled=False)["planId"]
    put_options(admin, template)
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

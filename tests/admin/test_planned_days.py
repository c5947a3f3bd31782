"""Planned days: the plans of a period as they are listed, and what a rollover makes of a plan."""

from datetime import date, timedelta

import pytest
from flask import Flask

from tests.support.api import Admin, Json, today
from tests.support.queries import engine_of, statements

TODAY = date.fromisoformat(today())
DAY = TODAY.isoformat()
SOUPS = [{"label": "Beet", "sortOrder": 1}, {"label": "Onion", "sortOrder": 0}]


@pytest.fixture
def template(admin: Admin) -> Json:
    return admin.template(question="Which?")


def opened(admin: Admin, day: object = DAY) -> list[Json]:
    admin.rollover(day)
    return admin.done("GET", f"/instances?pollDate={day}")["instances"]


class TestList:
    def listed(self, admin: Admin, template: Json, first: object, last: object) -> list[Json]:
        path = f"/templates/{template['id']}/plans?from={first}&to={last}"
        return admin.done("GET", path)["plans"]

    def test_both_ends_belong_to_the_period(self, admin: Admin, template: Json) -> None:
        days = [TODAY + timedelta(days=n) for n in range(5)]
        for day in reversed(days):
            admin.plan(template["id"], day)
        admin.plan(admin.template()["id"], days[2])

        plans = self.listed(admin, template, days[1], days[3])

        assert [plan["pollDate"] for plan in plans] == [d.isoformat() for d in days[1:4]]
        assert plans[0] == admin.planned(template["id"], days[1])

    def test_a_period_may_be_a_year(self, admin: Admin, template: Json) -> None:
        admin.plan_options(template["id"], DAY, SOUPS)

        (plan,) = self.listed(admin, template, DAY, TODAY + timedelta(days=365))

        assert plan == admin.planned(template["id"], DAY)

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
        def queries(plans: int) -> int:
            for n in range(plans):
                admin.plan_options(template["id"], TODAY + timedelta(days=n), SOUPS)
            with statements(engine_of(app)) as sent:
                found = self.listed(admin, template, DAY, TODAY + timedelta(days=30))
            assert [len(plan["options"]) for plan in found] == [2] * plans
            return len(sent)

        assert queries(2) == queries(9)


class TestRollover:
    def test_a_disabled_date_is_skipped_and_only_that_one(
        self, admin: Admin, template: Json
    ) -> None:
        admin.plan(template["id"], DAY, isEnabled=False)

        assert opened(admin) == []
        assert len(opened(admin, TODAY + timedelta(days=1))) == 1

    def test_a_date_enabled_again_is_opened(self, admin: Admin, template: Json) -> None:
        admin.plan(template["id"], DAY, isEnabled=False)
        opened(admin)

        admin.plan(template["id"], DAY, isEnabled=True)

        assert len(opened(admin)) == 1

    def test_the_question_and_options_of_the_date_are_asked(
        self, admin: Admin, template: Json
    ) -> None:
        admin.plan(template["id"], DAY, questionOverride="Which today?")
        admin.plan_options(template["id"], DAY, SOUPS)

        (planned,) = opened(admin)
        (usual,) = opened(admin, TODAY + timedelta(days=1))

        assert planned["question"] == "Which today?"
        assert [option["label"] for option in planned["options"]] == ["Onion", "Beet"]
        assert usual["question"] == "Which?"
        assert [option["label"] for option in usual["options"]] == ["Leek", "Pea"]

    def test_what_a_plan_leaves_open_is_the_templates(self, admin: Admin, template: Json) -> None:
        admin.plan(template["id"], DAY, questionOverride="Which today?")
        admin.plan(template["id"], DAY, questionOverride=None)

        (instance,) = opened(admin)

        assert instance["question"] == "Which?"
        assert [option["label"] for option in instance["options"]] == ["Leek", "Pea"]

    def test_a_deleted_plan_counts_no_more(self, admin: Admin, template: Json) -> None:
        admin.plan(template["id"], DAY, isEnabled=False)
        admin.done("DELETE", f"/templates/{template['id']}/plan?pollDate={DAY}")

        assert len(opened(admin)) == 1

    def test_an_open_poll_is_not_changed_by_a_later_plan(
        self, admin: Admin, template: Json
    ) -> None:
        before = opened(admin)

        admin.plan(template["id"], DAY, isEnabled=False, questionOverride="Which today?")

        assert opened(admin) == before

"""The preview is the truth: what it foresees is what the rollovers do."""

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
import time_machine
from flask import Flask
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import select

from allthing.database import Base, db
from allthing.models import (
    PollCategory,
    PollInstance,
    PollPlan,
    PollPlanOption,
    PollTemplate,
    PollTemplateOption,
)
from allthing.schedule.rollover import roll_over
from allthing.schedule.schedule import ScheduledDay, preview
from tests.support.api import POLL_ZONE, Admin, Polls, today

FIRST = date(2031, 5, 4)
DAYS = 8

offsets = st.integers(0, DAYS - 1)
plans = st.fixed_dictionaries(
    {
        "is_enabled": st.booleans(),
        "question_override": st.sampled_from([None, "Which today?"]),
        "options": st.integers(0, 3),
    }
)
templates = st.fixed_dictionaries(
    {
        "is_active": st.booleans(),
        "duration_days": st.integers(1, 4),
        "options": st.integers(0, 3),
        "plans": st.dictionaries(offsets, plans, max_size=3),
        "polls": st.sets(st.integers(-3, DAYS - 1), max_size=2),
        "closed": st.booleans(),
    }
)


def store(drawn: list[dict[str, Any]]) -> None:
    """Store templates with their plans, and polls that an admin may have opened before."""
    for table in reversed(Base.metadata.sorted_tables):
        db.session.execute(table.delete())
    category = PollCategory(key="food", name="Food")
    db.session.add(category)
    db.session.flush()
    for number, fields in enumerate(drawn):
        template = PollTemplate(
            category_id=category.id,
            key=f"template-{number}",
            title=f"Template {number}",
            poll_type="SINGLE",
            is_active=fields["is_active"],
            duration_days=fields["duration_days"],
            options=[
                PollTemplateOption(label=str(n), sort_order=n) for n in range(fields["options"])
            ],
        )
        db.session.add(template)
        db.session.flush()
        for offset, plan in fields["plans"].items():
            labels = [
                PollPlanOption(label=f"plan {n}", sort_order=n) for n in range(plan["options"])
            ]
            day = FIRST + timedelta(days=offset)
            db.session.add(
                PollPlan(**plan | {"options": labels}, template_id=template.id, poll_date=day)
            )
        for offset in fields["polls"]:
            begins = FIRST + timedelta(days=offset)
            ends = begins + timedelta(days=fields["duration_days"] - 1)
            over = ends < FIRST or fields["closed"]
            db.session.add(
                PollInstance(
                    template_id=template.id,
                    category_id=category.id,
                    poll_date=begins,
                    close_date=ends,
                    title=template.title,
                    poll_type="SINGLE",
                    audience="PUBLIC",
                    status="CLOSED" if over else "OPEN",
                )
            )
    db.session.flush()


def foreseen(day: ScheduledDay) -> tuple[set, set]:
    opens = {(o.template.id, o.day, o.close_date, o.question, tuple(o.labels)) for o in day.opens}
    return opens, {(p.template_id, p.begins) for p in day.closes}


def observed(day: date, before: dict[str, str]) -> tuple[set, set]:
    """Return what a rollover opened and closed, given the status of each poll before it."""
    instances = db.session.scalars(select(PollInstance)).all()
    opened = {
        (i.template_id, i.poll_date, i.close_date, i.question, tuple(o.label for o in i.options))
        for i in instances
        if i.id not in before
    }
    closed = {
        (i.template_id, i.poll_date)
        for i in instances
        if before.get(i.id) == "OPEN" and i.status == "CLOSED"
    }
    return opened, closed


def statuses() -> dict[str, str]:
    return dict(db.session.execute(select(PollInstance.id, PollInstance.status)).all())


@settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(drawn=st.lists(templates, max_size=4))
def test_what_it_foresees_is_what_the_rollovers_do(app: Flask, drawn: list[dict]) -> None:
    with app.app_context():
        store(drawn)
        expected = preview(FIRST, FIRST + timedelta(days=DAYS - 1), FIRST)
        for expected_day in expected:
            before = statuses()
            roll_over(expected_day.day, expected_day.day)
            assert observed(expected_day.day, before) == foreseen(expected_day)
        db.session.rollback()


@pytest.fixture
def noon() -> datetime:
    return datetime(2031, 5, 4, 12, tzinfo=POLL_ZONE).astimezone(UTC)


def test_a_day_says_what_opens_closes_and_is_left_out(
    admin: Admin, polls: Polls, noon: datetime
) -> None:
    with time_machine.travel(noon, tick=False):
        long = polls.open(title="Long", durationDays=2)
        skipped = admin.template(title="Skipped")
        admin.plan(skipped["id"], "2031-05-05", isEnabled=False)

        answer = admin.done("GET", "/preview?from=2031-05-05&days=2")

    assert answer["timezone"] == POLL_ZONE.key
    tuesday, wednesday = answer["days"]
    assert tuesday["pollDate"] == "2031-05-05"
    assert tuesday["opens"] == []
    assert [(skip["templateKey"], skip["reason"]) for skip in tuesday["skips"]] == [
        (long["templateKey"], "its poll of 2031-05-04 to 2031-05-05 stands in the way"),
        (skipped["key"], "its plan skips this date"),
    ]
    assert [opening["title"] for opening in wednesday["opens"]] == ["Long", "Skipped"]
    assert wednesday["opens"][0]["closeDate"] == "2031-05-07"
    closes = [(c["instanceId"], c["title"]) for c in wednesday["closes"]]
    assert (long["pollId"], "Long") in closes


def test_it_changes_nothing(admin: Admin) -> None:
    admin.template()

    admin.done("GET", "/preview")

    assert admin.done("GET", f"/instances?pollDate={today()}")["instances"] == []


@pytest.mark.parametrize("query", ["from=2001-01-01", "from=2999-01-01", "days=0", "days=63"])
def test_the_past_and_the_far_future_are_refused(admin: Admin, query: str) -> None:
    assert admin.call("GET", f"/preview?{query}").status_code == 422

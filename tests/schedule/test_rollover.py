"""The turn of the day, by HTTP and clock."""

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime, timedelta

import pytest
import time_machine
from flask import Flask
from flask.testing import FlaskClient

from allthing.database import db
from allthing.models import PollPlan, PollPlanOption
from allthing.runtime import clock
from tests.conftest import AppFactory
from tests.support.api import POLL_ZONE, Admin, Polls, today

TODAY = date.fromisoformat(today())


def instances(admin: Admin, day: object) -> list[dict]:
    return admin.done("GET", f"/instances?pollDate={day}")["instances"]


def test_each_active_template_gets_one_instance_however_often_it_runs(admin: Admin) -> None:
    admin.template()
    admin.template(isActive=False)

    assert admin.rollover()["createdCount"] == 1
    assert admin.rollover()["createdCount"] == 0
    assert len(instances(admin, TODAY)) == 1


def test_close_date_counts_the_days_of_the_poll(admin: Admin) -> None:
    admin.template(durationDays=3)
    admin.rollover()

    (instance,) = instances(admin, TODAY)

    assert instance["closeDate"] == (TODAY + timedelta(days=2)).isoformat()
    assert instance["status"] == "OPEN"


def test_polls_of_several_days_never_overlap(admin: Admin) -> None:
    admin.template(durationDays=3)
    opened = []
    for days in range(7):
        with time_machine.travel(clock.now() + timedelta(days=days)):
            opened.append(admin.rollover(TODAY + timedelta(days=days))["createdCount"])

    assert opened == [1, 0, 0, 1, 0, 0, 1]


def test_a_poll_opened_ahead_bars_an_overlapping_one_before_it(admin: Admin) -> None:
    admin.template(durationDays=3)

    assert admin.rollover(TODAY + timedelta(days=2))["createdCount"] == 1
    assert admin.rollover(TODAY)["createdCount"] == 0


def test_days_that_were_missed_are_closed_but_not_made_up_for(
    admin: Admin, polls: Polls, client: FlaskClient
) -> None:
    old = polls.open()

    with time_machine.travel(clock.now() + timedelta(days=5)):
        (new,) = polls.listed()

    assert new["pollDate"] == (TODAY + timedelta(days=5)).isoformat()
    assert client.get(f"/polls/{old['pollId']}/results").json["data"]["status"] == "CLOSED"
    assert all(not instances(admin, TODAY + timedelta(days=n)) for n in range(1, 5))


def test_nothing_is_opened_for_a_day_that_is_over(admin: Admin) -> None:
    admin.template()

    assert admin.rollover(TODAY - timedelta(days=1))["createdCount"] == 0


def test_rollover_of_a_day_to_come_closes_nothing_of_today(admin: Admin, polls: Polls) -> None:
    poll = polls.open()

    admin.rollover(TODAY + timedelta(days=30))

    assert [p["pollId"] for p in polls.listed()] == [poll["pollId"]]


def test_a_poll_of_a_day_to_come_takes_no_votes_yet(admin: Admin, polls: Polls) -> None:
    admin.template()
    tomorrow = TODAY + timedelta(days=1)
    admin.rollover(tomorrow)
    (instance,) = instances(admin, tomorrow)
    ballot = {"pollId": instance["id"], "options": []}

    assert polls.vote(ballot, instance["options"][0]["id"]).status_code == 409


def test_a_poll_refuses_votes_from_its_end_on_even_if_no_job_has_run(polls: Polls) -> None:
    end = datetime(2026, 7, 11, tzinfo=POLL_ZONE).astimezone(UTC)
    with time_machine.travel(end - timedelta(hours=12)):
        poll = polls.open()

    with time_machine.travel(end - timedelta(seconds=1), tick=False):
        before = polls.vote(poll, "Pea").status_code
    with time_machine.travel(end, tick=False):
        after = polls.vote(poll, "Pea").status_code

    assert (before, after) == (200, 409)


def test_closing_by_date_closes_what_ended_by_then(admin: Admin, polls: Polls) -> None:
    polls.open()
    polls.open(durationDays=2)

    done = admin.done("POST", f"/close?pollDate={TODAY}")

    assert done == {
        "ok": True,
        "pollDate": TODAY.isoformat(),
        "closedCount": 1,
        "snapshotCount": 1,
    }


def test_closing_twice_is_a_conflict(admin: Admin, polls: Polls) -> None:
    poll = polls.open()
    admin.close(poll["pollId"])

    assert admin.call("POST", f"/instances/{poll['pollId']}/close").status_code == 409


def test_a_plan_changes_its_date_only(admin: Admin, app: Flask) -> None:
    kept, skipped = admin.template(question="Which?"), admin.template()
    tomorrow = TODAY + timedelta(days=1)
    with app.app_context():
        db.session.add(
            PollPlan(
                template_id=kept["id"],
                poll_date=tomorrow,
                question_override="Which today?",
                options=[PollPlanOption(label=x, sort_order=n) for n, x in enumerate("XY")],
            )
        )
        db.session.add(PollPlan(template_id=skipped["id"], poll_date=tomorrow, is_enabled=False))
        db.session.commit()

    admin.rollover(TODAY)
    admin.rollover(tomorrow)

    assert len(instances(admin, TODAY)) == 2
    (planned,) = instances(admin, tomorrow)
    assert planned["question"] == "Which today?"
    assert [option["label"] for option in planned["options"]] == ["X", "Y"]


@pytest.mark.postgresql
def test_eight_rollovers_at_once_open_one_set(admin: Admin, app: Flask) -> None:
    for _ in range(3):
        admin.template()

    with ThreadPoolExecutor(8) as pool:
        created = list(pool.map(lambda _: admin.rollover()["createdCount"], range(8)))

    assert sum(created) == 3
    assert len(instances(admin, TODAY)) == 3


ZONES = [  # on days that are over: a rule of days to come may change
    ("America/New_York", "2025-03-09", 23),
    ("America/New_York", "2025-11-02", 25),
    ("Australia/Lord_Howe", "2025-10-05", 23.5),
    ("Australia/Lord_Howe", "2025-04-06", 24.5),
    ("Asia/Kolkata", "2025-03-09", 24),
]


@pytest.mark.parametrize(("zone", "day", "hours"), ZONES)
def test_a_poll_is_open_for_exactly_its_day_when_clocks_change(
    make_app: AppFactory, admin: Admin, zone: str, day: str, hours: float
) -> None:
    app = make_app(poll_timezone=zone)
    polls = Polls(app, admin)
    with app.app_context():
        start = clock.start_of(date.fromisoformat(day))
        end = clock.end_of(date.fromisoformat(day))
    assert (end - start) == timedelta(hours=hours)
    admin.template(pollType="SINGLE")

    def listed_at(instant: datetime) -> list[str]:
        with time_machine.travel(instant, tick=False):
            return [poll["pollDate"] for poll in polls.listed()]

    assert listed_at(start - timedelta(seconds=1)) != [day]
    assert listed_at(start) == [day]
    assert listed_at(end - timedelta(seconds=1)) == [day]
    assert listed_at(end) != [day]


def test_midnight_utc_changes_nothing(polls: Polls) -> None:
    noon = datetime(2026, 6, 10, 16, tzinfo=UTC)
    with time_machine.travel(noon, tick=False):
        poll = polls.open()
    for hours in (7, 8, 9):  # 23:00, 00:00 and 01:00 UTC, still the tenth in New York
        with time_machine.travel(noon + timedelta(hours=hours), tick=False):
            assert [p["pollId"] for p in polls.listed()] == [poll["pollId"]]
            assert polls.vote(poll, "Pea").status_code == 200

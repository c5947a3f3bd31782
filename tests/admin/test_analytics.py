"""The dashboard's figures over HTTP: ballots by poll day, in whatever zone."""

from datetime import UTC, date, datetime, timedelta

import pytest
import time_machine
from flask import Flask

from allthing.database import db
from allthing.runtime import clock
from tests.conftest import AppFactory
from tests.support.api import POLL_ZONE, Admin, Json, Polls
from tests.support.queries import statements

NOON = datetime(2026, 6, 10, 12, tzinfo=POLL_ZONE).astimezone(UTC)
NOTHING = {
    "totalVotes": 0,
    "uniqueInstances": 0,
    "todayVotes": 0,
    "todayInstances": 0,
    "dailyBreakdown": [],
}


def figures(admin: Admin, at: datetime = NOON) -> Json:
    with time_machine.travel(at, tick=False):
        return admin.done("GET", "/analytics")


def vote_at(polls: Polls, poll: Json, *instants: datetime) -> None:
    for instant in instants:
        with time_machine.travel(instant, tick=False):
            assert polls.vote(poll, "Pea").status_code == 200


def open_at(polls: Polls, instant: datetime, **fields: object) -> Json:
    """Open a poll that runs long enough for everything a test does."""
    with time_machine.travel(instant, tick=False):
        return polls.open(durationDays=365, **fields)


def test_without_votes_every_figure_is_there_and_zero(admin: Admin, polls: Polls) -> None:
    open_at(polls, NOON)

    assert figures(admin) == NOTHING


def test_ballots_are_counted_by_day_and_poll(admin: Admin, polls: Polls) -> None:
    soup, bread = open_at(polls, NOON - timedelta(days=9)), open_at(polls, NOON - timedelta(days=9))
    open_at(polls, NOON, title="A poll nobody answers")
    vote_at(polls, soup, *[NOON - timedelta(days=2)] * 3)
    vote_at(polls, bread, NOON - timedelta(days=2))
    vote_at(polls, soup, NOON, NOON)

    assert figures(admin) == {
        "totalVotes": 6,
        "uniqueInstances": 2,
        "todayVotes": 2,
        "todayInstances": 1,
        "dailyBreakdown": [
            {"date": "2026-06-10", "votes": 2, "instances": 1},
            {"date": "2026-06-08", "votes": 4, "instances": 2},
        ],
    }


def test_yesterdays_votes_are_none_of_todays(admin: Admin, polls: Polls) -> None:
    vote_at(polls, open_at(polls, NOON - timedelta(days=1)), NOON - timedelta(days=1))

    found = figures(admin)

    assert (found["todayVotes"], found["todayInstances"], found["totalVotes"]) == (0, 0, 1)


def test_an_evening_that_is_tomorrow_in_utc_is_still_today(admin: Admin, polls: Polls) -> None:
    evening = datetime(2026, 6, 10, 23, 59, 59, tzinfo=POLL_ZONE).astimezone(UTC)
    vote_at(polls, open_at(polls, NOON), NOON, evening)

    assert figures(admin, evening)["todayVotes"] == 2
    assert figures(admin, evening + timedelta(seconds=1))["todayVotes"] == 0


def test_a_clock_that_was_put_back_counts_no_ballot_of_tomorrow_as_todays(
    admin: Admin, polls: Polls
) -> None:
    vote_at(polls, open_at(polls, NOON), NOON, NOON + timedelta(days=1))

    found = figures(admin, NOON)

    assert (found["totalVotes"], found["todayVotes"]) == (2, 1)


def test_the_breakdown_goes_back_thirty_days_and_the_totals_further(
    admin: Admin, polls: Polls
) -> None:
    first = datetime(2026, 5, 12, tzinfo=POLL_ZONE).astimezone(UTC)  # the 30th day back begins
    poll = open_at(polls, NOON - timedelta(days=40))
    vote_at(polls, poll, first - timedelta(microseconds=1), first)

    found = figures(admin)

    assert found["totalVotes"] == 2
    assert found["dailyBreakdown"] == [{"date": "2026-05-12", "votes": 1, "instances": 1}]


@pytest.mark.parametrize(
    ("zone", "day", "hours"),  # on days that are over: a rule of days to come may change
    [
        ("America/New_York", "2025-03-09", 23),
        ("America/New_York", "2025-11-02", 25),
        ("Asia/Kolkata", "2025-06-10", 24),
        ("Australia/Lord_Howe", "2025-10-05", 23.5),
        ("America/Santiago", "2025-09-07", 23),  # clocks skip midnight
        ("America/Havana", "2025-11-02", 25),  # midnight comes twice
        ("Pacific/Kiritimati", "2025-06-10", 24),
    ],
)
def test_a_day_has_exactly_its_own_votes_in_every_zone(
    make_app: AppFactory, admin: Admin, zone: str, day: str, hours: float
) -> None:
    app = make_app(poll_timezone=zone)
    abroad = Admin(app.test_client(), admin.headers["x-admin-key"])
    polls = Polls(app, abroad)
    with app.app_context():
        start, end = clock.start_of(date.fromisoformat(day)), clock.end_of(date.fromisoformat(day))
    assert end - start == timedelta(hours=hours)
    poll = open_at(polls, start - timedelta(days=5))
    instant = timedelta(microseconds=1)
    vote_at(polls, poll, start - instant, start, end - instant, end, end)

    assert figures(abroad, end)["dailyBreakdown"] == [
        {"date": shift(day, 1), "votes": 2, "instances": 1},
        {"date": day, "votes": 2, "instances": 1},
        {"date": shift(day, -1), "votes": 1, "instances": 1},
    ]


def shift(day: str, days: int) -> str:
    return (date.fromisoformat(day) + timedelta(days=days)).isoformat()


def test_it_takes_as_many_queries_for_many_days_as_for_none(
    admin: Admin, polls: Polls, app: Flask
) -> None:
    with app.app_context():
        engine = db.engine

    def queries() -> int:
        with statements(engine) as sent:
            figures(admin)
        return len(sent)

    poll = open_at(polls, NOON - timedelta(days=20))
    before = queries()
    vote_at(polls, poll, *(NOON - timedelta(days=n) for n in range(20)))

    assert queries() == before

"""The clock jumps: voters see the polls of the day it shows, and vote in no other."""

import time
from collections.abc import Iterator
from datetime import date, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from allthing.runtime import clock
from tests.conftest import UNLIMITED
from tests.faults.deployment import Deployment, polls_of
from tests.faults.load import address
from tests.support.api import POLL_ZONE, Json, walk
from tests.support.served import ServedApp, served

pytestmark = [
    pytest.mark.postgresql,
    pytest.mark.timing,
    pytest.mark.long,
    pytest.mark.xdist_group("faults"),
]

UTC = ZoneInfo("UTC")


class Clock:
    """The clock of a served app, set by a file."""

    def __init__(self, file: Path) -> None:
        self.file = file
        self.set(timedelta())

    def set(self, offset: timedelta) -> None:
        """Let it jump, so far from the true time, for all workers at the same moment."""
        new = self.file.with_suffix(".new")
        new.write_text(str(offset.total_seconds()))
        new.rename(self.file)
        self.offset = offset

    def set_before_midnight(self, zone: ZoneInfo, days: int, seconds: float) -> None:
        """Let it be, some days ahead, so many seconds before the midnight in a zone."""
        now = clock.now()
        day = now.astimezone(POLL_ZONE).date() + timedelta(days=days + 1)
        midnight = datetime.combine(day, datetime.min.time(), zone)
        self.set(midnight - now - timedelta(seconds=seconds))

    def today(self) -> date:
        return (clock.now() + self.offset).astimezone(POLL_ZONE).date()


@pytest.fixture(scope="module")
def clock_of_app(tmp_path_factory: pytest.TempPathFactory) -> Clock:
    return Clock(tmp_path_factory.mktemp("clock") / "offset")


@pytest.fixture(scope="module")
def jumping(deployment: Deployment, clock_of_app: Clock) -> Iterator[ServedApp]:
    settings = {"test_clock_offset": clock_of_app.file, "global_rate_limit": UNLIMITED}
    with served("tests.faults.app:app", **deployment.settings | settings) as server:
        yield server


@pytest.fixture
def template_id(clock_of_app: Clock, jumping: ServedApp) -> str:
    """A template that gets a poll of its own every day."""
    clock_of_app.set(timedelta())
    return str(polls_of(jumping).open(title="Of the day")["templateId"])


def listed(server: ServedApp, template_id: str) -> list[Json]:
    """Return the template's polls, which both workers have to list alike."""
    answers = [server.get("/polls/today") for _ in range(8)]
    assert {answer.status_code for answer in answers} == {200}
    trees = {answer.text.partition('"data"')[2] for answer in answers}
    assert len(trees) == 1
    polls = walk(answers[0].json()["data"]["categories"])
    return [poll for poll in polls if poll["templateId"] == template_id]


def vote(server: ServedApp, poll: Json) -> int:
    answer = server.post(
        f"/polls/{poll['pollId']}/vote",
        json={"rankedChoices": [poll["options"][0]["optionId"]]},
        headers={"X-Forwarded-For": address()},
    )
    return answer.status_code


@pytest.mark.parametrize("days", [1, -1], ids=["a day ahead", "a day back"])
def test_clock_that_jumps_shows_the_polls_of_its_day(
    jumping: ServedApp, clock_of_app: Clock, template_id: str, days: int
) -> None:
    """A day that has begun closes the one before it, for good."""
    (before,) = listed(jumping, template_id)
    assert vote(jumping, before) == 200

    clock_of_app.set(timedelta(days=days))

    newest = listed(jumping, template_id)[0]
    assert newest["pollDate"] == clock_of_app.today().isoformat()
    assert vote(jumping, newest) == 200
    assert vote(jumping, before) == 409

    clock_of_app.set(timedelta())
    assert vote(jumping, before) == (409 if days > 0 else 200)


@pytest.mark.parametrize(
    ("zone", "days"), [(UTC, 10), (POLL_ZONE, 20)], ids=["UTC", "the poll zone"]
)
def test_midnight_during_votes_costs_no_vote(
    jumping: ServedApp, clock_of_app: Clock, zone: ZoneInfo, days: int
) -> None:
    """Only the poll zone's midnight ends a day; who comes after it finds the next day's poll."""
    clock_of_app.set_before_midnight(zone, days, seconds=1.5)
    template_id = str(polls_of(jumping).admin.template(title="Of the day")["id"])
    (poll,) = listed(jumping, template_id)
    day = clock_of_app.today()
    votes: list[tuple[date, int, date]] = []

    deadline = time.monotonic() + 3.0
    while time.monotonic() < deadline:
        asked = clock_of_app.today()
        status = vote(jumping, poll)
        votes.append((asked, status, clock_of_app.today()))

    assert len(votes) > 20
    assert all(status == 200 for _, status, answered in votes if answered == day)
    assert all(status == 409 for asked, status, _ in votes if asked > day)
    assert listed(jumping, template_id)[0]["pollDate"] == clock_of_app.today().isoformat()
    assert (clock_of_app.today() > day) == (zone is POLL_ZONE)

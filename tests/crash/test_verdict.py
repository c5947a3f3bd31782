"""What the verdict says of single cases that a scene meets only by luck."""

from collections.abc import Sequence
from datetime import date, timedelta

from tests.crash.journal import Attempt, Case, Told
from tests.crash.verdict import Stored, about

POLL = {"pollId": "poll", "options": [{"optionId": "north", "sortOrder": 0}]}
LAST_DAY = date(2026, 3, 1)
DAY = timedelta(days=1)


def said(status: str, tries: Sequence[tuple[Told, date]]) -> list[str]:
    """Return what the verdict says of one voter, without a ballot, in a poll up to LAST_DAY."""
    attempts = [Attempt(("north",), told, None, day) for told, day in tries]
    stored = Stored({"poll": (status, LAST_DAY)}, {}, {}, {}, {}, set())
    return list(about(Case("voter", POLL, "cookie", {}, attempts), stored))


def test_open_poll_may_be_called_closed_only_when_its_last_day_is_over() -> None:
    (fault,) = said("OPEN", [(Told.CLOSED, LAST_DAY), (Told.CLOSED, LAST_DAY + DAY)])

    assert "was told on 2026-03-01 that a poll is closed which is open" in fault
    assert said("OPEN", [(Told.NOTHING, LAST_DAY), (Told.CLOSED, LAST_DAY + DAY)]) == []
    assert said("CLOSED", [(Told.CLOSED, LAST_DAY)]) == []

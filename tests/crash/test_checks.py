"""What the checks say of single cases that a scenario meets only by luck."""

from collections.abc import Sequence
from datetime import date, timedelta

from tests.crash.checks import Stored, violations_of_case
from tests.crash.journal import Attempt, Case, Outcome

POLL = {"pollId": "poll", "options": [{"optionId": "north", "sortOrder": 0}]}
LAST_DAY = date(2026, 3, 1)
DAY = timedelta(days=1)


def violations_of(status: str, tries: Sequence[tuple[Outcome, date]]) -> list[str]:
    """Return what the checks say of one voter, without a ballot, in a poll up to LAST_DAY."""
    attempts = [Attempt(("north",), told, None, day) for told, day in tries]
    stored = Stored({"poll": (status, LAST_DAY)}, {}, {}, {}, {}, set())
    return list(violations_of_case(Case("voter", POLL, "cookie", {}, attempts), stored))


def test_open_poll_may_be_called_closed_only_when_its_last_day_is_over() -> None:
    (violation,) = violations_of(
        "OPEN", [(Outcome.CLOSED, LAST_DAY), (Outcome.CLOSED, LAST_DAY + DAY)]
    )

    assert "was told on 2026-03-01 that a poll is closed which is open" in violation
    assert (
        violations_of("OPEN", [(Outcome.UNKNOWN, LAST_DAY), (Outcome.CLOSED, LAST_DAY + DAY)]) == []
    )
    assert violations_of("CLOSED", [(Outcome.CLOSED, LAST_DAY)]) == []

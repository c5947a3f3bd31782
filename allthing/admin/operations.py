"""Operations: what the daily job does, for the days an admin names."""

from datetime import date

from flask import Blueprint

from allthing.admin.audit import audited
from allthing.admin.schemas import DayQuery
from allthing.runtime import clock
from allthing.schedule import rollover
from allthing.web.typed_views import Out, typed_view

bp = Blueprint("operations", __name__)


class RolloverAnswer(Out):
    ok: bool = True
    poll_date: date
    created_count: int
    closed_count: int


class ClosingAnswer(Out):
    ok: bool = True
    poll_date: date
    closed_count: int
    snapshot_count: int


@bp.post("/rollover")
@audited("rollover_run", "instance")
@typed_view()
def roll_over(query: DayQuery) -> RolloverAnswer:
    """Close the polls that have ended, and open those of a day. Safe to repeat."""
    done = rollover.roll_over(query.poll_date, clock.today())
    return RolloverAnswer.model_validate(done)


@bp.post("/close")
@audited("polls_closed", "instance")
@typed_view()
def close_polls(query: DayQuery) -> ClosingAnswer:
    """Close the polls whose close date is this day or earlier."""
    return ClosingAnswer.model_validate(rollover.close_ended(query.poll_date))

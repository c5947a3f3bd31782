"""Operations: what the daily job does, for the days an admin names."""

from flask import Blueprint
from flask.typing import ResponseReturnValue

from allthing import clock, rollover
from allthing.admin.audit import audited, describe
from allthing.admin.schemas import DayQuery
from allthing.inputs import read_query

bp = Blueprint("operations", __name__)


@bp.post("/rollover")
@audited("rollover_run", "instance")
def roll_over() -> ResponseReturnValue:
    day = read_query(DayQuery).poll_date
    done = rollover.roll_over(day, clock.today())
    answer = {"pollDate": day.isoformat(), "createdCount": done.created}
    describe(details=answer | {"closedCount": done.closing.closed})
    return {"ok": True} | answer


@bp.post("/close")
@audited("polls_closed", "instance")
def close_polls() -> ResponseReturnValue:
    day = read_query(DayQuery).poll_date
    closing = rollover.close_ended(day)
    answer = {
        "pollDate": day.isoformat(),
        "closedCount": closing.closed,
        "snapshotCount": closing.snapshots,
    }
    describe(details=answer)
    return {"ok": True} | answer

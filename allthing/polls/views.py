"""What voters ask for: the polls of a day, a vote, a result."""

from datetime import date
from typing import Any

from flask import Blueprint
from flask.typing import ResponseReturnValue

from allthing import cache, clock
from allthing.database import db
from allthing.history import history_of
from allthing.inputs import read_body, read_query
from allthing.limits import limit_votes
from allthing.listing import open_polls
from allthing.polls.schemas import BallotIn, DayQuery, HistoryQuery, SurveyIn
from allthing.polls.voter import recognise_voter, refuse_foreign_page
from allthing.results import results_of
from allthing.rollover import ensure_open
from allthing.voting import Ballot, cast_ballot, leave_hint

VOTE_BODY_LIMIT = 16 * 1024

bp = Blueprint("polls", __name__, url_prefix="/polls")


@bp.get("/today")
def list_today() -> ResponseReturnValue:
    return answer_day(clock.today())


@bp.get("")
def list_day() -> ResponseReturnValue:
    return answer_day(read_query(DayQuery).poll_date)


def answer_day(day: date) -> dict[str, Any]:
    """Answer with a day's polls; whoever asks first after midnight opens the new day."""

    def compute() -> dict[str, Any]:
        if ensure_open(clock.today()):
            db.session.commit()
        return open_polls(day)

    data, was_cached = cache.cached(cache.POLLS, day.isoformat(), compute)
    return {"cached": was_cached, "data": data}


@bp.post("/<poll_id>/vote")
@limit_votes
def cast_vote(poll_id: str) -> ResponseReturnValue:
    refuse_foreign_page()
    voter = recognise_voter()
    body = read_body(BallotIn, VOTE_BODY_LIMIT)
    ballot = Ballot(
        choices=body.ranked_choices,
        survey=body.model_dump(include=set(SurveyIn.model_fields)),
        idempotency_key=body.idempotency_key,
    )
    if cast_ballot(poll_id, ballot, voter, clock.today()):
        return {"ok": True, "deduped": True}
    db.session.commit()
    leave_hint(poll_id, voter)
    return {"ok": True}


@bp.get("/<poll_id>/results")
def show_results(poll_id: str) -> ResponseReturnValue:
    (data, frozen), was_cached = cache.cached(
        cache.results(poll_id), "all", lambda: results_of(poll_id)
    )
    return {"cached": was_cached or frozen, "data": data}


@bp.get("/templates/<template_id>/history")
def show_history(template_id: str) -> ResponseReturnValue:
    return {"data": history_of(template_id, read_query(HistoryQuery).limit)}

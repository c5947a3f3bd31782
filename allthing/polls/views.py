"""What voters ask for: the polls of a day, a vote, results of now and of before."""

from datetime import date
from http import HTTPStatus
from typing import Any

from flask import Blueprint, Response

from allthing import cache, clock, pictures, turnstile
from allthing.database import db
from allthing.endpoints import endpoint
from allthing.history import history_of
from allthing.limits import limit_votes
from allthing.listing import open_polls
from allthing.polls.schemas import (
    BallotIn,
    DayAnswer,
    DayQuery,
    HistoryAnswer,
    HistoryQuery,
    ResultsAnswer,
    SurveyIn,
    VoteAnswer,
)
from allthing.polls.voter import for_voters
from allthing.results import results_of
from allthing.rollover import ensure_open
from allthing.voting import Ballot, Voter, cast_ballot, check_ballot, leave_hint

VOTE_BODY_LIMIT = 16 * 1024
SVG = "image/svg+xml"
PICTURE_HEADERS = {
    # A picture that is opened by itself is a document of our origin: let it run and load nothing.
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'",
    "X-Content-Type-Options": "nosniff",
}

bp = Blueprint("polls", __name__, url_prefix="/polls")


@bp.get("/today")
@endpoint(answer=DayAnswer)
def list_today() -> dict[str, Any]:
    """List the polls that are open today, as a tree of categories."""
    return answer_day(clock.today())


@bp.get("")
@endpoint(answer=DayAnswer)
def list_day(query: DayQuery) -> dict[str, Any]:
    """List the polls that are open and began on a date or before it."""
    return answer_day(query.poll_date)


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
@for_voters
@endpoint(HTTPStatus.FORBIDDEN, HTTPStatus.CONFLICT, body_limit=VOTE_BODY_LIMIT)
def cast_vote(poll_id: str, voter: Voter, body: BallotIn) -> VoteAnswer:
    """Vote once, by the voter's cookie; one who has none gets one.

    The cookie is `vt`: signed, HttpOnly, SameSite=Lax, good for a year. Any answer sets it, a
    refusal too, if the request had none of ours. A single choice takes exactly one option, a
    ranked poll two or more, best first.
    """
    ballot = Ballot(
        choices=body.ranked_choices,
        survey=body.model_dump(include=set(SurveyIn.model_fields)),
        idempotency_key=body.idempotency_key,
    )
    if turnstile.is_required() and not check_ballot(poll_id, ballot, clock.today()):
        db.session.rollback()  # hold no connection while Turnstile thinks
        turnstile.refuse_bots(body.turnstile_token, voter.address)
    if cast_ballot(poll_id, ballot, voter, clock.today()):
        return VoteAnswer(deduped=True)
    db.session.commit()
    leave_hint(poll_id, voter)
    return VoteAnswer()


@bp.get("/<poll_id>/results")
@endpoint(answer=ResultsAnswer)
def show_results(poll_id: str) -> dict[str, Any]:
    """Show how a poll stands, or how it ended."""
    (data, frozen), was_cached = cache.cached(
        cache.results(poll_id), "all", lambda: results_of(poll_id)
    )
    return {"cached": was_cached or frozen, "data": data}


@bp.get("/<poll_id>/results.svg")
@endpoint(media_type=SVG)
def draw_results(poll_id: str) -> Response:
    """Draw how a poll stands, or how it ended: bars, and the rounds of a ranked poll as a Sankey.

    The picture follows the reader's light or dark, and tells the rounds in words besides.
    """
    picture, _ = cache.cached(
        cache.results(poll_id), "svg", lambda: pictures.draw(results_of(poll_id)[0])
    )
    return Response(picture, content_type=SVG, headers=PICTURE_HEADERS)


@bp.get("/templates/<template_id>/history")
@endpoint(answer=HistoryAnswer)
def show_history(template_id: str, query: HistoryQuery) -> dict[str, Any]:
    """Show how the closed polls of a template ended, newest first."""
    return {"data": history_of(template_id, query.limit)}

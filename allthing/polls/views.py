"""Voting and reading: the polls of a day, a vote, results of now and of before."""

from datetime import date
from http import HTTPStatus
from typing import Any

from flask import Blueprint, Response

from allthing import cache
from allthing.database import db
from allthing.errors import Invalid
from allthing.polls.responses import cacheable_body, conditional_response, json_response
from allthing.polls.schemas import (
    BallotIn,
    DayAnswer,
    DayQuery,
    HistoryAnswer,
    HistoryQuery,
    ResultsAnswer,
    SurveyIn,
    VoteAnswer,
    VoteHeaders,
)
from allthing.polls.voter import Visitor, with_visitor
from allthing.results import charts
from allthing.results.history import history_of
from allthing.results.results import results_of
from allthing.runtime import clock
from allthing.schedule.open_polls import open_polls
from allthing.schedule.rollover import ensure_open
from allthing.voting import turnstile
from allthing.voting.cast import Ballot, check_ballot
from allthing.voting.submit import submit_ballot
from allthing.web.rate_limits import limit_votes
from allthing.web.typed_views import typed_view

VOTE_BODY_LIMIT = 16 * 1024  # bytes
SURVEY = set(SurveyIn.model_fields)
SVG = "image/svg+xml"
CHART_HEADERS = [
    ("Content-Type", SVG),
    # A picture that is opened by itself is a document of our origin: let it run and load nothing.
    ("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'"),
    ("X-Content-Type-Options", "nosniff"),
]

bp = Blueprint("polls", __name__, url_prefix="/polls")


@bp.get("/today")
@typed_view(answer=DayAnswer)
def list_today() -> Response:
    """List the polls that are open today, as a tree of categories."""
    today = clock.today()
    name = today.isoformat()
    return json_response(cache.cached(cache.POLLS_TOPIC, name, lambda: day_body(today, today)))


@bp.get("")
@typed_view(answer=DayAnswer)
def list_day(query: DayQuery) -> Response:
    """List the polls that are open and began on a date or before it."""
    # There are too many dates to keep what is asked of each.
    return json_response(cache.uncached(lambda: day_body(query.poll_date, clock.today())))


def day_body(day: date, today: date) -> bytes:
    """Write the response with a day's polls; the first reader after midnight opens the new day."""
    if ensure_open(today):
        db.session.commit()
    return cacheable_body(open_polls(day))


@bp.post("/<poll_id>/vote")
@limit_votes
@with_visitor
@typed_view(HTTPStatus.FORBIDDEN, HTTPStatus.CONFLICT, body_limit=VOTE_BODY_LIMIT)
def cast_vote(poll_id: str, visitor: Visitor, headers: VoteHeaders, body: BallotIn) -> VoteAnswer:
    """Vote once, by the voter's cookie; one who has none gets one.

    The cookie is `vt`: signed, HttpOnly, SameSite=Lax, good for a year. Any answer sets it, a
    refusal too, if the request had none of ours. A single choice takes exactly one option, a
    ranked poll two or more, best first.

    With an idempotency key, as a header or in the body, a vote may be sent again until it is
    answered: it is stored once, and whoever has no cookie gets the same one each time. Use a
    random key, such as a UUID, for each vote; another vote under the same key is refused.
    """
    key = idempotency_key(headers, body)
    voter = visitor.as_voter(poll_id, key)
    ballot = Ballot(
        choices=body.ranked_choices,
        survey=body.model_dump(include=SURVEY, exclude_none=True, by_alias=True),
        idempotency_key=key,
    )
    if turnstile.is_required():
        with db.engine.connect() as connection:  # given back before Turnstile thinks
            is_retry = check_ballot(connection, poll_id, ballot, clock.today())
        if not (is_retry or visitor.passed_bot_check):
            turnstile.refuse_bots(body.turnstile_token, voter.address)
            visitor.passed_bot_check = True  # its token is spent, should this view run again
    deduped = submit_ballot(poll_id, ballot, voter, clock.today())
    # After a retry, too: the worker that stored the ballot may have died before it came to this.
    cache.invalidate(cache.results_topic(poll_id))
    return VoteAnswer(deduped=True) if deduped else VoteAnswer()


def idempotency_key(headers: VoteHeaders, body: BallotIn) -> str | None:
    keys = {headers.idempotency_key, body.idempotency_key} - {None}
    if len(keys) > 1:
        raise Invalid("idempotencyKey: differs from the header Idempotency-Key")
    return keys.pop() if keys else None


@bp.get("/<poll_id>/results")
@typed_view(answer=ResultsAnswer)
def show_results(poll_id: str) -> Response:
    """Show how a poll stands, or how it ended."""
    frozen = False

    def compute() -> bytes:
        nonlocal frozen
        result, frozen = results_of(poll_id)
        return cacheable_body(result)

    read = cache.cached(cache.results_topic(poll_id), "all", compute)
    return json_response(read, frozen=frozen)


@bp.get("/<poll_id>/results.svg")
@typed_view(media_type=SVG)
def draw_results(poll_id: str) -> Response:
    """Draw how a poll stands, or how it ended: bars, and the rounds of a ranked poll as a Sankey.

    The picture follows the reader's light or dark, and tells the rounds in words besides.
    """
    read = cache.cached(
        cache.results_topic(poll_id), "svg", lambda: charts.draw(results_of(poll_id)[0]).encode()
    )
    return conditional_response(read, read.value.data, CHART_HEADERS)


@bp.get("/templates/<template_id>/history")
@typed_view(answer=HistoryAnswer)
def show_history(template_id: str, query: HistoryQuery) -> dict[str, Any]:
    """Show how the closed polls of a template ended, newest first."""
    return {"data": history_of(template_id, query.limit)}

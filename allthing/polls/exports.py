"""Recounts by others: the ballots and the result of a closed poll, as files to download.

Ballots come grouped by ranking and sorted. A poll with fewer than `EXPORT_MIN_BALLOTS` of them
gives none, for among few a rare ranking may name its voter.
"""

import json
from datetime import date
from http import HTTPStatus

from flask import Blueprint, Response
from pydantic import MISSING

from allthing.results import exports
from allthing.results.results import results_of
from allthing.web.typed_views import JSON, Out, typed_view

TEXT = "text/plain; charset=utf-8"
CSV = "text/csv; charset=utf-8"

bp = Blueprint("exports", __name__, url_prefix="/polls")


class RctabConfigOut(Out):
    contest: str
    jurisdiction: str
    office: str
    date: date
    threshold: str


class RctabActionOut(Out):
    """An option that is `elected`, or `eliminated` with what its ballots turn to."""

    elected: str | MISSING = MISSING
    eliminated: str | MISSING = MISSING
    transfers: dict[str, str]


class RctabRoundOut(Out):
    round: int
    tally: dict[str, str]
    tally_results: list[RctabActionOut]


class RctabOut(Out):
    """RCTab's summary: options by label, counts as texts, `exhausted` among the transfers."""

    config: RctabConfigOut
    results: list[RctabRoundOut]


@bp.get("/<poll_id>/ballots.blt")
@typed_view(HTTPStatus.CONFLICT, media_type=TEXT)
def export_blt(poll_id: str) -> Response:
    """Download a closed poll's ballots in the format of OpaVote and OpenTally."""
    return download(exports.blt(exports.closed_ballots(poll_id)), TEXT, f"{poll_id}.blt")


@bp.get("/<poll_id>/ballots.soi")
@typed_view(HTTPStatus.CONFLICT, media_type=TEXT)
def export_soi(poll_id: str) -> Response:
    """Download a closed poll's ballots in PrefLib's format of strict, incomplete orders."""
    return download(exports.soi(exports.closed_ballots(poll_id)), TEXT, f"{poll_id}.soi")


@bp.get("/<poll_id>/ballots.csv")
@typed_view(HTTPStatus.CONFLICT, media_type=CSV)
def export_csv(poll_id: str) -> Response:
    """Download a closed poll's ballots as RCTab's generic CSV, a row per ballot."""
    return download(exports.rctab_csv(exports.closed_ballots(poll_id)), CSV, f"{poll_id}.csv")


@bp.get("/<poll_id>/results.rctab.json")
@typed_view(HTTPStatus.CONFLICT, answer=RctabOut)
def export_rctab_summary(poll_id: str) -> Response:
    """Download a closed ranked poll's result as RCTab's summary, which RCVis shows."""
    result, _ = results_of(poll_id)
    summary = exports.rctab_summary(result)
    return download(json.dumps(summary, ensure_ascii=False), JSON, f"{poll_id}.rctab.json")


def download(text: str, content_type: str, filename: str) -> Response:
    """Answer with a file. The name of it needs no quoting: a poll was found by this id."""
    headers = {"Content-Disposition": f'attachment; filename="{filename}"'}
    return Response(text, headers=headers, content_type=content_type)

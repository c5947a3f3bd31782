"""Analytics: the figures of the dashboard."""

import datetime as dt
from typing import Any

from flask import Blueprint

from allthing.results.analytics import vote_figures
from allthing.runtime import clock
from allthing.web.typed_views import Out, typed_view

bp = Blueprint("analytics", __name__, url_prefix="/analytics")


class DayFiguresOut(Out):
    date: dt.date
    votes: int
    instances: int


class AnalyticsAnswer(Out):
    total_votes: int
    unique_instances: int
    today_votes: int
    today_instances: int
    daily_breakdown: list[DayFiguresOut]


@bp.get("")
@typed_view(answer=AnalyticsAnswer)
def show_analytics() -> dict[str, Any]:
    """Show how much is voted, in all and day by day."""
    return vote_figures(clock.today())

"""Analytics: the figures of the dashboard."""

from flask import Blueprint
from flask.typing import ResponseReturnValue

from allthing import clock
from allthing.analytics import vote_figures

bp = Blueprint("analytics", __name__, url_prefix="/analytics")


@bp.get("")
def show_analytics() -> ResponseReturnValue:
    return vote_figures(clock.today())

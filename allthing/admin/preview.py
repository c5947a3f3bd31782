"""The preview: what the rollovers of the days to come will open and close."""

from datetime import date, timedelta
from typing import Annotated

from flask import Blueprint
from pydantic import Field

from allthing.errors import Invalid
from allthing.runtime import clock
from allthing.schedule import schedule
from allthing.schedule.schedule import ScheduledDay
from allthing.web.field_types import Day
from allthing.web.request_data import Query
from allthing.web.typed_views import Out, typed_view

MAX_DAYS = 62
MAX_AHEAD = timedelta(days=366)

bp = Blueprint("preview", __name__, url_prefix="/preview")


class PreviewQuery(Query):
    first: Day | None = Field(None, alias="from")
    days: Annotated[int, Field(ge=1, le=MAX_DAYS)] = 7


class OpeningOut(Out):
    template_id: str
    template_key: str
    title: str
    question: str | None
    poll_type: str
    close_date: date
    options: list[str]
    planned: bool


class ClosingOut(Out):
    """A poll that ends; `instanceId` is null for one that is yet to be opened."""

    instance_id: str | None
    template_id: str
    title: str
    close_date: date


class SkipOut(Out):
    template_id: str
    template_key: str
    reason: str


class PreviewDayOut(Out):
    poll_date: date
    opens: list[OpeningOut]
    closes: list[ClosingOut]
    skips: list[SkipOut]


class PreviewAnswer(Out):
    timezone: str
    days: list[PreviewDayOut]


@bp.get("")
@typed_view()
def show_preview(query: PreviewQuery) -> PreviewAnswer:
    """List what will open and close, day by day, and which templates are left out and why."""
    today = clock.today()
    first = query.first or today
    if not today <= first <= today + MAX_AHEAD:
        raise Invalid(f"from: has to be from {today} to {today + MAX_AHEAD}")
    days = schedule.preview(first, first + timedelta(days=query.days - 1), today)
    return PreviewAnswer(timezone=clock.poll_zone().key, days=[day_out(day) for day in days])


def day_out(day: ScheduledDay) -> PreviewDayOut:
    return PreviewDayOut(
        poll_date=day.day,
        opens=[
            OpeningOut(
                template_id=opening.template.id,
                template_key=opening.template.key,
                title=opening.template.title,
                question=opening.question,
                poll_type=opening.template.poll_type,
                close_date=opening.close_date,
                options=opening.labels,
                planned=opening.plan is not None,
            )
            for opening in day.opens
        ],
        closes=[
            ClosingOut(
                instance_id=period.instance_id,
                template_id=period.template_id,
                title=period.title,
                close_date=period.ends,
            )
            for period in day.closes
        ],
        skips=[
            SkipOut(
                template_id=skip.template.id, template_key=skip.template.key, reason=skip.reason
            )
            for skip in day.skips
        ],
    )

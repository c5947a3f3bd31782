"""The turn of the day: what the daily job does, for the day the operator names."""

from datetime import date, timedelta

import click

from allthing import clock
from allthing.admin import operations
from allthing.admin.schemas import DayQuery
from allthing.cli.commands import action_of, changing, do
from allthing.cli.options import DAY
from allthing.cli.output import Answer
from allthing.inputs import validate


def day_query(day: date) -> DayQuery:
    return validate(DayQuery, {"pollDate": day.isoformat()})


@changing("rollover", action_of(operations.roll_over))
@click.option(
    "--date", "day", type=DAY, help="The poll day to open.  [default: today in the poll time zone]"
)
def rollover(day: date | None) -> Answer:
    """Close the polls that have ended and open those of a day. Safe to repeat."""
    done = do(operations.roll_over, day_query(day or clock.today()))
    counts = f"{done.created_count} polls opened, {done.closed_count} closed"
    return Answer(done, [f"{done.poll_date}: {counts}"])


@changing("close", action_of(operations.close_polls))
@click.option(
    "--date", "day", type=DAY, help="Close what ends on this day or before.  [default: yesterday]"
)
def close(day: date | None) -> Answer:
    """Close all polls that ended by a day and freeze their results. Safe to repeat."""
    done = do(operations.close_polls, day_query(day or clock.today() - timedelta(days=1)))
    counts = f"{done.closed_count} polls closed, {done.snapshot_count} snapshots"
    return Answer(done, [f"{done.poll_date}: {counts}"])

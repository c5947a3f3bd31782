"""The turn of the day: what the daily job does, for the day the operator names."""

from datetime import date, timedelta

import click

from allthing.admin import operations
from allthing.admin.preview import day_out
from allthing.admin.schemas import DayQuery
from allthing.cli.commands import action_of, changing, do
from allthing.cli.options import DAY
from allthing.cli.output import Answer
from allthing.runtime import clock
from allthing.schedule.schedule import Agenda
from allthing.web.request_data import validate


def day_query(day: date) -> DayQuery:
    return validate(DayQuery, {"pollDate": day.isoformat()})


@changing("rollover", action_of(operations.roll_over))
@click.option(
    "--date", "day", type=DAY, help="The poll day to open.  [default: today in the poll time zone]"
)
@click.option("--dry-run", is_flag=True, help="Only say what it would open, close and leave out.")
def rollover(day: date | None, dry_run: bool) -> Answer:
    """Close the polls that have ended and open those of a day. Safe to repeat."""
    if dry_run:
        return foreseen(day or clock.today())
    done = do(operations.roll_over, day_query(day or clock.today()))
    counts = f"{done.created_count} polls opened, {done.closed_count} closed"
    return Answer(done, [f"{done.poll_date}: {counts}"])


def foreseen(day: date) -> Answer:
    """Say what the rollover of a day would do now: a line for each poll and template."""
    agenda = day_out(Agenda(day, day).on(day, clock.today()))
    closes = [f"closes  {poll.title} (until {poll.close_date})" for poll in agenda.closes]
    opens = [f"opens   {poll.title} (until {poll.close_date})" for poll in agenda.opens]
    skips = [f"skips   {skip.template_key}: {skip.reason}" for skip in agenda.skips]
    return Answer(agenda, [*closes, *opens, *skips] or [f"{day}: nothing to do"])


@changing("close", action_of(operations.close_polls))
@click.option(
    "--date", "day", type=DAY, help="Close what ends on this day or before.  [default: yesterday]"
)
def close(day: date | None) -> Answer:
    """Close all polls that ended by a day and freeze their results. Safe to repeat."""
    done = do(operations.close_polls, day_query(day or clock.today() - timedelta(days=1)))
    counts = f"{done.closed_count} polls closed, {done.snapshot_count} snapshots"
    return Answer(done, [f"{done.poll_date}: {counts}"])

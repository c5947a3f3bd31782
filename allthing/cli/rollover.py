"""Rollover and closing: what the daily job does, for the day the operator names."""

from datetime import date, timedelta

import click

from allthing.admin.operations import ClosingAnswer, RolloverAnswer
from allthing.admin.preview import day_out
from allthing.cli.commands import audited_command
from allthing.cli.options import DAY
from allthing.cli.output import Output
from allthing.runtime import clock
from allthing.schedule.rollover import close_ended, roll_over
from allthing.schedule.schedule import Schedule


@audited_command("rollover", "rollover_run", "instance")
@click.option(
    "--date", "day", type=DAY, help="The poll day to open.  [default: today in the poll time zone]"
)
@click.option("--dry-run", is_flag=True, help="Only say what it would open, close and leave out.")
def rollover(day: date | None, dry_run: bool) -> Output:
    """Close the polls that have ended and open those of a day. Safe to repeat."""
    today = clock.today()
    if dry_run:
        return preview(day or today)
    done = RolloverAnswer.model_validate(roll_over(day or today, today))
    counts = f"{done.created_count} polls opened, {done.closed_count} closed"
    return Output(done, [f"{done.poll_date}: {counts}"])


def preview(day: date) -> Output:
    """Say what the rollover of a day would do now: a line for each poll and template."""
    scheduled = day_out(Schedule(day, day).on(day, clock.today()))
    closes = [f"closes  {poll.title} (until {poll.close_date})" for poll in scheduled.closes]
    opens = [f"opens   {poll.title} (until {poll.close_date})" for poll in scheduled.opens]
    skips = [f"skips   {skip.template_key}: {skip.reason}" for skip in scheduled.skips]
    return Output(scheduled, [*closes, *opens, *skips] or [f"{day}: nothing to do"])


@audited_command("close", "polls_closed", "instance")
@click.option(
    "--date", "day", type=DAY, help="Close what ends on this day or before.  [default: yesterday]"
)
def close(day: date | None) -> Output:
    """Close all polls that ended by a day and freeze their results. Safe to repeat."""
    last_day = day or clock.today() - timedelta(days=1)
    done = ClosingAnswer.model_validate(close_ended(last_day))
    counts = f"{done.closed_count} polls closed, {done.snapshot_count} snapshots"
    return Output(done, [f"{done.poll_date}: {counts}"])

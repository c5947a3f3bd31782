"""Recounts: whether the ballots still say what was kept as the result."""

from datetime import date

import click

from allthing.cli.commands import command
from allthing.cli.options import DAY
from allthing.cli.output import Output, aligned, short
from allthing.database import begin_consistent_read
from allthing.results.verification import recount as recount_poll
from allthing.results.verification import recount_closed
from allthing.web.typed_views import Out


class RecountOut(Out):
    """A recount; `version` is that of the snapshot, null for a poll without one."""

    poll_id: str
    poll_date: date
    title: str
    version: int | None
    ballots: int
    differences: list[str]


class VerifiedOut(Out):
    """A recount of many polls; `found` has those that differ or have no snapshot."""

    polls: int
    differing: int
    without_snapshot: int
    found: list[RecountOut]


@command("recount")
@click.argument("instance_id", metavar="ID")
def recount(instance_id: str) -> Output:
    """Count a closed poll again; exit with 1 if its snapshot says otherwise.

    A line for each field that differs.
    """
    begin_consistent_read()
    found = recount_poll(instance_id)
    news = f"{len(found.differences)} fields differ" if found.differences else "is the same"
    summary = f"{found.ballots} ballots counted again, snapshot v{found.version}: {news}"
    lines = [*aligned([(text,) for text in found.differences]), summary]
    return Output(RecountOut.model_validate(found), lines, bool(found.differences))


@command("verify-results")
@click.option("--all", "every", is_flag=True, help="All closed polls.")
@click.option("--date", "day", type=DAY, help="Only those that began on this day.")
def verify_results(every: bool, day: date | None) -> Output:
    """Count closed polls again; exit with 1 if any snapshot says otherwise.

    A line for each poll that differs or has no snapshot, then the sums. Columns: id, first day,
    what was found, title. What differs: see `recount`, or --json.
    """
    if every == (day is not None):
        raise click.UsageError("say either --all or --date")
    begin_consistent_read()
    polls, worse = 0, []
    for found in recount_closed(day):
        polls += 1
        if found.differences or found.version is None:
            worse.append(RecountOut.model_validate(found))
    differing = sum(bool(found.differences) for found in worse)
    done = VerifiedOut(
        polls=polls, differing=differing, without_snapshot=len(worse) - differing, found=worse
    )
    rows = [(this.poll_id, this.poll_date, news(this), short(this.title, 30)) for this in worse]
    counts = f"{differing} differ, {done.without_snapshot} have no snapshot"
    summary = f"{polls} closed polls counted again: {counts}"
    return Output(done, [*aligned(rows), summary], differing > 0)


def news(found: RecountOut) -> str:
    if found.version is None:
        return "no snapshot"
    return f"v{found.version}: {len(found.differences)} fields differ"

"""Votes: figures that name nobody, and ballots to try a poll with."""

import csv
import random
import secrets
import sys
from collections.abc import Sequence
from datetime import date, datetime

import click
from sqlalchemy import func, select

from allthing import cache
from allthing.cli.commands import audited_command, command
from allthing.cli.options import DAY
from allthing.cli.output import Output, short, table
from allthing.database import db, find, lock_until_commit
from allthing.errors import Invalid, Problem
from allthing.models import PollInstance, VoteBallot
from allthing.models.changes import record_change
from allthing.runtime import clock
from allthing.voting.cast import Ballot, PollNotOpen, Voter, cast_ballot, lock_open_poll
from allthing.voting.rules import MIN_RANKS
from allthing.web.typed_views import Out

BATCH = 100  # a poll can't be closed, and SQLite takes no other vote, while one is written
LONG_RUN = 50


class VoteFigures(Out):
    instance_id: str
    title: str
    poll_type: str
    status: str
    ballots: int
    distinct_rankings: int
    first_ballot_at: datetime | None
    last_ballot_at: datetime | None


@command("votes")
@click.option("--date", "day", type=DAY, help="When the polls began.  [default: today]")
def votes(day: date | None) -> Output:
    """Count the ballots of a day's polls.

    Columns: id, title, ballots, distinct rankings, first and last ballot (UTC). A voter has one
    ballot in a poll at most, so there are no duplicates to count.
    """
    found = db.session.execute(
        select(
            PollInstance.id.label("instance_id"),
            PollInstance.title,
            PollInstance.poll_type,
            PollInstance.status,
            func.count(VoteBallot.id).label("ballots"),
            func.count(VoteBallot.ranking.distinct()).label("distinct_rankings"),
            func.min(VoteBallot.created_at).label("first_ballot_at"),
            func.max(VoteBallot.created_at).label("last_ballot_at"),
        )
        .outerjoin(VoteBallot, VoteBallot.instance_id == PollInstance.id)
        .where(PollInstance.poll_date == (day or clock.today()))
        .group_by(PollInstance.id)
        .order_by(PollInstance.title, PollInstance.id)
    )
    return table(
        [VoteFigures.model_validate(row) for row in found],
        lambda row: (
            row.instance_id,
            short(row.title, 20),
            row.ballots,
            row.distinct_rankings,
            minute(row.first_ballot_at),
            minute(row.last_ballot_at),
        ),
    )


def minute(instant: datetime | None) -> str:
    return f"{instant:%m-%d %H:%M}" if instant else ""


@audited_command("test-vote", "test_votes_cast", "instance")
@click.option("--instance-id", required=True, help="The poll, which has to be open.")
@click.option("--count", default=1, show_default=True, type=click.IntRange(1, 100_000))
@click.option("--rankings", help="Labels or ids, best first: a,b  (a comma inside: '\"a, b\",c').")
@click.option(
    "--random", "at_random", is_flag=True, help="Any valid ballot; as without --rankings."
)
@click.option("--seed", type=int, help="Make the random ballots the same each time.")
def test_vote(
    instance_id: str, count: int, rankings: str | None, at_random: bool, seed: int | None
) -> Output:
    """Cast ballots as new voters. They count like any others, and can't be told from them."""
    if rankings is not None and (at_random or seed is not None):
        raise click.UsageError("--rankings leaves nothing to --random and --seed")
    instance = find(PollInstance, instance_id)
    if rankings is None:
        ballots = random_choices(instance, count, seed)
    else:
        ballots = [named_choices(instance, rankings)] * count
    cast_all(instance_id, ballots)
    return Output(
        {"instanceId": instance_id, "castCount": count},
        [f"{count} test votes cast in {instance_id}"],
    )


def random_choices(instance: PollInstance, count: int, seed: int | None) -> list[list[str]]:
    """Draw ballots that the poll's rules accept, with any number of ranks they allow."""
    chance = random.Random(seed)  # noqa: S311  # trial ballots are no secret
    ids = [option.id for option in instance.options]
    most = min(instance.max_rank or len(ids), len(ids))
    ranks = (1, 1) if instance.poll_type == "SINGLE" else (MIN_RANKS, max(most, MIN_RANKS))
    return [chance.sample(ids, chance.randint(*ranks)) for _ in range(count)]


def named_choices(instance: PollInstance, rankings: str) -> list[str]:
    """Read `a,b` as option ids; each name is a label or an id."""
    names = next(csv.reader([rankings], skipinitialspace=True), [])
    return [named_option(instance, name.strip()) for name in names]


def named_option(instance: PollInstance, name: str) -> str:
    ids = [option.id for option in instance.options if name in {option.id, option.label}]
    if len(ids) > 1:
        raise Invalid(f"rankings: {name!r} is the label of several options: use an id")
    if not ids:
        labels = ", ".join(option.label for option in instance.options)
        raise Invalid(f"rankings: {name!r} is not an option of this poll ({labels})")
    return ids[0]


def cast_all(instance_id: str, ballots: Sequence[Sequence[str]]) -> None:
    """Cast the ballots in batches, each committed; the last one is left to the audit's commit.

    A refusal on the way takes back its batch only; the audit row says how many stand.
    """
    hidden = len(ballots) <= LONG_RUN or not sys.stderr.isatty()
    progress = click.progressbar(ballots, label="casting", file=sys.stderr, hidden=hidden)
    stand = 0
    try:
        with progress as remaining:
            for number, choices in enumerate(remaining):
                if number % BATCH == 0:
                    record_change(instance_id, details=counts(number, ballots))
                    db.session.commit()
                    stand = number
                    begin_batch(instance_id)
                token = secrets.token_urlsafe()
                voter = Voter(token=token, address=token, user_agent="flask test-vote")
                ballot = Ballot(choices, survey={})
                within = db.session.connection()
                cast_ballot(instance_id, ballot, voter, clock.today(), within)
    except Problem:
        if stand:
            click.echo(f"{stand} test votes were cast before this:", err=True)
        raise
    record_change(instance_id, details=counts(len(ballots), ballots))


def begin_batch(instance_id: str) -> None:
    """Hold the poll open; two batches at once could each wait for the other's tallies."""
    lock_until_commit(f"test-votes:{instance_id}")
    if not lock_open_poll(db.session.connection(), instance_id):
        raise PollNotOpen
    cache.invalidate_on_commit(cache.results_topic(instance_id))


def counts(stand: int, ballots: Sequence[Sequence[str]]) -> dict[str, int]:
    return {"castCount": stand, "requestedCount": len(ballots)}

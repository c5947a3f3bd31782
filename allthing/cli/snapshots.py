"""Kept results: table, searched for gaps, taken anew."""

import click
from sqlalchemy import func, select

from allthing.admin.auth import acting_admin
from allthing.admin.snapshots import MissingAnswer, RegeneratedAnswer, SnapshotRow
from allthing.cli.commands import audited_command, command
from allthing.cli.options import limit_option
from allthing.cli.output import Output, aligned, limited, short, table
from allthing.database import db
from allthing.models import PollInstance, PollResultSnapshot, VoteBallot
from allthing.results import snapshots as results


@command("snapshots")
@click.option("--instance-id", default=None, help="Only those of this poll.")
@limit_option
def snapshots(instance_id: str | None, limit: int) -> Output:
    """List kept results, newest first.

    Columns: poll id, version, reason, ballots, UTC time, who asked. Results: see `export`.
    """
    columns = [getattr(PollResultSnapshot, name) for name in SnapshotRow.model_fields]
    newest = PollResultSnapshot.created_at.desc(), PollResultSnapshot.version.desc()
    query = select(*columns).order_by(*newest, PollResultSnapshot.id).limit(limit + 1)
    if instance_id is not None:
        query = query.where(PollResultSnapshot.instance_id == instance_id)
    found = limited(db.session.execute(query).all(), limit)
    return table(
        [SnapshotRow.model_validate(row) for row in found],
        lambda row: (
            row.instance_id,
            f"v{row.version}",
            row.reason,
            row.total_ballots,
            row.created_at,
            row.actor,
        ),
    )


@command("find-missing-snapshots")
def find_missing() -> Output:
    """List and count closed polls without result.

    Columns: id, first day, ballots, title. Polls with fewer than MIN_VOTES ballots stay in it.
    """
    ballots = select(func.count()).where(VoteBallot.instance_id == PollInstance.id)
    found = db.session.execute(
        select(
            PollInstance.id,
            PollInstance.poll_date,
            ballots.scalar_subquery().label("ballots"),
            PollInstance.title,
        )
        .where(results.is_missing())
        .order_by(PollInstance.poll_date, PollInstance.id)
    ).all()
    rows = [(row.id, row.poll_date, row.ballots, short(row.title, 44)) for row in found]
    count = f"{len(found)} closed polls have no snapshot"
    data = [
        {
            "instanceId": row.id,
            "pollDate": row.poll_date.isoformat(),
            "title": row.title,
            "ballots": row.ballots,
        }
        for row in found
    ]
    return Output(data, [*aligned(rows), count])


@audited_command("create-missing-snapshots", "snapshots_created", "snapshot")
def create_missing() -> Output:
    """Take the snapshot of each closed poll that has none."""
    done = MissingAnswer.of(results.create_missing(acting_admin()))
    return Output(done, [done.message])


@audited_command("regenerate-snapshots", "snapshots_regenerated", "snapshot")
def regenerate() -> Output:
    """Count all closed polls again; where the result differs, it becomes a new version."""
    done = RegeneratedAnswer.of(results.regenerate(acting_admin()))
    return Output(done, [done.message])

"""Which results are kept: how a poll's snapshot is run, and which version of it counts.

No snapshot is rewritten or deleted. Who takes one holds the poll's row locked, so that it does
not close meanwhile, and with it the lock that lets one admin at a time take snapshots; the one
who closes the poll needs its row alone.
"""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, and_, delete, select
from sqlalchemy.orm import aliased, selectinload

from allthing import cache
from allthing.config import settings
from allthing.database import db, find, lock_until_commit
from allthing.errors import Conflict, NotFound
from allthing.models import AdminAuditLog, PollInstance, PollResultSnapshot, VoteTally
from allthing.models.changes import record_change
from allthing.results.counting import TallyCheck, check_tallies, result_of

BATCH_SIZE = 200  # polls in memory at a time
MAX_RANKINGS_SHOWN = 100  # in an audit row
INTERIM = "INTERIM"

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class SnapshotRun:
    """What came of a run: polls looked at, those with enough ballots, snapshots that are new."""

    polls: int
    counted: int
    added: int

    @property
    def summary(self) -> str:
        return (
            f"polls: {self.polls}; new snapshots: {self.added}; "
            f"unchanged since the last: {self.counted - self.added}; "
            f"with too few ballots: {self.polls - self.counted}"
        )


def is_newest() -> ColumnElement[bool]:
    """Tell the snapshots that no newer version of the same poll supersedes."""
    newer = aliased(PollResultSnapshot)
    superseding = select(newer.id).where(
        newer.instance_id == PollResultSnapshot.instance_id,
        newer.version > PollResultSnapshot.version,
    )
    return ~superseding.exists()


def is_result() -> ColumnElement[bool]:
    """Tell the snapshots that are the result of a closed poll: for each the newest version."""
    return and_(PollResultSnapshot.reason != INTERIM, is_newest())


def is_missing() -> ColumnElement[bool]:
    """Tell the closed polls that have no result kept yet."""
    kept = select(PollResultSnapshot.id).where(
        PollResultSnapshot.instance_id == PollInstance.id, PollResultSnapshot.reason != INTERIM
    )
    return (PollInstance.status == "CLOSED") & ~kept.exists()


def newest_snapshot(instance: PollInstance) -> PollResultSnapshot:
    """Return the newest snapshot, be it of the closed poll or an interim one.

    Raises `NotFound` without any.
    """
    snapshot = newest_of([instance]).get(instance.id)
    if snapshot is None:
        raise NotFound("this poll has no snapshot")
    return snapshot


def newest_of(instances: Sequence[PollInstance]) -> dict[str, PollResultSnapshot]:
    """Return the newest snapshot of each of these polls that has any, by instance id."""
    if not instances:
        return {}
    ids = [instance.id for instance in instances]
    found = select(PollResultSnapshot).where(PollResultSnapshot.instance_id.in_(ids), is_newest())
    return {snapshot.instance_id: snapshot for snapshot in db.session.scalars(found)}


def take_snapshots(
    instances: Sequence[PollInstance], reason: str, actor: str | None = None
) -> SnapshotRun:
    """Count polls whose rows are locked; keep each result that differs from its last snapshot.

    It is the ballots that are counted. Where the tallies of a closed poll say otherwise, they are
    corrected; those of an open poll are when it is closed.

    A poll with fewer than `MIN_VOTES` ballots is passed over and keeps the snapshots it has.
    """
    newest = newest_of(instances)
    counted = added = 0
    for instance in instances:
        tally_check = check_tallies(instance)
        if tally_check.differences and instance.status == "CLOSED":
            correct_tallies(instance, tally_check)
        result = result_of(instance, tally_check.ballots.items())
        if result["totalBallots"] < settings().min_votes:
            continue
        counted += 1
        last = newest.get(instance.id)
        if last is None or last.results != result:
            version = last.version + 1 if last else 1
            add_version(version, result, reason, actor)
            added += 1
    db.session.flush()
    return SnapshotRun(len(instances), counted, added)


def correct_tallies(instance: PollInstance, tally_check: TallyCheck) -> None:
    """Replace the tallies by the counts of the ballots; say so in the log and in the audit."""
    db.session.execute(delete(VoteTally).where(VoteTally.instance_id == instance.id))
    db.session.add_all(
        VoteTally(instance_id=instance.id, ranking=ranking, shard=0, votes=ballots)
        for ranking, ballots in tally_check.ballots.items()
    )
    differences = tally_check.differences
    log.warning("tallies corrected", extra={"poll": instance.id, "rankings": len(differences)})
    shown = list(differences.items())[:MAX_RANKINGS_SHOWN]
    db.session.add(
        AdminAuditLog(
            action="tallies_corrected",
            entity_type="instance",
            entity_id=instance.id,
            changes={
                "before": {ranking: tallied for ranking, (tallied, _) in shown},
                "after": {ranking: ballots for ranking, (_, ballots) in shown},
            },
            details={"admin": None, "via": "system", "rankings": len(differences)},
        )
    )


def add_version(version: int, result: dict[str, Any], reason: str, actor: str | None) -> None:
    db.session.add(
        PollResultSnapshot(
            instance_id=result["pollId"],
            version=version,
            reason=reason,
            actor=actor,
            results=result,
            total_votes=result["totalVotes"],
            total_ballots=result["totalBallots"],
            winner_option_id=result["winnerOptionId"],
        )
    )
    cache.invalidate_on_commit(cache.results_topic(result["pollId"]))
    cache.invalidate_on_commit(cache.POLLS_TOPIC)  # a template with a result is not new any more


def take_snapshot(instance_id: str, actor: str) -> PollResultSnapshot:
    """Keep a poll's result as it stands; an open poll's is only an interim one.

    Returns the last snapshot if nothing differs from it. Raises `NotFound`, and `Conflict` for a
    poll with too few ballots.
    """
    lock_until_commit("snapshots")
    instance = find(PollInstance, instance_id, lock="share")
    reason = INTERIM if instance.status == "OPEN" else "REQUESTED"
    if not take_snapshots([instance], reason, actor).counted:
        raise Conflict(f"this poll has fewer than {settings().min_votes} ballots: no snapshot")
    snapshot = newest_snapshot(instance)
    facts = {"instanceId": instance_id, "version": snapshot.version, "reason": snapshot.reason}
    record_change(snapshot.id, details=facts)
    return snapshot


def create_missing(actor: str) -> SnapshotRun:
    """Take the snapshot of each closed poll that has no result kept yet."""
    run = take_all(is_missing(), "MISSING", actor)
    record_change(details={"createdCount": run.added, "totalMissing": run.polls})
    return run


def regenerate(actor: str) -> SnapshotRun:
    """Count all closed polls again; a result that differs becomes the next version."""
    run = take_all(PollInstance.status == "CLOSED", "REGENERATED", actor)
    record_change(
        details={
            "regeneratedCount": run.counted,
            "totalClosed": run.polls,
            "changedCount": run.added,
        }
    )
    return run


def create_for_active(actor: str) -> SnapshotRun:
    """Take an interim snapshot of each open poll."""
    run = take_all(PollInstance.status == "OPEN", INTERIM, actor)
    record_change(details={"createdCount": run.added, "totalActive": run.polls})
    return run


def take_all(condition: ColumnElement[bool], reason: str, actor: str) -> SnapshotRun:
    """Take the snapshots of all polls that meet the condition, some at a time in memory."""
    lock_until_commit("snapshots")
    found = select(PollInstance.id).where(condition).order_by(PollInstance.id)
    ids = db.session.scalars(found.with_for_update(read=True)).all()
    counted = added = 0
    for start in range(0, len(ids), BATCH_SIZE):
        batch = db.session.scalars(
            select(PollInstance)
            .where(PollInstance.id.in_(ids[start : start + BATCH_SIZE]))
            .options(selectinload(PollInstance.options))
        ).all()
        run = take_snapshots(batch, reason, actor)
        counted += run.counted
        added += run.added
    return SnapshotRun(len(ids), counted, added)

"""Instances: the polls that dates have opened, moved, closed and replaced one by one."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from sqlalchemy import select
from sqlalchemy.orm import selectinload

from allthing import cache
from allthing.database import db, find, lock_until_commit
from allthing.errors import Conflict
from allthing.models import (
    PollCategory,
    PollInstance,
    PollInstanceOption,
    PollPlan,
    PollTemplate,
)
from allthing.models.changes import facts_of, record_change
from allthing.results.snapshots import take_snapshots
from allthing.runtime.clock import now
from allthing.schedule.schedule import Opening


@dataclass(frozen=True)
class ClosedInstance:
    """A poll that was closed, and whether it had ballots enough for a snapshot."""

    instance_id: str
    snapshot_created: bool
    poll_date: date
    template_id: str


@dataclass(frozen=True)
class ReplacedInstance:
    """A poll that was closed for good, and the one that was opened in its place."""

    old_instance_id: str
    new_instance_id: str
    snapshot_created: bool
    poll_date: date
    template_id: str
    used_plan: bool


def instances_of(day: date) -> Sequence[PollInstance]:
    """Return the polls that began on a date, by title."""
    return db.session.scalars(
        select(PollInstance)
        .where(PollInstance.poll_date == day)
        .order_by(PollInstance.title, PollInstance.id)
        .options(selectinload(PollInstance.options))
    ).all()


def move_instance(instance_id: str, category_id: str) -> PollInstance:
    """Show a poll in another category; its template stays.

    Raises `NotFound` for an unknown poll or category.
    """
    instance = find(PollInstance, instance_id, lock="update")
    before = {"categoryId": instance.category_id}
    instance.category_id = find(PollCategory, category_id).id
    db.session.flush()
    cache.invalidate_on_commit(cache.POLLS_TOPIC)
    record_change(instance.id, before=before, after={"categoryId": instance.category_id})
    return instance


def close_instance(instance_id: str) -> ClosedInstance:
    """Close one poll and freeze its result. Raises `NotFound`, `Conflict` if it is closed."""
    instance = find_open(instance_id)
    snapshot_created = freeze([instance]) == 1
    record_change(
        instance.id,
        before={"status": "OPEN"},
        after={"status": instance.status},
        details={"snapshotCreated": snapshot_created},
    )
    return ClosedInstance(instance.id, snapshot_created, instance.poll_date, instance.template_id)


def replace_instance(instance_id: str) -> ReplacedInstance:
    """Close an open poll for good, and open another in its place, as its template is now.

    The old one keeps its votes and its result. Raises `NotFound`, and `Conflict` if it is closed
    or if its template has nothing to open on that date.
    """
    lock_until_commit("rollover")  # comes before any row, as in a rollover
    old = find_open(instance_id)
    plan = db.session.scalar(
        select(PollPlan).where(
            PollPlan.template_id == old.template_id, PollPlan.poll_date == old.poll_date
        )
    )
    opening = Opening(find(PollTemplate, old.template_id), plan, old.poll_date)
    if opening.reason_to_skip is not None:
        raise Conflict(f"the template has nothing to open on that date: {opening.reason_to_skip}")
    new = new_instance(opening)
    old.replaced_at = now()
    snapshot_created = freeze([old]) == 1
    db.session.add(new)
    db.session.flush()
    replaced = ReplacedInstance(
        old_instance_id=old.id,
        new_instance_id=new.id,
        snapshot_created=snapshot_created,
        poll_date=old.poll_date,
        template_id=old.template_id,
        used_plan=plan is not None,
    )
    record_change(
        old.id,
        before={"status": "OPEN"},
        after={"status": old.status},
        details=facts_of(replaced),
    )
    return replaced


def find_open(instance_id: str) -> PollInstance:
    """Return an open poll, locked. Raises `NotFound`, `Conflict` if it is closed."""
    instance = find(PollInstance, instance_id, lock="update")
    if instance.status != "OPEN":
        raise Conflict("this poll is closed already")
    return instance


def new_instance(opening: Opening) -> PollInstance:
    """Copy the template's words as they are now: they are the poll's from here on."""
    template = opening.template
    return PollInstance(
        template_id=template.id,
        category_id=template.category_id,
        poll_date=opening.day,
        close_date=opening.close_date,
        title=template.title,
        question=opening.question,
        poll_type=template.poll_type,
        max_rank=template.max_rank,
        audience=template.audience,
        options=[
            PollInstanceOption(label=label, sort_order=place)
            for place, label in enumerate(opening.labels)
        ],
    )


def freeze(instances: Sequence[PollInstance]) -> int:
    """Close locked polls and keep their results; return how many have enough ballots for that.

    The lock waits for votes under way and holds off later ones, so that the snapshot has every
    acknowledged vote.
    """
    for instance in instances:
        instance.status = "CLOSED"
        cache.invalidate_on_commit(cache.results_topic(instance.id))
    cache.invalidate_on_commit(cache.POLLS_TOPIC)
    return take_snapshots(instances, "CLOSED").added

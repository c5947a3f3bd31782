"""The turn of the day: closing what has ended, freezing its result, opening what is due.

All of it may run anywhere, any number of times and at the same time: one lock lets one run at
a time, and a run that finds its work done does nothing.
"""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from sqlalchemy import select
from sqlalchemy.orm import selectinload

from allthing import cache
from allthing.database import db, find, lock_until_commit
from allthing.errors import Conflict
from allthing.models import PollInstance, PollInstanceOption, PollPlan, PollTemplate, RolloverRun
from allthing.results.snapshots import keep_results
from allthing.runtime.clock import now
from allthing.schedule.schedule import Agenda, Opening

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Closing:
    closed: int
    snapshots: int


@dataclass(frozen=True)
class Replacement:
    old: PollInstance
    new: PollInstance
    has_snapshot: bool
    used_plan: bool


@dataclass(frozen=True)
class Rollover:
    created: int
    closing: Closing


def ensure_open(today: date) -> bool:
    """Roll over to `today` if nobody has; return whether this call did."""
    if has_run(today):
        return False
    lock_until_commit("rollover")
    if has_run(today):  # while we waited for the lock
        return False
    roll_over(today, today)
    return True


def has_run(day: date) -> bool:
    run = select(RolloverRun.id).where(RolloverRun.poll_date == day).limit(1)
    return db.session.scalar(run) is not None


def roll_over(day: date, today: date) -> Rollover:
    """Close what ended before `today`, then open the polls of `day` that are not open yet."""
    lock_until_commit("rollover")
    closing = close_ended(min(day, today) - timedelta(days=1))
    agenda = Agenda(day, day).on(day, today)
    db.session.add_all(new_instance(opening) for opening in agenda.opens)
    for skip in agenda.skips:
        if skip.is_fault:
            facts = {"template": skip.template.key, "reason": skip.reason}
            log.warning("no poll opened", extra=facts)
    db.session.add(
        RolloverRun(poll_date=day, created_count=len(agenda.opens), closed_count=closing.closed)
    )
    cache.forget_on_commit(cache.POLLS)
    db.session.flush()
    return Rollover(len(agenda.opens), closing)


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


def close_ended(last_day: date) -> Closing:
    """Close every open poll whose close date is `last_day` or earlier."""
    ended = db.session.scalars(
        select(PollInstance)
        .where(PollInstance.status == "OPEN", PollInstance.close_date <= last_day)
        .order_by(PollInstance.id)  # two closers take their locks in one order
        .options(selectinload(PollInstance.options))
        .with_for_update()
    ).all()
    return Closing(len(ended), freeze(ended))


def close_instance(instance: PollInstance) -> bool:
    """Close one poll, which the caller holds locked; return whether it got a snapshot."""
    if instance.status != "OPEN":
        raise Conflict("this poll is closed already")
    return freeze([instance]) == 1


def freeze(instances: Sequence[PollInstance]) -> int:
    """Close locked polls and keep their results; return how many have enough ballots for that.

    The lock waits for votes under way and holds off later ones, so that the snapshot has every
    acknowledged vote.
    """
    for instance in instances:
        instance.status = "CLOSED"
        cache.forget_on_commit(cache.results(instance.id))
    cache.forget_on_commit(cache.POLLS)
    return keep_results(instances, "CLOSED").added


def replace_instance(instance_id: str) -> Replacement:
    """Close an open poll for good, and open another in its place, as its template is now.

    The old one keeps its votes and its result. Raises 404, and 409 if it is closed or if its
    template has nothing to open on that date.
    """
    lock_until_commit("rollover")  # comes before any row, as in a rollover
    old = find(PollInstance, instance_id, lock="change")
    if old.status != "OPEN":
        raise Conflict("this poll is closed already")
    plan = db.session.scalar(
        select(PollPlan).where(
            PollPlan.template_id == old.template_id, PollPlan.poll_date == old.poll_date
        )
    )
    opening = Opening(find(PollTemplate, old.template_id), plan, old.poll_date)
    if opening.objection is not None:
        raise Conflict(f"the template has nothing to open on that date: {opening.objection}")
    new = new_instance(opening)
    old.replaced_at = now()
    snapshots = freeze([old])
    db.session.add(new)
    db.session.flush()
    return Replacement(old, new, snapshots == 1, plan is not None)

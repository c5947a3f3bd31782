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
from allthing.clock import now
from allthing.database import db, find, lock_until_commit
from allthing.models import PollInstance, PollInstanceOption, PollPlan, PollTemplate, RolloverRun
from allthing.problems import Conflict
from allthing.snapshots import keep_results

MINIMUM_OPTIONS = 2

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
    if db.session.get(RolloverRun, today):
        return False
    roll_over(today, today)
    return True


def roll_over(day: date, today: date) -> Rollover:
    """Close what ended before `today`, then open the polls of `day` that are not open yet."""
    lock_until_commit("rollover")
    closing = close_ended(min(day, today) - timedelta(days=1))
    instances = due_instances(day, today)
    db.session.add_all(instances)
    db.session.merge(RolloverRun(poll_date=day))
    cache.forget_on_commit(cache.POLLS)
    db.session.flush()
    return Rollover(len(instances), closing)


def due_instances(day: date, today: date) -> list[PollInstance]:
    """Make an instance for each active template that has none running on `day`.

    A plan may skip the day, ask another question or offer other options. Nothing is made that
    would have ended before `today`.
    """
    templates = db.session.scalars(
        select(PollTemplate)
        .where(PollTemplate.is_active)
        .order_by(PollTemplate.key)
        .options(selectinload(PollTemplate.options))
    ).all()
    planned = db.session.scalars(
        select(PollPlan).where(PollPlan.poll_date == day).options(selectinload(PollPlan.options))
    )
    plans = {plan.template_id: plan for plan in planned}
    running = running_periods(day)
    due = []
    for template in templates:
        instance = new_instance(template, plans.get(template.id), day)
        periods = running.get(template.id, [])
        if instance is None or instance.close_date < today:
            continue
        if not any(start <= instance.close_date for start in periods):
            due.append(instance)
    return due


def running_periods(day: date) -> dict[str, list[date]]:
    """Return, per template, when its polls begin that bar another one from beginning on `day`.

    Those are the poll of that very day, even if it is closed, and open ones not over by then.
    """
    rows = db.session.execute(
        select(PollInstance.template_id, PollInstance.poll_date).where(
            PollInstance.replaced_at.is_(None),
            (PollInstance.poll_date == day)
            | ((PollInstance.status == "OPEN") & (PollInstance.close_date >= day)),
        )
    )
    periods: dict[str, list[date]] = {}
    for template_id, begins in rows:
        periods.setdefault(template_id, []).append(begins)
    return periods


def new_instance(template: PollTemplate, plan: PollPlan | None, day: date) -> PollInstance | None:
    """Copy the template's words, as the plan changes them; None if nothing is to be opened."""
    if plan and not plan.is_enabled:
        return None
    planned = [option.label for option in plan.options] if plan else []
    labels = planned or [option.label for option in template.options]
    if len(labels) < MINIMUM_OPTIONS:
        log.warning("template has too few options to open", extra={"template": template.id})
        return None
    return PollInstance(
        template_id=template.id,
        category_id=template.category_id,
        poll_date=day,
        close_date=day + timedelta(days=template.duration_days - 1),
        title=template.title,
        question=(plan.question_override if plan else None) or template.question,
        poll_type=template.poll_type,
        max_rank=template.max_rank,
        audience=template.audience,
        options=[
            PollInstanceOption(label=label, sort_order=place) for place, label in enumerate(labels)
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
    new = new_instance(find(PollTemplate, old.template_id), plan, old.poll_date)
    if new is None:
        raise Conflict("the template has nothing to open on that date: see its plan and options")
    old.replaced_at = now()
    snapshots = freeze([old])
    db.session.add(new)
    db.session.flush()
    return Replacement(old, new, snapshots == 1, plan is not None)

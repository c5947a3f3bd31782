"""The turn of the day: closing what has ended, freezing its result, opening what is due.

All of it may run anywhere, any number of times and at the same time: one lock lets one run at
a time, and a run that finds its work done does nothing.
"""

import logging
from dataclasses import dataclass
from datetime import date, timedelta

from sqlalchemy import select
from sqlalchemy.orm import selectinload

from allthing import cache
from allthing.database import db, lock_until_commit
from allthing.models import PollInstance, RolloverRun
from allthing.models.changes import facts_of, record_change
from allthing.schedule.instances import freeze, new_instance
from allthing.schedule.schedule import Schedule

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Closing:
    """How many polls were closed, and how many of them had ballots enough for a snapshot."""

    poll_date: date
    closed_count: int
    snapshot_count: int


@dataclass(frozen=True)
class Rollover:
    """How many polls a rollover opened, for which day, and how many it closed before."""

    poll_date: date
    created_count: int
    closed_count: int


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
    scheduled = Schedule(day, day).on(day, today)
    db.session.add_all(new_instance(opening) for opening in scheduled.opens)
    for skip in scheduled.skips:
        if skip.is_fault:
            facts = {"template": skip.template.key, "reason": skip.reason}
            log.warning("no poll opened", extra=facts)
    done = Rollover(day, len(scheduled.opens), closing.closed_count)
    db.session.add(
        RolloverRun(poll_date=day, created_count=done.created_count, closed_count=done.closed_count)
    )
    cache.invalidate_on_commit(cache.POLLS_TOPIC)
    db.session.flush()
    record_change(details=facts_of(done))
    return done


def close_ended(last_day: date) -> Closing:
    """Close every open poll whose close date is `last_day` or earlier."""
    ended = db.session.scalars(
        select(PollInstance)
        .where(PollInstance.status == "OPEN", PollInstance.close_date <= last_day)
        .order_by(PollInstance.id)  # two closers take their locks in one order
        .options(selectinload(PollInstance.options))
        .with_for_update()
    ).all()
    done = Closing(last_day, len(ended), freeze(ended))
    record_change(details=facts_of(done))
    return done

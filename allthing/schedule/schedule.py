"""The schedule: what the rollover of a day opens, closes and leaves out, and why.

The rollover does what this says, and a preview shows what this says, so the two can't differ.
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta

from sqlalchemy import select
from sqlalchemy.orm import selectinload

from allthing.database import db
from allthing.models import PollInstance, PollPlan, PollTemplate

MIN_OPTIONS = 2  # of a poll


@dataclass(frozen=True)
class Opening:
    """A poll to be opened: the template's words, as the day's plan changes them."""

    template: PollTemplate
    plan: PollPlan | None
    day: date

    @property
    def close_date(self) -> date:
        return self.day + timedelta(days=self.template.duration_days - 1)

    @property
    def question(self) -> str | None:
        return (self.plan.question_override if self.plan else None) or self.template.question

    @property
    def labels(self) -> list[str]:
        planned = [option.label for option in self.plan.options] if self.plan else []
        return planned or [option.label for option in self.template.options]

    @property
    def has_too_few_options(self) -> bool:
        return len(self.labels) < MIN_OPTIONS

    @property
    def reason_to_skip(self) -> str | None:
        """Why the template and its plan offer nothing to vote on that day; None if they do."""
        if self.plan and not self.plan.is_enabled:
            return "its plan skips this date"
        if self.has_too_few_options:
            return f"it has fewer than {MIN_OPTIONS} options"
        return None


@dataclass(frozen=True)
class Skip:
    """A template that gets no poll on a day; `is_fault` tells what somebody should mend."""

    template: PollTemplate
    reason: str
    is_fault: bool = False


@dataclass
class PollPeriod:
    """When a poll of a template runs; `instance_id` is None for one that is only foreseen."""

    template_id: str
    title: str
    begins: date
    ends: date
    is_open: bool = True
    instance_id: str | None = None

    def blocks(self, opening: Opening) -> bool:
        """Return whether the opening would be a second poll of its date, or overlap this one."""
        if self.begins == opening.day:
            return True
        return self.is_open and self.begins <= opening.close_date and self.ends >= opening.day


@dataclass
class ScheduledDay:
    day: date
    closes: list[PollPeriod] = field(default_factory=list)
    opens: list[Opening] = field(default_factory=list)
    skips: list[Skip] = field(default_factory=list)


class Schedule:
    """Templates, plans and polls as they stand, to be asked for days from `first` to `last`."""

    def __init__(self, first: date, last: date) -> None:
        self._templates = active_templates()
        self._plans = {(plan.template_id, plan.poll_date): plan for plan in plans(first, last)}
        self._periods: dict[str, list[PollPeriod]] = defaultdict(list)
        for period in poll_periods(first, last):
            self._periods[period.template_id].append(period)

    def on(self, day: date, today: date) -> ScheduledDay:
        """Return what the rollover of `day` does if it runs on the poll day `today`."""
        result = ScheduledDay(day, closes=self._ended_before(min(day, today)))
        for template in self._templates:
            opening = Opening(template, self._plans.get((template.id, day)), day)
            reason = self._reason_to_skip(opening, today)
            if reason is None:
                result.opens.append(opening)
            else:
                result.skips.append(Skip(template, reason, opening.has_too_few_options))
        return result

    def _ended_before(self, day: date) -> list[PollPeriod]:
        every = (period for periods in self._periods.values() for period in periods)
        return [period for period in every if period.is_open and period.ends < day]

    def _reason_to_skip(self, opening: Opening, today: date) -> str | None:
        if opening.reason_to_skip is not None:
            return opening.reason_to_skip
        if opening.close_date < today:
            return "it would be over already"
        for period in self._periods[opening.template.id]:
            if period.blocks(opening):
                return f"its poll of {period.begins} to {period.ends} stands in the way"
        return None

    def apply(self, done: ScheduledDay) -> None:
        """Go on as if the rollover of that day had run."""
        for period in done.closes:
            period.is_open = False
        for opening in done.opens:
            template = opening.template
            self._periods[template.id].append(
                PollPeriod(template.id, template.title, opening.day, opening.close_date)
            )


def preview(first: date, last: date, today: date) -> list[ScheduledDay]:
    """Return the schedule of each day from `first` to `last`, if the rollover runs every day."""
    schedule = Schedule(today, last)
    days = []
    for number in range((last - today).days + 1):
        day = today + timedelta(days=number)
        foreseen = schedule.on(day, day)
        schedule.apply(foreseen)
        if day >= first:
            days.append(foreseen)
    return days


def active_templates() -> Sequence[PollTemplate]:
    return db.session.scalars(
        select(PollTemplate)
        .where(PollTemplate.is_active)
        .order_by(PollTemplate.key)
        .options(selectinload(PollTemplate.options))
    ).all()


def plans(first: date, last: date) -> Sequence[PollPlan]:
    return db.session.scalars(
        select(PollPlan)
        .where(PollPlan.poll_date.between(first, last))
        .options(selectinload(PollPlan.options))
    ).all()


def poll_periods(first: date, last: date) -> list[PollPeriod]:
    """Return the polls that may bar another one: open ones, and all of the days in question."""
    instances = db.session.execute(
        select(PollInstance)
        .where(
            PollInstance.replaced_at.is_(None),
            (PollInstance.status == "OPEN") | PollInstance.poll_date.between(first, last),
        )
        .order_by(PollInstance.poll_date, PollInstance.id)
    ).scalars()
    return [
        PollPeriod(i.template_id, i.title, i.poll_date, i.close_date, i.status == "OPEN", i.id)
        for i in instances
    ]

"""Plans: what one date changes for one template. The rollover of that date honours them.

Whoever changes one holds its template locked: so two requests can't both make a date's plan.
"""

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import selectinload

from allthing.database import db, find
from allthing.errors import NotFound
from allthing.models import PollPlan, PollPlanOption, PollTemplate
from allthing.models.changes import record_change, values_of


def show_plan(template_id: str, day: date) -> PollPlan | None:
    """Return what is planned for a template on a date, if anything is. Raises `NotFound`."""
    return plan_for(find(PollTemplate, template_id), day)


def list_plans(template_id: str, first: date, last: date) -> Sequence[PollPlan]:
    """Return a template's plans from `first` to `last`, by date. Raises `NotFound`."""
    template = find(PollTemplate, template_id)
    return db.session.scalars(
        select(PollPlan)
        .where(PollPlan.template_id == template.id, PollPlan.poll_date.between(first, last))
        .order_by(PollPlan.poll_date)
        .options(selectinload(PollPlan.options))
    ).all()


def change_plan(template_id: str, day: date, changes: Mapping[str, Any]) -> PollPlan:
    """Set the given attributes of a date's plan, which is made if there is none.

    Raises `NotFound` for an unknown template.
    """
    template = find(PollTemplate, template_id, lock="update")
    before, plan = plan_to_change(template, day)
    for attribute, value in changes.items():
        setattr(plan, attribute, value)
    db.session.flush()
    record_change(plan.id, before=before, after=values_of(plan))
    return plan


def replace_options(template_id: str, day: date, labels: Sequence[str]) -> PollPlan:
    """Offer these options on that date instead of the template's; return the plan.

    Raises `NotFound` for an unknown template.
    """
    template = find(PollTemplate, template_id, lock="update")
    before, plan = plan_to_change(template, day)
    plan.options = []
    db.session.flush()  # deletes go first, or the new numbers collide with the old
    plan.options = [PollPlanOption(label=label, sort_order=n) for n, label in enumerate(labels)]
    db.session.flush()
    record_change(plan.id, before=before, after=values_of(plan))
    return plan


def delete_plan(template_id: str, day: date) -> PollPlan:
    """Let that date be like any other; return the plan that was.

    Raises `NotFound` for an unknown template, or if nothing is planned.
    """
    template = find(PollTemplate, template_id, lock="update")
    plan = plan_for(template, day)
    if plan is None:
        raise NotFound(f"nothing is planned for this template on {day}")
    record_change(plan.id, before=values_of(plan))
    db.session.delete(plan)
    db.session.flush()
    return plan


def plan_for(template: PollTemplate, day: date) -> PollPlan | None:
    return db.session.scalar(
        select(PollPlan).where(PollPlan.template_id == template.id, PollPlan.poll_date == day)
    )


def plan_to_change(template: PollTemplate, day: date) -> tuple[dict[str, Any] | None, PollPlan]:
    """Return a date's plan as it was, and as it is to be changed: a new one if there was none."""
    plan = plan_for(template, day)
    if plan is not None:
        return values_of(plan), plan
    plan = PollPlan(template_id=template.id, poll_date=day)
    db.session.add(plan)
    return None, plan

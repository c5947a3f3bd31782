"""Plans: what one date changes for one template. The rollover of that date honours them.

Whoever changes one holds its template locked: so two requests can't both make a date's plan.
"""

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any

from sqlalchemy import select

from allthing.database import db
from allthing.errors import NotFound
from allthing.models import PollPlan, PollPlanOption, PollTemplate


def plan_for(template: PollTemplate, day: date) -> PollPlan | None:
    """Return what is planned for the template on that date, if anything is."""
    return db.session.scalar(
        select(PollPlan).where(PollPlan.template_id == template.id, PollPlan.poll_date == day)
    )


def change_plan(template: PollTemplate, day: date, changes: Mapping[str, Any]) -> PollPlan:
    """Set the given attributes of the date's plan, which is made if there is none."""
    plan = plan_for(template, day) or new_plan(template, day)
    for attribute, value in changes.items():
        setattr(plan, attribute, value)
    db.session.flush()
    return plan


def replace_options(template: PollTemplate, day: date, labels: Sequence[str]) -> PollPlan:
    """Offer these options on that date instead of the template's; return the plan."""
    plan = plan_for(template, day) or new_plan(template, day)
    plan.options = []
    db.session.flush()  # deletes go first, or the new numbers collide with the old
    plan.options = [PollPlanOption(label=label, sort_order=n) for n, label in enumerate(labels)]
    db.session.flush()
    return plan


def delete_plan(template: PollTemplate, day: date) -> PollPlan:
    """Let that date be like any other; return the plan that was. Raises 404 if there is none."""
    plan = plan_for(template, day)
    if plan is None:
        raise NotFound(f"nothing is planned for this template on {day}")
    db.session.delete(plan)
    db.session.flush()
    return plan


def new_plan(template: PollTemplate, day: date) -> PollPlan:
    plan = PollPlan(template_id=template.id, poll_date=day)
    db.session.add(plan)
    return plan

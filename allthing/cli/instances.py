"""Polls of a day, one by one, and what is planned for days to come."""

from datetime import date

import click
from sqlalchemy import select
from sqlalchemy.orm import selectinload

from allthing.admin.instances import (
    ClosedInstanceAnswer,
    InstanceChangesIn,
    MovedInstanceAnswer,
    ReplacedInstanceAnswer,
)
from allthing.admin.schemas import InstanceOut, PlanOut
from allthing.cli.commands import audited_command, command
from allthing.cli.options import DAY, limit_option
from allthing.cli.output import Output, limited, short, table
from allthing.database import db
from allthing.models import PollInstance, PollPlan
from allthing.models.schedule import STATUSES
from allthing.schedule import instances as polls
from allthing.web.request_data import validate


@command("instances")
@click.option("--date", "poll_date", type=DAY, help="Only those that began on this day.")
@click.option("--status", type=click.Choice(STATUSES, case_sensitive=False))
@click.option("--template-id", default=None, help="Only those of this template.")
@limit_option
def instances(limit: int, **filters: object) -> Output:
    """List polls, newest first.

    Columns: id, first day, last day, status, title.
    """
    given = {name: value for name, value in filters.items() if value is not None}
    found = db.session.scalars(
        select(PollInstance)
        .filter_by(**given)
        .order_by(PollInstance.poll_date.desc(), PollInstance.title, PollInstance.id)
        .limit(limit + 1)
        .options(selectinload(PollInstance.options))
    ).all()
    return table(
        [InstanceOut.model_validate(instance) for instance in limited(found, limit)],
        lambda poll: (poll.id, poll.poll_date, poll.close_date, poll.status, short(poll.title, 30)),
    )


@command("plans")
@click.option("--template-id", default=None, help="Only those of this template.")
@click.option("--from", "since", type=DAY, help="The first day.")
@click.option("--to", "until", type=DAY, help="The last day.")
@limit_option
def plans(template_id: str | None, since: date | None, until: date | None, limit: int) -> Output:
    """List what is planned, by date.

    Columns: date, template id, what it changes.
    """
    query = select(PollPlan).order_by(PollPlan.poll_date, PollPlan.template_id)
    if template_id is not None:
        query = query.where(PollPlan.template_id == template_id)
    if since is not None:
        query = query.where(PollPlan.poll_date >= since)
    if until is not None:
        query = query.where(PollPlan.poll_date <= until)
    found = db.session.scalars(query.limit(limit + 1).options(selectinload(PollPlan.options))).all()
    return table(
        [PlanOut.model_validate(plan) for plan in limited(found, limit)],
        lambda plan: (plan.poll_date, plan.template_id, change_of(plan)),
    )


def change_of(plan: PlanOut) -> str:
    if not plan.is_enabled:
        return "no poll"
    options = [f"{len(plan.options)} options"] if plan.options else []
    question = [short(plan.question_override, 36)] if plan.question_override else []
    return ", ".join(options + question) or "nothing"


@audited_command("close-instance", "instance_closed", "instance")
@click.argument("instance_id", metavar="ID")
def close_instance(instance_id: str) -> Output:
    """Close one poll and freeze its result."""
    done = ClosedInstanceAnswer.model_validate(polls.close_instance(instance_id))
    kept = "its result is kept" if done.snapshot_created else "too few ballots to keep a result"
    return Output(done, [f"poll {instance_id} closed: {kept}"])


@audited_command("replace-instance", "instance_replaced", "instance")
@click.argument("instance_id", metavar="ID")
def replace_instance(instance_id: str) -> Output:
    """Close one poll and open another in its place, as its template is now."""
    done = ReplacedInstanceAnswer.model_validate(polls.replace_instance(instance_id))
    return Output(done, [f"poll {instance_id} closed, replaced by {done.new_instance_id}"])


@audited_command("update-instance-category", "instance_category_updated", "instance")
@click.argument("instance_id", metavar="ID")
@click.option("--category-id", required=True, help="Where the poll moves to.")
def update_instance_category(instance_id: str, category_id: str) -> Output:
    """Move one poll to another category; its template stays where it is."""
    body = validate(InstanceChangesIn, {"categoryId": category_id})
    instance = polls.move_instance(instance_id, body.category_id)
    done = MovedInstanceAnswer(instance_id=instance.id, category_id=instance.category_id)
    return Output(done, [f"poll {instance_id} is in category {category_id} now"])

"""Deletion of a template, with all that hangs on it."""

from dataclasses import asdict, dataclass
from typing import Any

from sqlalchemy import ColumnElement, delete, select

from allthing import cache
from allthing.database import Base, db, find, lock_until_commit
from allthing.errors import Conflict
from allthing.models import (
    PollInstance,
    PollInstanceOption,
    PollPlan,
    PollPlanOption,
    PollResultSnapshot,
    PollTemplate,
    PollTemplateOption,
    VoteBallot,
)
from allthing.models.changes import record_change, values_of


@dataclass(frozen=True)
class DeletedRows:
    """How many rows went with the template."""

    instances: int
    plans: int
    votes: int
    snapshots: int


@dataclass(frozen=True)
class DeletedTemplate:
    """A template as it was, and what was deleted with it."""

    deleted_template: dict[str, Any]
    cascade_deleted: DeletedRows


def delete_template(template_id: str, *, force: bool) -> DeletedTemplate:
    """Delete a template and its plans; with `force` its polls too, votes and results included.

    Raises `NotFound`, and `Conflict` for a template that has polls unless forced. A vote under
    way is waited for, and deleted as well; a later one finds no poll.
    """
    lock_until_commit("rollover")  # comes before any row, as in a rollover
    template = find(PollTemplate, template_id, lock="update")
    before = values_of(template)
    instances = locked_instances(template)
    if instances and not force:
        raise Conflict(f"this template has polls ({len(instances)}): delete it with force=true")
    deleted = delete_rows(template)
    for instance_id in instances:
        cache.invalidate_on_commit(cache.results_topic(instance_id))
    cache.invalidate_on_commit(cache.POLLS_TOPIC)
    details = {"force": force, "cascadeDeleted": asdict(deleted)}
    record_change(template_id, before=before, details=details)
    return DeletedTemplate(before, deleted)


def locked_instances(template: PollTemplate) -> list[str]:
    """Return the ids of the template's polls, which the transaction holds from now on."""
    polls = select(PollInstance.id).where(PollInstance.template_id == template.id)
    return list(db.session.scalars(polls.order_by(PollInstance.id).with_for_update()))


def delete_rows(template: PollTemplate) -> DeletedRows:
    """Delete from the leaves to the root, a statement per table, however many rows there are."""
    instances = select(PollInstance.id).where(PollInstance.template_id == template.id)
    plans = select(PollPlan.id).where(PollPlan.template_id == template.id)
    votes = delete_from(VoteBallot, VoteBallot.instance_id.in_(instances))
    snapshots = delete_from(PollResultSnapshot, PollResultSnapshot.instance_id.in_(instances))
    delete_from(PollInstanceOption, PollInstanceOption.instance_id.in_(instances))
    delete_from(PollPlanOption, PollPlanOption.plan_id.in_(plans))
    deleted = DeletedRows(
        instances=delete_from(PollInstance, PollInstance.template_id == template.id),
        plans=delete_from(PollPlan, PollPlan.template_id == template.id),
        votes=votes,
        snapshots=snapshots,
    )
    delete_from(PollTemplateOption, PollTemplateOption.template_id == template.id)
    delete_from(PollTemplate, PollTemplate.id == template.id)
    return deleted


def delete_from(model: type[Base], condition: ColumnElement[bool]) -> int:
    """Delete on the connection, so that the session does not look for each row; return how many."""
    return db.session.connection().execute(delete(model).where(condition)).rowcount

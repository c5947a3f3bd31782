"""Instances: the polls that a date opened, moved, closed and replaced one by one."""

from datetime import date
from http import HTTPStatus

from flask import Blueprint

from allthing.admin.audit import audited
from allthing.admin.fields import EntityId
from allthing.admin.schemas import DayQuery, InstanceOut
from allthing.database import find
from allthing.models import PollInstance
from allthing.schedule import instances
from allthing.web.request_data import Input
from allthing.web.typed_views import Out, typed_view

bp = Blueprint("instances", __name__, url_prefix="/instances")


class InstanceChangesIn(Input):
    category_id: EntityId


class InstancesAnswer(Out):
    poll_date: date
    instances: list[InstanceOut]


class InstanceAnswer(Out):
    instance: InstanceOut


class MovedInstanceAnswer(Out):
    ok: bool = True
    instance_id: str
    category_id: str


class ClosedInstanceAnswer(Out):
    ok: bool = True
    instance_id: str
    snapshot_created: bool
    poll_date: date
    template_id: str


class ReplacedInstanceAnswer(Out):
    ok: bool = True
    old_instance_id: str
    new_instance_id: str
    snapshot_created: bool
    poll_date: date
    template_id: str
    used_plan: bool


@bp.get("")
@typed_view()
def list_instances(query: DayQuery) -> InstancesAnswer:
    """List the polls that began on a date."""
    found = instances.instances_of(query.poll_date)
    return InstancesAnswer(poll_date=query.poll_date, instances=found)


@bp.get("/<instance_id>")
@typed_view()
def show_instance(instance_id: str) -> InstanceAnswer:
    """Show one poll."""
    return InstanceAnswer(instance=find(PollInstance, instance_id))


@bp.patch("/<instance_id>")
@audited("instance_category_updated", "instance")
@typed_view()
def move(instance_id: str, body: InstanceChangesIn) -> MovedInstanceAnswer:
    """Move a poll to another category."""
    instance = instances.move_instance(instance_id, body.category_id)
    return MovedInstanceAnswer(instance_id=instance.id, category_id=instance.category_id)


@bp.post("/<instance_id>/close")
@audited("instance_closed", "instance")
@typed_view(HTTPStatus.CONFLICT)
def close(instance_id: str) -> ClosedInstanceAnswer:
    """Close a poll and freeze its result."""
    return ClosedInstanceAnswer.model_validate(instances.close_instance(instance_id))


@bp.post("/<instance_id>/replace")
@audited("instance_replaced", "instance")
@typed_view(HTTPStatus.CONFLICT)
def replace(instance_id: str) -> ReplacedInstanceAnswer:
    """Close a poll and open another in its place, as its template is now."""
    return ReplacedInstanceAnswer.model_validate(instances.replace_instance(instance_id))

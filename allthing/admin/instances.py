"""Instances: the polls that a date opened, moved, closed and replaced one by one."""

from datetime import date
from http import HTTPStatus

from flask import Blueprint
from sqlalchemy import select
from sqlalchemy.orm import selectinload

from allthing.admin.audit import audited, describe
from allthing.admin.fields import EntityId
from allthing.admin.schemas import DayQuery, InstanceOut
from allthing.catalog import catalog
from allthing.database import db, find
from allthing.models import PollInstance
from allthing.schedule import rollover
from allthing.web.request_data import Input
from allthing.web.typed_views import Out, endpoint

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
@endpoint()
def list_instances(query: DayQuery) -> InstancesAnswer:
    """List the polls that began on a date."""
    instances = db.session.scalars(
        select(PollInstance)
        .where(PollInstance.poll_date == query.poll_date)
        .order_by(PollInstance.title, PollInstance.id)
        .options(selectinload(PollInstance.options))
    )
    return InstancesAnswer(poll_date=query.poll_date, instances=instances.all())


@bp.get("/<instance_id>")
@endpoint()
def show_instance(instance_id: str) -> InstanceAnswer:
    """Show one poll."""
    return InstanceAnswer(instance=find(PollInstance, instance_id))


@bp.patch("/<instance_id>")
@audited("instance_category_updated", "instance")
@endpoint()
def move(instance_id: str, body: InstanceChangesIn) -> MovedInstanceAnswer:
    """Move a poll to another category."""
    instance = find(PollInstance, instance_id, lock="change")
    before = instance.category_id
    catalog.move_instance(instance, body.category_id)
    describe(instance.id, before={"categoryId": before}, after={"categoryId": instance.category_id})
    return MovedInstanceAnswer(instance_id=instance.id, category_id=instance.category_id)


@bp.post("/<instance_id>/close")
@audited("instance_closed", "instance")
@endpoint(HTTPStatus.CONFLICT)
def close(instance_id: str) -> ClosedInstanceAnswer:
    """Close a poll and freeze its result."""
    instance = find(PollInstance, instance_id, lock="change")
    has_snapshot = rollover.close_instance(instance)
    describe(
        instance.id,
        before={"status": "OPEN"},
        after={"status": instance.status},
        details={"snapshotCreated": has_snapshot},
    )
    return ClosedInstanceAnswer(
        instance_id=instance.id,
        snapshot_created=has_snapshot,
        poll_date=instance.poll_date,
        template_id=instance.template_id,
    )


@bp.post("/<instance_id>/replace")
@audited("instance_replaced", "instance")
@endpoint(HTTPStatus.CONFLICT)
def replace(instance_id: str) -> ReplacedInstanceAnswer:
    """Close a poll and open another in its place, as its template is now."""
    done = rollover.replace_instance(instance_id)
    answer = ReplacedInstanceAnswer(
        old_instance_id=done.old.id,
        new_instance_id=done.new.id,
        snapshot_created=done.has_snapshot,
        poll_date=done.old.poll_date,
        template_id=done.old.template_id,
        used_plan=done.used_plan,
    )
    describe(
        done.old.id,
        before={"status": "OPEN"},
        after={"status": done.old.status},
        details=answer.model_dump(mode="json", exclude={"ok"}),
    )
    return answer

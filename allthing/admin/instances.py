"""Instances: the polls that a date opened, moved, closed and replaced one by one."""

from flask import Blueprint
from flask.typing import ResponseReturnValue
from sqlalchemy import select
from sqlalchemy.orm import selectinload

from allthing import catalog, rollover
from allthing.admin.audit import audited, describe
from allthing.admin.schemas import DayQuery, EntityId, InstanceOut, to_json
from allthing.database import db, find
from allthing.inputs import Input, read_body, read_query
from allthing.models import PollInstance

bp = Blueprint("instances", __name__, url_prefix="/instances")


class InstanceChangesIn(Input):
    category_id: EntityId


@bp.get("")
def list_instances() -> ResponseReturnValue:
    day = read_query(DayQuery).poll_date
    instances = db.session.scalars(
        select(PollInstance)
        .where(PollInstance.poll_date == day)
        .order_by(PollInstance.title, PollInstance.id)
        .options(selectinload(PollInstance.options))
    )
    shown = [to_json(InstanceOut, instance) for instance in instances]
    return {"pollDate": day.isoformat(), "instances": shown}


@bp.get("/<instance_id>")
def show_instance(instance_id: str) -> ResponseReturnValue:
    return {"instance": to_json(InstanceOut, find(PollInstance, instance_id))}


@bp.patch("/<instance_id>")
@audited("instance_category_updated", "instance")
def move(instance_id: str) -> ResponseReturnValue:
    instance = find(PollInstance, instance_id, lock="change")
    before = {"categoryId": instance.category_id}
    catalog.move_instance(instance, read_body(InstanceChangesIn).category_id)
    after = {"categoryId": instance.category_id}
    describe(instance.id, before=before, after=after)
    return {"ok": True, "instanceId": instance.id} | after


@bp.post("/<instance_id>/close")
@audited("instance_closed", "instance")
def close(instance_id: str) -> ResponseReturnValue:
    instance = find(PollInstance, instance_id, lock="change")
    has_snapshot = rollover.close_instance(instance)
    describe(
        instance.id,
        before={"status": "OPEN"},
        after={"status": instance.status},
        details={"snapshotCreated": has_snapshot},
    )
    return {
        "ok": True,
        "instanceId": instance.id,
        "snapshotCreated": has_snapshot,
        "pollDate": instance.poll_date.isoformat(),
        "templateId": instance.template_id,
    }


@bp.post("/<instance_id>/replace")
@audited("instance_replaced", "instance")
def replace(instance_id: str) -> ResponseReturnValue:
    done = rollover.replace_instance(instance_id)
    answer = {
        "oldInstanceId": done.old.id,
        "newInstanceId": done.new.id,
        "snapshotCreated": done.has_snapshot,
        "pollDate": done.old.poll_date.isoformat(),
        "templateId": done.old.template_id,
        "usedPlan": done.used_plan,
    }
    describe(
        done.old.id,
        before={"status": "OPEN"},
        after={"status": done.old.status},
        details=answer,
    )
    return {"ok": True} | answer

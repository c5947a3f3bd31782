"""Instances: the polls that a date opened."""

from flask import Blueprint
from flask.typing import ResponseReturnValue
from sqlalchemy import select
from sqlalchemy.orm import selectinload

from allthing.admin.audit import audited, describe
from allthing.admin.schemas import DayQuery, InstanceOut, to_json
from allthing.database import db, find
from allthing.inputs import read_query
from allthing.models import PollInstance
from allthing.rollover import close_instance

bp = Blueprint("instances", __name__, url_prefix="/instances")


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


@bp.post("/<instance_id>/close")
@audited("instance_closed", "instance")
def close(instance_id: str) -> ResponseReturnValue:
    instance = find(PollInstance, instance_id, lock="change")
    has_snapshot = close_instance(instance)
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

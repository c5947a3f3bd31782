"""Plans: what one date changes for one template."""

from datetime import date
from typing import Any

from flask import Blueprint
from flask.typing import ResponseReturnValue
from sqlalchemy import select
from sqlalchemy.orm import selectinload

from allthing import planning
from allthing.admin.audit import audited, describe
from allthing.admin.schemas import (
    DayQuery,
    PeriodQuery,
    PlanIn,
    PlanOptionsIn,
    PlanOut,
    labels_in_order,
    to_json,
)
from allthing.database import db, find
from allthing.inputs import read_body, read_query
from allthing.models import PollPlan, PollTemplate

bp = Blueprint("plans", __name__, url_prefix="/templates/<template_id>")


@bp.get("/plan")
def show_plan(template_id: str) -> ResponseReturnValue:
    day = read_query(DayQuery).poll_date
    return {"plan": planned(find(PollTemplate, template_id), day)}


@bp.get("/plans")
def list_plans(template_id: str) -> ResponseReturnValue:
    period = read_query(PeriodQuery)
    template = find(PollTemplate, template_id)
    plans = db.session.scalars(
        select(PollPlan)
        .where(
            PollPlan.template_id == template.id,
            PollPlan.poll_date.between(period.first, period.last),
        )
        .order_by(PollPlan.poll_date)
        .options(selectinload(PollPlan.options))
    )
    return {"plans": [to_json(PlanOut, plan) for plan in plans]}


@bp.put("/plan")
@audited("plan_upserted", "plan")
def upsert_plan(template_id: str) -> ResponseReturnValue:
    body = read_body(PlanIn)
    template = find(PollTemplate, template_id, lock="change")
    before = planned(template, body.poll_date)
    changes = body.model_dump(exclude={"poll_date"})
    plan = planning.change_plan(template, body.poll_date, changes)
    describe(plan.id, before=before, after=to_json(PlanOut, plan))
    return {"ok": True, "planId": plan.id}


@bp.put("/plan/options")
@audited("plan_options_replaced", "plan")
def replace_options(template_id: str) -> ResponseReturnValue:
    body = read_body(PlanOptionsIn)
    template = find(PollTemplate, template_id, lock="change")
    before = planned(template, body.poll_date)
    labels = labels_in_order(body.options)
    plan = planning.replace_options(template, body.poll_date, labels)
    describe(plan.id, before=before, after=to_json(PlanOut, plan))
    return {"ok": True, "planId": plan.id, "optionCount": len(labels)}


@bp.delete("/plan")
@audited("plan_deleted", "plan")
def delete_plan(template_id: str) -> ResponseReturnValue:
    day = read_query(DayQuery).poll_date
    template = find(PollTemplate, template_id, lock="change")
    before = planned(template, day)
    plan = planning.delete_plan(template, day)
    describe(plan.id, before=before)
    return {"ok": True, "planId": plan.id}


def planned(template: PollTemplate, day: date) -> dict[str, Any] | None:
    plan = planning.plan_for(template, day)
    return to_json(PlanOut, plan) if plan else None

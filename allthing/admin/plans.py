"""Plans: what one date changes for one template."""

from datetime import date, timedelta

from flask import Blueprint
from pydantic import MISSING, Field, ValidationInfo, field_validator

from allthing.admin.audit import audited
from allthing.admin.fields import Question
from allthing.admin.schemas import DayQuery, OptionsIn, PlanOut, labels_in_order
from allthing.schedule import plans
from allthing.web.field_types import Day
from allthing.web.request_data import Input, Query
from allthing.web.typed_views import Out, typed_view

MAX_PERIOD = timedelta(days=366)

bp = Blueprint("plans", __name__, url_prefix="/templates/<template_id>")


class PlanIn(Input):
    """What a date changes; what is absent stays, `questionOverride: null` takes it back."""

    poll_date: Day
    is_enabled: bool | MISSING = MISSING
    question_override: Question | MISSING = MISSING


class PlanOptionsIn(OptionsIn):
    poll_date: Day


class PeriodQuery(Query):
    """The days from `from` to `to`, both included; a year at most."""

    first: Day = Field(alias="from")
    last: Day = Field(alias="to")

    @field_validator("last")
    @classmethod
    def check_period(cls, last: date, info: ValidationInfo) -> date:
        days = last - info.data.get("first", last)
        if not timedelta() <= days < MAX_PERIOD:
            raise ValueError(f"has to be from 0 to {MAX_PERIOD.days - 1} days after from")
        return last


class PlanAnswer(Out):
    plan: PlanOut | None


class PlansAnswer(Out):
    plans: list[PlanOut]


class ChangedPlanAnswer(Out):
    ok: bool = True
    plan_id: str


class ReplacedPlanOptionsAnswer(ChangedPlanAnswer):
    option_count: int


@bp.get("/plan")
@typed_view()
def show_plan(template_id: str, query: DayQuery) -> PlanAnswer:
    """Show what is planned for a date; null if nothing is."""
    return PlanAnswer(plan=plans.show_plan(template_id, query.poll_date))


@bp.get("/plans")
@typed_view()
def list_plans(template_id: str, query: PeriodQuery) -> PlansAnswer:
    """List the plans of a period, by date."""
    return PlansAnswer(plans=plans.list_plans(template_id, query.first, query.last))


@bp.put("/plan")
@audited("plan_upserted", "plan")
@typed_view()
def upsert_plan(template_id: str, body: PlanIn) -> ChangedPlanAnswer:
    """Plan a date, or change what is planned in the fields that are sent."""
    changes = body.model_dump(exclude={"poll_date"})
    plan = plans.change_plan(template_id, body.poll_date, changes)
    return ChangedPlanAnswer(plan_id=plan.id)


@bp.put("/plan/options")
@audited("plan_options_replaced", "plan")
@typed_view()
def replace_plan_options(template_id: str, body: PlanOptionsIn) -> ReplacedPlanOptionsAnswer:
    """Offer other options on a date."""
    labels = labels_in_order(body.options)
    plan = plans.replace_options(template_id, body.poll_date, labels)
    return ReplacedPlanOptionsAnswer(plan_id=plan.id, option_count=len(labels))


@bp.delete("/plan")
@audited("plan_deleted", "plan")
@typed_view()
def delete_plan(template_id: str, query: DayQuery) -> ChangedPlanAnswer:
    """Let a date be like any other."""
    return ChangedPlanAnswer(plan_id=plans.delete_plan(template_id, query.poll_date).id)

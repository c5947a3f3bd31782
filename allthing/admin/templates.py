"""Templates: the polls that recur, and their options."""

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from flask import Blueprint
from flask.typing import ResponseReturnValue
from sqlalchemy import select
from sqlalchemy.orm import selectinload

from allthing import catalog, removal
from allthing.admin.audit import audited, describe
from allthing.admin.schemas import (
    ActiveIn,
    FeaturedIn,
    OptionsIn,
    TemplateChangesIn,
    TemplateIn,
    TemplateOut,
    TemplateQuery,
    labels_in_order,
    to_json,
)
from allthing.database import db, find
from allthing.inputs import Query, read_body, read_query
from allthing.models import PollTemplate

bp = Blueprint("templates", __name__, url_prefix="/templates")


class DeletionQuery(Query):
    force: bool = False


@bp.get("")
def list_templates() -> ResponseReturnValue:
    query = select(PollTemplate).order_by(PollTemplate.category_id, PollTemplate.key)
    for name, value in read_query(TemplateQuery).model_dump(exclude_none=True).items():
        query = query.where(getattr(PollTemplate, name) == value)
    templates = db.session.scalars(query.options(selectinload(PollTemplate.options)))
    return {"templates": [to_json(TemplateOut, template) for template in templates]}


@bp.post("")
@audited("template_created", "template")
def create_template() -> ResponseReturnValue:
    body = read_body(TemplateIn)
    template = catalog.create_template(
        **body.model_dump(exclude={"options"}), options=labels_in_order(body.options)
    )
    after = to_json(TemplateOut, template)
    describe(template.id, after=after)
    return {"ok": True, "template": after}


@bp.get("/<template_id>")
def show_template(template_id: str) -> ResponseReturnValue:
    return {"template": to_json(TemplateOut, find(PollTemplate, template_id))}


@bp.patch("/<template_id>")
@audited("template_updated", "template")
def update_template(template_id: str) -> ResponseReturnValue:
    return change(template_id, read_body(TemplateChangesIn).model_dump())


@bp.delete("/<template_id>")
@audited("template_deleted", "template")
def delete_template(template_id: str) -> ResponseReturnValue:
    force = read_query(DeletionQuery).force
    before = to_json(TemplateOut, find(PollTemplate, template_id))
    deleted = asdict(removal.remove_template(template_id, force=force))
    describe(template_id, before=before, details={"force": force, "cascadeDeleted": deleted})
    return {
        "ok": True,
        "deletedTemplate": {name: before[name] for name in ("id", "title", "key")},
        "cascadeDeleted": deleted,
    }


@bp.patch("/<template_id>/active")
@audited("template_active_set", "template")
def set_active(template_id: str) -> ResponseReturnValue:
    return change(template_id, read_body(ActiveIn).model_dump())


@bp.patch("/<template_id>/featured")
@audited("template_featured_set", "template")
def set_featured(template_id: str) -> ResponseReturnValue:
    return change(template_id, read_body(FeaturedIn).model_dump())


@bp.put("/<template_id>/options")
@audited("template_options_replaced", "template")
def replace_options(template_id: str) -> ResponseReturnValue:
    template = find(PollTemplate, template_id, lock="change")
    before = [option.label for option in template.options]
    labels = labels_in_order(read_body(OptionsIn).options)
    catalog.replace_options(template, labels)
    describe(template.id, before={"options": before}, after={"options": labels})
    return {"ok": True, "templateId": template.id, "optionCount": len(labels)}


def change(template_id: str, changes: Mapping[str, Any]) -> dict[str, Any]:
    template = find(PollTemplate, template_id, lock="change")
    before = to_json(TemplateOut, template)
    catalog.update_template(template, changes)
    after = to_json(TemplateOut, template)
    describe(template.id, before=before, after=after)
    return {"ok": True, "template": after}

"""Templates: the polls that recur, and their options."""

from collections.abc import Mapping
from dataclasses import asdict
from http import HTTPStatus
from typing import Any

from flask import Blueprint
from pydantic import MISSING
from sqlalchemy import select
from sqlalchemy.orm import selectinload

from allthing.admin.audit import audited, describe
from allthing.admin.fields import (
    Audience,
    ContextText,
    DurationDays,
    EntityId,
    Key,
    MaxRank,
    PollType,
    Question,
    Title,
)
from allthing.admin.schemas import Options, OptionsIn, TemplateOut, labels_in_order, to_json
from allthing.catalog import catalog, deletion
from allthing.database import db, find
from allthing.errors import Unavailable
from allthing.models import PollTemplate
from allthing.web.request_data import Input, Query
from allthing.web.typed_views import Out, endpoint

bp = Blueprint("templates", __name__, url_prefix="/templates")


class TemplateIn(Input):
    category_id: EntityId
    title: Title
    question: Question = None
    context_text: ContextText = None
    poll_type: PollType
    max_rank: MaxRank = None
    audience: Audience = "PUBLIC"
    duration_days: DurationDays = 1
    is_active: bool = True
    featured: bool = False
    options: Options


class TemplateChangesIn(Input):
    """Any of a template's fields; what is absent stays, `null` empties what may be empty."""

    category_id: EntityId | MISSING = MISSING
    key: Key | MISSING = MISSING
    title: Title | MISSING = MISSING
    question: Question | MISSING = MISSING
    context_text: ContextText | MISSING = MISSING
    poll_type: PollType | MISSING = MISSING
    max_rank: MaxRank | MISSING = MISSING
    audience: Audience | MISSING = MISSING
    duration_days: DurationDays | MISSING = MISSING
    is_active: bool | MISSING = MISSING
    featured: bool | MISSING = MISSING


class ActiveIn(Input):
    is_active: bool


class FeaturedIn(Input):
    featured: bool


class TemplateQuery(Query):
    category_id: str | None = None
    is_active: bool | None = None


class DeletionQuery(Query):
    force: bool = False


class TemplatesAnswer(Out):
    templates: list[TemplateOut]


class TemplateAnswer(Out):
    template: TemplateOut


class ChangedTemplateAnswer(TemplateAnswer):
    ok: bool = True


class ReplacedOptionsAnswer(Out):
    ok: bool = True
    template_id: str
    option_count: int


class DeletedTemplateOut(Out):
    id: str
    title: str
    key: str


class CascadeOut(Out):
    instances: int
    plans: int
    votes: int
    snapshots: int


class DeletedTemplateAnswer(Out):
    ok: bool = True
    deleted_template: DeletedTemplateOut
    cascade_deleted: CascadeOut


class GeneratedContextAnswer(Out):
    ok: bool = True
    context_text: str


@bp.get("")
@endpoint()
def list_templates(query: TemplateQuery) -> TemplatesAnswer:
    """List templates with their options, by category and key."""
    found = select(PollTemplate).order_by(PollTemplate.category_id, PollTemplate.key)
    for name, value in query.model_dump(exclude_none=True).items():
        found = found.where(getattr(PollTemplate, name) == value)
    return TemplatesAnswer(
        templates=db.session.scalars(found.options(selectinload(PollTemplate.options))).all()
    )


@bp.post("")
@audited("template_created", "template")
@endpoint(HTTPStatus.NOT_FOUND, HTTPStatus.CONFLICT)
def create_template(body: TemplateIn) -> ChangedTemplateAnswer:
    """Add a template; its key is made of its category's key and its title."""
    template = catalog.create_template(
        **body.model_dump(exclude={"options"}), options=labels_in_order(body.options)
    )
    describe(template.id, after=to_json(TemplateOut, template))
    return ChangedTemplateAnswer(template=template)


@bp.get("/<template_id>")
@endpoint()
def show_template(template_id: str) -> TemplateAnswer:
    """Show one template."""
    return TemplateAnswer(template=find(PollTemplate, template_id))


@bp.patch("/<template_id>")
@audited("template_updated", "template")
@endpoint(HTTPStatus.CONFLICT)
def update_template(template_id: str, body: TemplateChangesIn) -> ChangedTemplateAnswer:
    """Change the fields that are sent; polls that are open keep their words."""
    return change(template_id, body.model_dump())


@bp.delete("/<template_id>")
@audited("template_deleted", "template")
@endpoint(HTTPStatus.CONFLICT)
def delete_template(template_id: str, query: DeletionQuery) -> DeletedTemplateAnswer:
    """Delete a template; one that has had polls only with `force`, and with all of them."""
    before = to_json(TemplateOut, find(PollTemplate, template_id))
    deleted = asdict(deletion.remove_template(template_id, force=query.force))
    describe(template_id, before=before, details={"force": query.force, "cascadeDeleted": deleted})
    return DeletedTemplateAnswer(
        deleted_template={name: before[name] for name in ("id", "title", "key")},
        cascade_deleted=deleted,
    )


@bp.patch("/<template_id>/active")
@audited("template_active_set", "template")
@endpoint()
def set_active(template_id: str, body: ActiveIn) -> ChangedTemplateAnswer:
    """Let a template recur, or rest."""
    return change(template_id, body.model_dump())


@bp.patch("/<template_id>/featured")
@audited("template_featured_set", "template")
@endpoint()
def set_featured(template_id: str, body: FeaturedIn) -> ChangedTemplateAnswer:
    """Show a template's polls among the featured ones, or not."""
    return change(template_id, body.model_dump())


@bp.put("/<template_id>/options")
@audited("template_options_replaced", "template")
@endpoint()
def replace_options(template_id: str, body: OptionsIn) -> ReplacedOptionsAnswer:
    """Give a template other options; polls that are open keep theirs."""
    template = find(PollTemplate, template_id, lock="change")
    before = [option.label for option in template.options]
    labels = labels_in_order(body.options)
    catalog.replace_options(template, labels)
    describe(template.id, before={"options": before}, after={"options": labels})
    return ReplacedOptionsAnswer(template_id=template.id, option_count=len(labels))


@bp.post("/<template_id>/generate-context")
@audited("generate_poll_context", "template")
@endpoint()
def generate_context(template_id: str) -> GeneratedContextAnswer:
    """Write a context text for the template; there is no writer yet, so this is always a 503."""
    find(PollTemplate, template_id)
    raise Unavailable("writing context texts is not configured on this server")


def change(template_id: str, changes: Mapping[str, Any]) -> ChangedTemplateAnswer:
    template = find(PollTemplate, template_id, lock="change")
    before = to_json(TemplateOut, template)
    catalog.update_template(template, changes)
    describe(template.id, before=before, after=to_json(TemplateOut, template))
    return ChangedTemplateAnswer(template=template)

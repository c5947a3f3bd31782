"""Templates: the polls that recur, and their options."""

from http import HTTPStatus

from flask import Blueprint
from pydantic import MISSING

from allthing.admin.audit import audited
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
from allthing.admin.schemas import Options, OptionsIn, TemplateOut, labels_in_order
from allthing.catalog import deletion, templates
from allthing.database import find
from allthing.errors import Unavailable
from allthing.models import PollTemplate
from allthing.web.request_data import Input, Query
from allthing.web.typed_views import Out, typed_view

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
@typed_view()
def list_templates(query: TemplateQuery) -> TemplatesAnswer:
    """List templates with their options, by category and key."""
    return TemplatesAnswer(templates=templates.list_templates(**query.model_dump()))


@bp.post("")
@audited("template_created", "template")
@typed_view(HTTPStatus.NOT_FOUND, HTTPStatus.CONFLICT)
def create_template(body: TemplateIn) -> ChangedTemplateAnswer:
    """Add a template; its key is made of its category's key and its title."""
    template = templates.create_template(
        **body.model_dump(exclude={"options"}), options=labels_in_order(body.options)
    )
    return ChangedTemplateAnswer(template=template)


@bp.get("/<template_id>")
@typed_view()
def show_template(template_id: str) -> TemplateAnswer:
    """Show one template."""
    return TemplateAnswer(template=find(PollTemplate, template_id))


@bp.patch("/<template_id>")
@audited("template_updated", "template")
@typed_view(HTTPStatus.CONFLICT)
def update_template(template_id: str, body: TemplateChangesIn) -> ChangedTemplateAnswer:
    """Change the fields that are sent; polls that are open keep their words."""
    return ChangedTemplateAnswer(template=templates.update_template(template_id, body.model_dump()))


@bp.delete("/<template_id>")
@audited("template_deleted", "template")
@typed_view(HTTPStatus.CONFLICT)
def delete_template(template_id: str, query: DeletionQuery) -> DeletedTemplateAnswer:
    """Delete a template; one that has had polls only with `force`, and with all of them."""
    deleted = deletion.delete_template(template_id, force=query.force)
    return DeletedTemplateAnswer.model_validate(deleted)


@bp.patch("/<template_id>/active")
@audited("template_active_set", "template")
@typed_view()
def set_active(template_id: str, body: ActiveIn) -> ChangedTemplateAnswer:
    """Let a template recur, or rest."""
    return ChangedTemplateAnswer(template=templates.update_template(template_id, body.model_dump()))


@bp.patch("/<template_id>/featured")
@audited("template_featured_set", "template")
@typed_view()
def set_featured(template_id: str, body: FeaturedIn) -> ChangedTemplateAnswer:
    """Show a template's polls among the featured ones, or not."""
    return ChangedTemplateAnswer(template=templates.update_template(template_id, body.model_dump()))


@bp.put("/<template_id>/options")
@audited("template_options_replaced", "template")
@typed_view()
def replace_options(template_id: str, body: OptionsIn) -> ReplacedOptionsAnswer:
    """Give a template other options; polls that are open keep theirs."""
    labels = labels_in_order(body.options)
    template = templates.replace_options(template_id, labels)
    return ReplacedOptionsAnswer(template_id=template.id, option_count=len(labels))


@bp.post("/<template_id>/generate-context")
@audited("generate_poll_context", "template")
@typed_view()
def generate_context(template_id: str) -> GeneratedContextAnswer:
    """Write a context text for the template; there is no writer yet, so this is always a 503."""
    find(PollTemplate, template_id)
    raise Unavailable("writing context texts is not configured on this server")

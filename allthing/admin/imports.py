"""Imports: a whole catalog in one body."""

import re
from typing import Annotated, Any

from flask import Blueprint
from pydantic import MISSING, AfterValidator, BeforeValidator, Field

from allthing.admin.audit import audited
from allthing.admin.fields import MAX_OPTIONS, Audience, MaxRank, PollType, SortOrder
from allthing.admin.schemas import OptionIn, labels_in_order
from allthing.catalog.importing import Entry, Outcome, import_catalog
from allthing.errors import Invalid
from allthing.web.field_types import Line, NullIfEmpty, Visible, Whole
from allthing.web.request_data import Input, validate
from allthing.web.typed_views import Out, typed_view

SHOWN_LENGTH = 200

bp = Blueprint("imports", __name__)


def clean_key(value: str) -> str:
    """Write a key as keys are: lower case, blanks as dashes, else only letters and digits."""
    key = re.sub(r"[^a-z0-9-]", "", re.sub(r"\s+", "-", value.strip().lower()))
    if not key:
        raise ValueError("has none of the characters a-z, 0-9 and -")
    return key


def audience_of(value: object) -> object:
    return "PUBLIC" if value == "EVERYONE" else value  # as the import page's own help text has it


ImportedKey = Annotated[str, AfterValidator(clean_key), Field(max_length=64)]
Title = Annotated[str, Field(max_length=200), Visible(1)]
Question = Annotated[str, Field(max_length=500), Line, NullIfEmpty] | None


class ImportedCategoryIn(Input):
    """A category. Without `sortOrder` a known one keeps its place, a new one comes first."""

    key: ImportedKey
    name: Annotated[str, Field(max_length=100), Visible(1)]
    sort_order: SortOrder | MISSING = MISSING


class ImportedOptionIn(OptionIn):
    label: Title


class ImportedTemplateIn(Input):
    category_key: ImportedKey
    key: ImportedKey
    title: Title
    question: Question = None
    poll_type: PollType
    max_rank: MaxRank = None
    audience: Annotated[Audience, BeforeValidator(audience_of)] = "PUBLIC"
    duration_days: Annotated[int, Field(ge=1, le=30), Whole] = 1
    is_active: bool = True
    featured: bool = False
    options: Annotated[list[ImportedOptionIn], Field(min_length=2, max_length=MAX_OPTIONS)]


class ImportIn(Input):
    """The lists are read entry by entry, so that a fault in one is no fault of the others."""

    categories: list[Any] = Field(default_factory=list)
    templates: list[Any] = Field(default_factory=list)
    dry_run: bool = False


class OutcomeOut(Out):
    type: str
    action: str
    key: str
    name: str
    error: str | None


class ImportAnswer(Out):
    categories_created: int
    categories_updated: int
    templates_created: int
    dry_run: bool
    errors: list[str]
    details: list[OutcomeOut]


@bp.post("/import")
@audited("import_data")
@typed_view(answer=ImportAnswer)
def import_data(body: ImportIn) -> dict[str, Any]:
    """Import categories and templates; what can't be is told entry by entry."""
    entries = [read_category(given) for given in body.categories]
    entries += [read_template(given) for given in body.templates]
    imported = import_catalog(entries, dry_run=body.dry_run)
    return {
        **imported.counts,
        "dryRun": imported.dry_run,
        "errors": imported.errors,
        "details": [outcome_json(outcome) for outcome in imported.outcomes],
    }


def read_category(given: object) -> Entry:
    try:
        category = validate(ImportedCategoryIn, given)
    except Invalid as fault:
        return Entry("category", text(given, "key"), text(given, "name"), fault=fault.detail)
    return Entry("category", category.key, category.name, category.model_dump(exclude={"key"}))


def read_template(given: object) -> Entry:
    try:
        template = validate(ImportedTemplateIn, given)
    except Invalid as fault:
        return Entry("template", text(given, "key"), text(given, "title"), fault=fault.detail)
    fields = template.model_dump(exclude={"key", "options"})
    fields["options"] = labels_in_order(template.options)
    return Entry("template", template.key, template.title, fields)


def text(given: object, name: str) -> str:
    """Return a text of an entry that could not be read, to show which one it is."""
    value = given.get(name) if isinstance(given, dict) else None
    return value[:SHOWN_LENGTH] if isinstance(value, str) else ""


def outcome_json(outcome: Outcome) -> dict[str, Any]:
    return {
        "type": outcome.entry.type,
        "action": outcome.action,
        "key": outcome.entry.key,
        "name": outcome.entry.name,
        "error": outcome.error,
    }

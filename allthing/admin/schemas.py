"""Schemas that several admin views take or give."""

from collections.abc import Sequence
from datetime import date, datetime
from typing import Annotated, Any

from pydantic import Field

from allthing.admin.fields import MAX_OPTIONS, Key, Label, Name, ParentId, SortOrder
from allthing.web.field_types import Day
from allthing.web.request_data import Input, Query
from allthing.web.typed_views import Out


class CategoryIn(Input):
    key: Key
    name: Name
    sort_order: SortOrder = 0
    parent_id: ParentId = Field(None, alias="parentCategoryId")


class OptionIn(Input):
    label: Label
    sort_order: SortOrder = 0


Options = Annotated[list[OptionIn], Field(min_length=2, max_length=MAX_OPTIONS)]


class OptionsIn(Input):
    options: Options


def labels_in_order(options: Sequence[OptionIn]) -> list[str]:
    """Return the labels by sort order; equal ones keep their place, numbering is ours."""
    return [option.label for option in sorted(options, key=lambda option: option.sort_order)]


class DayQuery(Query):
    poll_date: Day


class CategoryOut(Out):
    id: str
    key: str
    name: str
    sort_order: int
    parent_id: str | None = Field(serialization_alias="parentCategoryId")


class OptionOut(Out):
    id: str
    label: str
    sort_order: int


class TemplateOut(Out):
    id: str
    category_id: str
    key: str
    title: str
    question: str | None
    context_text: str | None
    poll_type: str
    max_rank: int | None
    audience: str
    duration_days: int
    is_active: bool
    featured: bool
    options: list[OptionOut]


class InstanceOut(Out):
    id: str
    template_id: str
    category_id: str
    poll_date: date
    close_date: date
    opens_at: datetime
    closes_at: datetime
    title: str
    question: str | None
    poll_type: str
    max_rank: int | None
    audience: str
    status: str
    replaced_at: datetime | None
    options: list[OptionOut]


class PlanOut(Out):
    id: str
    template_id: str
    poll_date: date
    is_enabled: bool
    question_override: str | None
    options: list[OptionOut]


def to_json(shape: type[Out], entity: object) -> dict[str, Any]:
    """Write a stored entity in the contract's form."""
    return shape.model_validate(entity).model_dump(mode="json")

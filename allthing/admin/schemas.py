"""What the guarded door takes in and gives out."""

from collections.abc import Sequence
from datetime import date, datetime, timedelta
from typing import Annotated, Any, Literal

from pydantic import (
    MISSING,
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationInfo,
    field_validator,
)
from pydantic.alias_generators import to_camel

from allthing.database import ID_LENGTH
from allthing.inputs import Day, Input, Int32, Line, Prose, Query, null_if_empty

MAX_OPTIONS = 100
MAX_PAGE = 200
MAX_PERIOD = timedelta(days=366)

Key = Annotated[str, Field(min_length=2, max_length=64, pattern=r"^[a-z0-9-]+$")]
Name = Annotated[Line, Field(min_length=2, max_length=128)]
Title = Annotated[Line, Field(min_length=2, max_length=256)]
Label = Annotated[Line, Field(min_length=1, max_length=256)]
Question = Annotated[Annotated[Line, Field(max_length=1000)] | None, BeforeValidator(null_if_empty)]
ContextText = Annotated[Prose | None, BeforeValidator(null_if_empty)]
EntityId = Annotated[str, Field(max_length=ID_LENGTH)]
ParentId = Annotated[EntityId | None, BeforeValidator(null_if_empty)]
PollType = Literal["SINGLE", "RANKED"]
Audience = Literal["PUBLIC", "USER_ONLY"]
MaxRank = Annotated[int, Field(ge=1, le=MAX_OPTIONS)] | None
DurationDays = Annotated[int, Field(ge=1, le=365)]
SortOrder = Annotated[Int32, Field(ge=0)]
PresetName = Annotated[Line, Field(min_length=1, max_length=128)]
Description = Annotated[
    Annotated[Line, Field(max_length=500)] | None, BeforeValidator(null_if_empty)
]


class CategoryIn(Input):
    key: Key
    name: Name
    sort_order: SortOrder = 0
    parent_id: ParentId = Field(None, alias="parentCategoryId")


class CategoryChangesIn(Input):
    """As `CategoryIn`; what is absent stays, `parentCategoryId: null` makes it top-level."""

    key: Key | MISSING = MISSING
    name: Name | MISSING = MISSING
    sort_order: SortOrder | MISSING = MISSING
    parent_id: ParentId | MISSING = Field(MISSING, alias="parentCategoryId")


class OptionIn(Input):
    label: Label
    sort_order: SortOrder = 0


def labels_in_order(options: Sequence[OptionIn]) -> list[str]:
    """Return the labels by sort order; equal ones keep their place, numbering is ours."""
    return [option.label for option in sorted(options, key=lambda option: option.sort_order)]


Options = Annotated[list[OptionIn], Field(min_length=2, max_length=MAX_OPTIONS)]


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


class OptionsIn(Input):
    options: Options


class ActiveIn(Input):
    is_active: bool


class FeaturedIn(Input):
    featured: bool


class TemplateQuery(Query):
    category_id: str | None = None
    is_active: bool | None = None


class DayQuery(Query):
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


class PlanIn(Input):
    """What a date changes; what is absent stays, `questionOverride: null` takes it back."""

    poll_date: Day
    is_enabled: bool | MISSING = MISSING
    question_override: Question | MISSING = MISSING


class PlanOptionsIn(OptionsIn):
    poll_date: Day


class PresetOptionIn(Input):
    option_id: Annotated[Line, Field(min_length=1, max_length=64)]
    label: Annotated[Line, Field(min_length=1, max_length=200)]
    sort_order: SortOrder = 0


def in_order(options: list[PresetOptionIn]) -> list[PresetOptionIn]:
    return sorted(options, key=lambda option: option.sort_order)


PresetOptions = Annotated[
    list[PresetOptionIn],
    Field(min_length=1, max_length=MAX_OPTIONS),
    AfterValidator(in_order),
]


class PresetIn(Input):
    name: PresetName
    description: Description = None
    options: PresetOptions


class PresetChangesIn(Input):
    """Any of a preset's fields; what is absent stays, `description: null` empties it."""

    name: PresetName | MISSING = MISSING
    description: Description | MISSING = MISSING
    options: PresetOptions | MISSING = MISSING


class Out(BaseModel):
    """Base of all output: read from a model's attributes, written in camelCase."""

    model_config = ConfigDict(
        alias_generator=to_camel, from_attributes=True, validate_by_name=True, extra="forbid"
    )


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


class PresetOut(Out):
    id: str
    name: str
    description: str | None
    options: list[dict[str, Any]]
    created_at: datetime
    updated_at: datetime


class AuditLogOut(Out):
    id: str
    action: str
    entity_type: str | None
    entity_id: str | None
    admin_key_hash: str | None
    ip_address: str | None
    user_agent: str | None
    changes: dict[str, Any] | None
    details: dict[str, Any] | None = Field(serialization_alias="metadata")
    success: bool
    error_message: str | None
    created_at: datetime


def to_json(shape: type[Out], entity: object) -> dict[str, Any]:
    """Write a stored entity in the contract's form."""
    return shape.model_validate(entity).model_dump(mode="json", by_alias=True)

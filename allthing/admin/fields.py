"""The kinds of value that admins send, with their lengths and ranges as in the contract."""

from typing import Annotated, Literal

from pydantic import BeforeValidator, Field

from allthing.database import ID_LENGTH
from allthing.inputs import Int32, Line, Prose, null_if_empty

MAX_OPTIONS = 100

Key = Annotated[str, Field(min_length=2, max_length=64, pattern=r"^[a-z0-9-]+$")]
Name = Annotated[Line, Field(min_length=2, max_length=128)]
Title = Annotated[Line, Field(min_length=2, max_length=256)]
Label = Annotated[Line, Field(min_length=1, max_length=256)]
Question = Annotated[Annotated[Line, Field(max_length=1000)] | None, BeforeValidator(null_if_empty)]
ContextText = Annotated[Prose | None, BeforeValidator(null_if_empty)]
Description = Annotated[
    Annotated[Line, Field(max_length=500)] | None, BeforeValidator(null_if_empty)
]
EntityId = Annotated[str, Field(max_length=ID_LENGTH)]
ParentId = Annotated[EntityId | None, BeforeValidator(null_if_empty)]
PollType = Literal["SINGLE", "RANKED"]
Audience = Literal["PUBLIC", "USER_ONLY"]
MaxRank = Annotated[int, Field(ge=1, le=MAX_OPTIONS)] | None
DurationDays = Annotated[int, Field(ge=1, le=365)]
SortOrder = Annotated[Int32, Field(ge=0)]

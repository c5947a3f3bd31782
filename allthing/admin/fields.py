"""Field types of what admins send, with their lengths and ranges as in the contract."""

from typing import Annotated, Literal

from pydantic import Field

from allthing.database import ID_LENGTH
from allthing.web.field_types import Line, Matches, NullIfEmpty, Prose, Visible, Whole

MAX_OPTIONS = 100  # of a poll

Key = Annotated[
    str,
    Field(min_length=2, max_length=64),
    Matches("^[a-z0-9-]+$", "may only have lower-case letters, digits and dashes"),
]
Name = Annotated[str, Field(min_length=2, max_length=128), Visible(2)]
Title = Annotated[str, Field(min_length=2, max_length=256), Visible(2)]
Label = Annotated[str, Field(min_length=1, max_length=256), Visible(1)]
Question = Annotated[str, Field(max_length=1000), Line, NullIfEmpty] | None
ContextText = Annotated[str, Prose, NullIfEmpty] | None
Description = Annotated[str, Field(max_length=500), Line, NullIfEmpty] | None
EntityId = Annotated[str, Field(max_length=ID_LENGTH)]
ParentId = Annotated[EntityId, NullIfEmpty] | None
PollType = Literal["SINGLE", "RANKED"]
Audience = Literal["PUBLIC", "USER_ONLY"]
MaxRank = Annotated[int, Field(ge=1, le=MAX_OPTIONS), Whole] | None
DurationDays = Annotated[int, Field(ge=1, le=365), Whole]
SortOrder = Annotated[int, Field(ge=0, le=2**31 - 1), Whole]

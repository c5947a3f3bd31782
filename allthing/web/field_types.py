"""Field types: texts that are cleaned or have to match, days within bounds, whole numbers."""

import re
from dataclasses import dataclass
from datetime import date
from typing import Annotated, Any

from pydantic import (
    AfterValidator,
    BeforeValidator,
    GetCoreSchemaHandler,
    GetJsonSchemaHandler,
    WithJsonSchema,
)
from pydantic_core.core_schema import CoreSchema, no_info_after_validator_function

BIDI_CONTROLS = "\u202a-\u202e\u2066-\u2069"
DROPPED = re.compile(f"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f{BIDI_CONTROLS}]")
BLANKS = re.compile(r"[^\S\n\r]+")
# Blanks, controls and what Unicode lets a reader ignore. Listed, since the document states it too,
# and since Python would take an emoji that is younger than itself for invisible.
VISIBLE = (
    r"[^\u0000-\u0020\u007f-\u00a0\u00ad\u034f\u061c\u115f\u1160\u1680\u17b4\u17b5\u180b-\u180f"
    r"\u2000-\u200f\u2028-\u202f\u205f-\u206f\u2800\u3000\u3164\ufe00-\ufe0f\ufeff\uffa0"
    "\ufff0-\ufffb\U000e0000-\U000e0fff]"
)
ISO_DATE = re.compile(r"\d{4}-\d{2}-\d{2}")
FIRST_DAY = date(1900, 1, 1)
LAST_DAY = date(2999, 12, 31)
DAY_PATTERN = "^(19|2[0-9])[0-9]{2}-[0-9]{2}-[0-9]{2}"  # the same bounds, as the document has them


def drop_controls(value: str) -> str:
    """Trim, and drop control characters except line breaks and tabs.

    Overrides of the writing direction go as well: they make one label read as another.
    """
    return DROPPED.sub("", value).strip()


def clean_line(value: str) -> str:
    """Clean a name, title, label or question as the contract says."""
    return BLANKS.sub(" ", drop_controls(value))


def null_if_empty(value: str) -> str | None:
    return value if re.search(VISIBLE, value) else None


@dataclass(frozen=True)
class Visible:
    """Clean a line, and refuse one in which fewer characters can be seen; the document says so."""

    min_count: int

    def __get_pydantic_core_schema__(
        self, source: type, handler: GetCoreSchemaHandler
    ) -> CoreSchema:
        return no_info_after_validator_function(self.clean, handler(source))

    def __get_pydantic_json_schema__(
        self, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        return handler(schema) | {"pattern": rf"({VISIBLE}[\s\S]*){{{self.min_count}}}"}

    def clean(self, value: str) -> str:
        if len(re.findall(VISIBLE, value)) < self.min_count:
            raise ValueError(f"needs at least {self.min_count} visible characters")
        return clean_line(value)


@dataclass(frozen=True)
class Matches:
    """Refuse a text that does not match a pattern, in a sentence; the document has the pattern."""

    pattern: str
    message: str

    def __get_pydantic_core_schema__(
        self, source: type, handler: GetCoreSchemaHandler
    ) -> CoreSchema:
        return no_info_after_validator_function(self.check, handler(source))

    def __get_pydantic_json_schema__(
        self, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        return handler(schema) | {"pattern": self.pattern}

    def check(self, value: str) -> str:
        if not re.fullmatch(self.pattern, value):
            raise ValueError(self.message)
        return value


def whole_number(value: object) -> object:
    """Read 2.0 as 2: JSON knows no difference, and some clients write all numbers so."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


def parse_day(value: object) -> date:
    """Read a date that leaves room for the days that are reckoned from it, on either side."""
    if not isinstance(value, str) or not is_date(value):
        raise ValueError("is not a date such as 2031-05-04")
    day = date.fromisoformat(value)
    if not FIRST_DAY <= day <= LAST_DAY:
        raise ValueError(f"is not from {FIRST_DAY} to {LAST_DAY}")
    return day


def is_date(text: str) -> bool:
    """Tell whether a text is a date as the API writes one; Python reads other forms as well."""
    try:
        date.fromisoformat(text)
    except ValueError:
        return False
    return bool(ISO_DATE.fullmatch(text))


# Lengths are those of a text as it is sent: they stand before the cleaner.
Line = AfterValidator(clean_line)
Prose = AfterValidator(drop_controls)
NullIfEmpty = AfterValidator(null_if_empty)
Whole = BeforeValidator(whole_number)
Day = Annotated[
    date,
    BeforeValidator(parse_day),
    WithJsonSchema({"type": "string", "format": "date", "pattern": DAY_PATTERN}),
]

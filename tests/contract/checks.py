"""What may be asked of an answer: equal to this, of that shape."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from types import UnionType
from typing import Any

Json = dict[str, Any]

SHOWN_LENGTH = 160
ISO_DATE = re.compile(r"\d{4}-\d{2}-\d{2}")
MAX_ID_LENGTH = 36


class Fault(Exception):
    """What is wrong with the server, in words for the person who reads the line."""


@dataclass(frozen=True)
class Each:
    """The shape of an object whose names are data: all of its values are alike."""

    inner: Any


@dataclass(frozen=True)
class Nullable:
    inner: Any


def check(holds: object, otherwise: str) -> None:
    """Fail with the sentence `otherwise` unless `holds` is true."""
    if not holds:
        raise Fault(otherwise)


def same(actual: object, expected: object, what: str) -> None:
    check(
        type(actual) is type(expected) and actual == expected,
        f"{what} is {brief(actual)}, not {brief(expected)}",
    )


def fits(value: Any, shape: Any, place: str = "the answer") -> None:
    """Fail unless `value` has the shape, and say where it has not.

    A shape is a dict of the names that an object must have, whatever else it has; a list of the
    one shape of all entries; a type; a set of values; a predicate, named by its docstring; `Each`,
    `Nullable`; or a value that is meant as it is.
    """
    match shape:
        case Mapping() | Each():
            fits_object(value, shape, place)
        case [inner]:
            check(isinstance(value, list), f"{place} is {brief(value)}, not an array")
            for n, entry in enumerate(value):
                fits(entry, inner, f"{place}[{n}]")
        case Nullable(inner):
            fits(value, None if value is None else inner, place)
        case type() | UnionType():
            check(is_a(value, shape), f"{place} is {brief(value)}, not {describe_type(shape)}")
        case set():
            check(value in shape, f"{place} is {brief(value)}, not one of {sorted(shape)}")
        case _ if callable(shape):
            check(shape(value), f"{place} is {brief(value)}, not {words_of(shape)}")
        case _:
            same(value, shape, place)


def fits_object(value: Any, shape: Mapping[str, Any] | Each, place: str) -> None:
    check(isinstance(value, dict), f"{place} is {brief(value)}, not an object")
    if isinstance(shape, Each):
        shape = dict.fromkeys(value, shape.inner)
    missing = [name for name in shape if name not in value]
    check(not missing, f"{place} lacks {', '.join(missing)}")
    for name, inner in shape.items():
        fits(value[name], inner, f"{place}.{name}")


def is_a(value: object, kind: type | UnionType) -> bool:
    """Tell the type as JSON has it: true is no number."""
    return isinstance(value, kind) and (kind is bool or not isinstance(value, bool))


def brief(value: object) -> str:
    text = repr(value)
    return text if len(text) <= SHOWN_LENGTH else f"{text[:SHOWN_LENGTH]}…"


def describe_type(shape: Any) -> str:
    return getattr(shape, "__name__", None) or str(shape)


def words_of(shape: Callable[..., object]) -> str:
    return (shape.__doc__ or shape.__name__).rstrip(".")


def is_id(value: object) -> bool:
    """an id: a text of 1 to 36 characters"""
    return isinstance(value, str) and 0 < len(value) <= MAX_ID_LENGTH


def is_day(value: object) -> bool:
    """a date such as 2031-05-04"""
    if not isinstance(value, str) or not ISO_DATE.fullmatch(value):
        return False
    try:
        return bool(date.fromisoformat(value))
    except ValueError:
        return False


def is_instant(value: object) -> bool:
    """an ISO 8601 instant with its offset"""
    try:
        return isinstance(value, str) and datetime.fromisoformat(value).tzinfo is not None
    except ValueError:
        return False


def is_count(value: object) -> bool:
    """a whole number from 0 on"""
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def is_sentence(value: object) -> bool:
    """a text with something in it"""
    return isinstance(value, str) and bool(value.strip())

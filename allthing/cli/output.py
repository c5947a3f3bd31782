"""What commands print: aligned lines for people, or one JSON document for programs."""

import json
import unicodedata
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeVar

import click
from pydantic import BaseModel

Row = TypeVar("Row")


@dataclass(frozen=True)
class Answer:
    """What a command answers: `data` with --json, else `lines`; bad news exits with 1."""

    data: object
    lines: Iterable[str]
    is_bad_news: bool = False


def show(answer: Answer, as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps(answer.data, default=written, indent=2))
        return
    for line in answer.lines:
        click.echo(line)


def written(model: object) -> Any:
    """Write a model as HTTP does, without `ok`: the exit code says that."""
    if not isinstance(model, BaseModel):
        raise TypeError(f"{type(model).__name__} is nothing that commands print")
    return model.model_dump(mode="json", exclude={"ok"})


def listed(found: Sequence[Row], columns: Callable[[Row], Sequence[object]]) -> Answer:
    """Answer with an array, or with a line per row whose columns are aligned."""
    return Answer(found, aligned([columns(row) for row in found]))


def first(found: Sequence[Row], limit: int) -> Sequence[Row]:
    """Return the first `limit` rows, and say on standard error if there are more."""
    if len(found) > limit:
        click.echo(f"there are more than these {limit}: see --limit", err=True)
    return found[:limit]


def aligned(rows: Sequence[Sequence[object]]) -> list[str]:
    texts = [[cell(value) for value in row] for row in rows]
    widths = [max(map(len, column)) for column in zip(*texts, strict=True)]
    return [
        "  ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)).rstrip()
        for row in texts
    ]


def cell(value: object) -> str:
    """Write a value on one line, without what could steer a terminal."""
    if value is None or value == "":
        return "-"
    if isinstance(value, datetime):
        return f"{value:%Y-%m-%d %H:%M:%S}"
    return "".join(" " if unicodedata.category(c)[0] == "C" else c for c in str(value))


def short(text: str, length: int) -> str:
    return text if len(text) <= length else text[: length - 1] + "…"

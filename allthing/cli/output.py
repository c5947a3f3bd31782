"""Output of commands: aligned lines for people, or one JSON document for programs."""

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
class Output:
    """What a command prints: `data` with --json, else `lines`; it exits with 1 if it has failed."""

    data: object
    lines: Iterable[str]
    has_failed: bool = False


def show(output: Output, as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps(output.data, default=to_json, indent=2))
        return
    for line in output.lines:
        click.echo(line)


def to_json(model: object) -> Any:
    """Write a model as HTTP does, without `ok`: the exit code says that."""
    if not isinstance(model, BaseModel):
        raise TypeError(f"{type(model).__name__} is nothing that commands print")
    return model.model_dump(mode="json", exclude={"ok"})


def table(found: Sequence[Row], columns: Callable[[Row], Sequence[object]]) -> Output:
    """Print an array, or a line per row whose columns are aligned."""
    return Output(found, aligned([columns(row) for row in found]))


def limited(found: Sequence[Row], limit: int) -> Sequence[Row]:
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

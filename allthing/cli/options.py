"""Options that several commands take."""

from datetime import date
from typing import Any

import click

from allthing.web.field_types import parse_day


class Day(click.ParamType[date]):
    """A date within the bounds that HTTP keeps to."""

    name = "YYYY-MM-DD"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> date:
        try:
            return parse_day(value)
        except ValueError as error:
            self.fail(f"{value!r} {error}", param, ctx)


DAY = Day()
limit_option = click.option(
    "--limit", default=200, show_default=True, type=click.IntRange(1, 100_000), help="Rows at most."
)

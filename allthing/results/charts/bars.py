"""Horizontal bars: a single choice, a ranked count that took one round, or no ballots yet.

    label |████████████████ 12 · 60% · winner
    other |████████ 6 · 30%        ¦ 11 to win

One pixel stands for the same number of ballots in all bars. The longest bar, or the majority if
that is longer, takes all of ROOM.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from xml.etree import ElementTree as ET

from allthing.results.charts.data import ChartData, ballots
from allthing.results.charts.palette import BEST, REST, SPENT, add_bar
from allthing.results.charts.svg import element, label, width

ROOM = 320.0
NAMES = (60.0, 260.0)
VALUES = 170.0
ROW, THICKNESS = 28.0, 18.0
BASELINE = 13.0
GAP = 8.0


@dataclass(frozen=True)
class Row:
    """A bar: an option's, or with `option` None that of the exhausted ballots."""

    option: str | None
    name: str
    count: int
    percentage: float


def draw(parent: ET.Element, data: ChartData) -> tuple[float, float]:
    """Add the bars to `parent`; return how wide and high they are in all."""
    rows = list(rows_of(data))
    threshold = data.rounds[0]["threshold"] if data.rounds and data.cast else 0
    scale = ROOM / max(1, threshold, *(row.count for row in rows))
    least, most = NAMES
    names = min(most, max(least, *(width(row.name) for row in rows)))
    left, high = names + GAP, ROW * len(rows)
    for number, row in enumerate(rows):
        add_row(parent, data, row, (left, ROW * number), scale)
    if not data.cast:
        label(parent, empty(data), left + 4 * GAP, high / 2 + GAP / 2, style="soft")
    line = {"x1": left, "x2": left, "y1": -GAP / 2, "y2": high - GAP / 2}
    element(parent, "line", class_="axis", **line)
    if threshold:
        x = left + threshold * scale
        element(parent, "line", class_="majority", **line | {"x1": x, "x2": x, "y2": high})
        label(parent, f"{threshold:,} to win", x, high + BASELINE, style="soft middle")
        high += ROW
    return left + ROOM + VALUES, high


def empty(data: ChartData) -> str:
    return "No ballots were cast." if data.is_closed else "No ballots yet."


def rows_of(data: ChartData) -> Iterator[Row]:
    """Yield the rows, most ballots first, ties in the order of the ballot."""
    if data.rounds:
        entry = data.rounds[0]
        shares = entry["percentOfAll"]
        rows = [Row(o, n, entry["totals"].get(o, 0), shares.get(o, 0)) for o, n in options(data)]
    else:
        counts = {row["optionId"]: row for row in data.result.get("results", [])}
        none = {"count": 0, "percentage": 0}
        found = [(o, name, counts.get(o, none)) for o, name in options(data)]
        rows = [Row(o, name, row["count"], row["percentage"]) for o, name, row in found]
    yield from sorted(rows, key=lambda row: -row.count)
    if data.rounds and data.rounds[0]["exhausted"]:
        yield Row(None, "Exhausted", data.rounds[0]["exhausted"], 0)


def options(data: ChartData) -> list[tuple[str, str]]:
    return list(data.labels.items())


def add_row(
    parent: ET.Element, data: ChartData, row: Row, corner: tuple[float, float], scale: float
) -> None:
    x, y = corner
    is_best = row.option in data.best
    strong = " strong" * is_best
    said = [f"{row.count:,}"]
    if row.option is not None and data.cast:
        said.append(f"{row.percentage:g}%")
    if is_best:
        said.append(data.mark)
    label(parent, row.name, x - GAP, y + BASELINE, room=x - GAP, style=f"end{strong}")
    paint = SPENT if row.option is None else BEST if is_best else REST
    box = (x, y, row.count * scale, THICKNESS)
    title = f"{row.name}: {ballots(row.count)}"
    if row.count:
        add_bar(parent, box, paint, title, prefix=data.prefix, best=is_best)
    end = x + row.count * scale + GAP
    label(parent, " · ".join(said), end, y + BASELINE, style=f"halo{strong}")

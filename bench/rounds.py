"""Interleaved rounds: what is compared runs in turn, so that a noisy minute hits all alike."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import TypeVar

Measure = TypeVar("Measure")


@dataclass(frozen=True)
class Pace:
    """How thorough a run is: rounds, seconds per cell and round, ballots, counted reads a round."""

    rounds: int
    seconds: int
    big: int
    reads: int
    small: int = 1_000
    warm_ups: int = 1  # rounds that are not counted


FULL = Pace(rounds=5, seconds=2, big=1_000_000, reads=30)
QUICK = Pace(rounds=3, seconds=1, big=50_000, reads=10, warm_ups=0)


def interleave(cells: Mapping[str, Callable[[], Measure]], rounds: int) -> dict[str, list[Measure]]:
    """Measure every cell once in each round, in every other round backwards."""
    taken: dict[str, list[Measure]] = {name: [] for name in cells}
    for number in range(rounds):
        for name in list(cells)[:: -1 if number % 2 else 1]:
            taken[name].append(cells[name]())
    return taken


def ratios(above: Sequence[float], below: Sequence[float]) -> list[float]:
    """Divide round by round; what was measured in the same round met the same noise."""
    return [a / b for a, b in zip(above, below, strict=True)]


@dataclass(frozen=True)
class Row:
    """One line of the table: a value per round, and what is asked of their median.

    `floor` is due, `aim` is wanted: the least that is good, or with `lower` the most.
    """

    name: str
    values: Sequence[float]
    floor: float | None = None
    aim: float | None = None
    lower: bool = False
    measured: str = ""  # the same in absolute numbers

    @property
    def verdict(self) -> str:
        """Say which of the targets the median meets; nothing where there is none."""
        if self.floor is None or self.aim is None:
            return ""
        sign = -1 if self.lower else 1
        if sign * median(self.values) >= sign * self.aim:
            return "aim"
        return "floor" if sign * median(self.values) >= sign * self.floor else "**missed**"


def table(rows: Sequence[Row]) -> str:
    """Write rows as a Markdown table."""
    lines = ["| | floor | aim | median | spread | | measured |", "|---|--:|--:|--:|--:|---|---|"]
    for row in rows:
        spread = f"{short(min(row.values))}–{short(max(row.values))}"
        cells = (row.name, short(row.floor), short(row.aim), f"**{short(median(row.values))}**")
        lines.append(f"| {' | '.join((*cells, spread, row.verdict, row.measured))} |")
    return "\n".join(lines)


def short(value: float | None) -> str:
    """Write a number with three digits or so."""
    if value is None:
        return ""
    return f"{value:.2f}" if value < 10 else f"{value:,.0f}"

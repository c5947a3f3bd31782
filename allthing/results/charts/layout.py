"""Where everything stands in the Sankey diagram of a ranked count: all of its geometry.

    round 1      round 2
    ██ Blue 6 ══ ██ Blue 6      Each column is a round, each bar an option that still stands, each
    ██ Red 4 ═══ ██             ribbon ballots on their way to the next round. All of them are
    ██ Pea 3 ══╝ ██ Red 6       as high as they hold ballots, by one scale in the whole picture.
               ╲
                 ▒▒ 1           Exhausted ballots stand apart, on a line of their own.

Options stand by how long they last, so that who leaves is at the bottom and ribbons cross little.
So the top bar is the winner's or that of the first of the tied: nobody else ever has a majority.

A bar lower than a line of text gets a slot that high, so each has room for its label. Lengths are
in pixels; y grows downwards.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from allthing.results.charts.data import ChartData
from allthing.results.charts.svg import width

EXHAUSTED = "exhausted"
STACK = 300.0  # how high all ballots of the poll are together
BAR = 14.0
SLOT = 15.0
HEADER = 44.0
APART = 26.0
LINE = 17.0
GAP = 6.0
CROWD = 10  # with more options their bars move together
PITCHES = ((4, 180.0), (6, 140.0), (12, 90.0), (10_000, 74.0))
"""For how many rounds at most, how far from column to column."""
NAMES = (76.0, 180.0)
"""How wide the names beside the outer columns are at least and at most."""


@dataclass(frozen=True)
class Bar:
    """A bar's upper left corner and its height."""

    x: float
    y: float
    height: float

    @property
    def middle(self) -> float:
        return self.y + self.height / 2

    @property
    def slot_end(self) -> float:
        return self.middle + max(self.height, SLOT) / 2


@dataclass(frozen=True)
class Ribbon:
    """Ballots that go from one bar to another: from (x, y) to (to_x, to_y), the upper edges."""

    source: str
    heir: str
    ballots: int
    x: float
    y: float
    to_x: float
    to_y: float
    height: float

    @property
    def moves(self) -> bool:
        return self.source != self.heir


@dataclass(frozen=True)
class Layout:
    """The place of each bar, by round and then by option or EXHAUSTED.

    `scale` is pixels per ballot, `pitch` the way from column to column, `left` where the first
    column begins and `floor` where the last bar ends.
    """

    order: list[str]
    columns: list[dict[str, Bar]]
    scale: float
    pitch: float
    left: float
    floor: float


def lay_out(data: ChartData) -> Layout:
    """Place the bars of all rounds."""
    order = by_endurance(data)
    scale = STACK / data.cast
    pitch = next(wide for most, wide in PITCHES if len(data.rounds) <= most)
    left = names_width(data, order) + 4 * GAP
    columns = []
    for number, entry in enumerate(data.rounds):
        heights = {option: entry["totals"][option] * scale for option in order_in(order, entry)}
        columns.append(stack(heights, left + pitch * number, GAP / (1 + (len(order) > CROWD))))
    apart = APART + max(bar.slot_end for column in columns for bar in column.values())
    for number, entry in enumerate(data.rounds):
        columns[number][EXHAUSTED] = Bar(left + pitch * number, apart, entry["exhausted"] * scale)
    floor = max(column[EXHAUSTED].slot_end for column in columns)
    return Layout(order, columns, scale, pitch, left, floor)


def by_endurance(data: ChartData) -> list[str]:
    """Return the options by their last round, then by what they hold in it, most first."""
    last: dict[str, tuple[int, int]] = {}
    for entry in data.rounds:
        for option, total in entry["totals"].items():
            last[option] = entry["round"], total
    # Sorting is stable in reverse as well: equals keep the order of the ballot. That order is
    # not the order of the totals, for a stored result comes back with its keys sorted.
    return sorted(sorted(last, key=data.places.__getitem__), key=last.__getitem__, reverse=True)


def order_in(order: list[str], entry: Mapping[str, Mapping[str, int]]) -> list[str]:
    return [option for option in order if option in entry["totals"]]


def names_width(data: ChartData, options: list[str]) -> float:
    """Return how much room the names of the options take beside a column."""
    least, most = NAMES
    return min(most, max(least, *(width(data.labels[option]) for option in options)))


def stack(heights: Mapping[str, float], x: float, gap: float) -> dict[str, Bar]:
    """Stack the bars of one round, each in the middle of its slot."""
    column, y = {}, HEADER
    for option, height in heights.items():
        slot = max(height, SLOT)
        column[option] = Bar(x, y + (slot - height) / 2, height)
        y += slot + gap
    return column


def ribbons(data: ChartData, layout: Layout, number: int) -> list[Ribbon]:
    """Place the ribbons between two rounds, the second of them `number` (from 0).

    They leave and arrive in the order of the stack; what a bar keeps arrives above what it gets.
    Those that move come last, to be drawn on top of those that stay.
    """
    rank = {option: place for place, option in enumerate([*layout.order, EXHAUSTED])}
    before, after = layout.columns[number - 1], layout.columns[number]
    leaving = {option: bar.y for option, bar in before.items()}
    arriving = {option: bar.y for option, bar in after.items()}
    found = []
    moved = sorted(flows(data, number), key=lambda f: (f[0] != f[1], rank[f[0]], rank[f[1]]))
    for source, heir, ballots in moved:
        height = ballots * layout.scale
        begin, end = before[source].x + BAR, after[heir].x
        found.append(
            Ribbon(source, heir, ballots, begin, leaving[source], end, arriving[heir], height)
        )
        leaving[source] += height
        arriving[heir] += height
    return found


def flows(data: ChartData, number: int) -> Iterator[tuple[str, str, int]]:
    """Yield who hands how many ballots to whom on the way to a round, where any move."""
    before, after = data.rounds[number - 1], data.rounds[number]
    kept = {option: before["totals"][option] for option in after["totals"]}
    kept[EXHAUSTED] = before["exhausted"]
    handed = {option: {option: ballots} for option, ballots in kept.items()}
    for source, heirs in (handed | before["transfers"]).items():
        for heir, ballots in heirs.items():
            if ballots:
                yield source, heir, ballots

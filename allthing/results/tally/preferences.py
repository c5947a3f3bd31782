"""What the ballots of a poll say about its options, read from them once."""

import functools
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

Rankings = Mapping[tuple[str, ...], int]
Ballots = tuple[str, int]
"""A ranking by the places of its options, best first, as in `2.0.1`; how many ballots hold it."""

Totals = dict[str, int]

EXHAUSTED = "exhausted"
"""Where the ballots go, among transfers, that rank no continuing option."""

MAX_CACHED = 16 * 1024  # rankings, of each number of options
MAX_LIST_OPTIONS = 10  # options, for which a list of counts takes 80 KB


class Preferences:
    """How many ballots rank each option right below each set of other options.

    A ballot counts for an option exactly when all it ranks above that option is out, in whatever
    order. So this table answers what a count asks, for any set of continuing options, without
    another look at the ballots. For n options it has at most n * 2 ** (n - 1) entries.
    """

    def __init__(self, rankings: Rankings, options: Sequence[str]) -> None:
        self._rankings: Callable[[], Rankings] = lambda: rankings
        self._longest = max(map(len, rankings), default=0)
        self._bits = bits = {option: 1 << place for place, option in enumerate(options)}
        self._above = table = {option: defaultdict[int, int](int) for option in options}
        self.total_ballots = 0
        for ranking, ballots in rankings.items():
            above = 0
            for option in ranking:
                bit = bits.get(option, 0)
                if bit & ~above:
                    table[option][above] += ballots
                    above |= bit
            if above:
                self.total_ballots += ballots

    @classmethod
    def of_places(cls, ballots: Iterable[Ballots], options: Sequence[str]) -> "Preferences":
        """Read the same from rankings of valid, distinct options by their places: the fast way.

        A ranking that comes several times counts as often as all of them say.
        """
        self = cls({}, options)
        ballots = list(ballots)
        places = len(options)
        # A list is twice as fast, but has room for any set of options above any other.
        table: Any = [0] * (places << places) if places <= MAX_LIST_OPTIONS else defaultdict(int)
        cells = cells_of(places)
        for ranking, count in ballots:
            for cell in cells[ranking]:
                table[cell] += count
        for cell, count in enumerate(table) if places <= MAX_LIST_OPTIONS else table.items():
            if count:
                above, place = divmod(cell, places)
                self._above[options[place]][above] = count
                self._longest = max(self._longest, above.bit_count() + 1)
        self.total_ballots = sum(table[place] for place in range(places))  # those ranked first
        self._rankings = lambda: by_options(ballots, options)
        return self

    def totals(self, continuing: Sequence[str]) -> Totals:
        """Return how many ballots rank each of `continuing` above the others."""
        mask = sum(self._bits[option] for option in continuing)
        return {option: self._ahead_of(mask, option) for option in continuing}

    def _ahead_of(self, mask: int, option: str) -> int:
        return sum(n for above, n in self._above[option].items() if not above & mask)

    def transfers(self, before: Totals, after: Totals) -> dict[str, Totals]:
        """Return where the ballots go of each option in the totals `before`, not in `after`."""
        leaving = [option for option in before if option not in after]
        if len(leaving) > 1:
            return self._trace(leaving, before, after)
        heirs = {option: n - before[option] for option, n in after.items() if n > before[option]}
        if exhausted := sum(before.values()) - sum(after.values()):
            heirs[EXHAUSTED] = exhausted
        return {leaving[0]: heirs}

    def _trace(self, leaving: Sequence[str], before: Totals, after: Totals) -> dict[str, Totals]:
        # Which of several options a ballot was held by depends on their order, lost in the table.
        moved: dict[str, Totals] = {option: Counter() for option in leaving}
        for ranking, ballots in self._rankings().items():
            holder = next((option for option in ranking if option in before), None)
            if holder in moved:
                heir = next((option for option in ranking if option in after), EXHAUSTED)
                moved[holder][heir] += ballots
        order = [*after, EXHAUSTED]
        return {o: {heir: n[heir] for heir in order if n[heir]} for o, n in moved.items()}

    def by_rank(self) -> dict[str, list[int]]:
        """Return the ballots that rank each option first, second, ... to the longest ranking."""
        result = {option: [0] * self._longest for option in self._bits}
        for option, table in self._above.items():
            for above, ballots in table.items():
                result[option][above.bit_count()] += ballots
        return result

    def pairwise(self, options: Sequence[str]) -> dict[str, Totals]:
        """Return at [a][b] the ballots that prefer a to b; ranked is preferred to unranked."""
        return {
            a: {b: self._ahead_of(self._bits[b], a) for b in options if b != a} for a in options
        }


def by_options(ballots: Iterable[Ballots], options: Sequence[str]) -> Rankings:
    """Return rankings by places as rankings by option ids."""
    rankings: Counter[tuple[str, ...]] = Counter()
    for ranking, count in ballots:
        rankings[tuple(options[int(place)] for place in ranking.split("."))] += count
    return rankings


class Cells(dict[str, tuple[int, ...]]):
    """Where a ranking counts, for each place in it: the set of those above, and itself."""

    def __init__(self, places: int) -> None:
        super().__init__()
        self._places = places

    def __missing__(self, ranking: str) -> tuple[int, ...]:
        if len(self) >= MAX_CACHED:
            self.clear()
        found, above = [], 0
        for place in map(int, ranking.split(".")):
            found.append(above * self._places + place)
            above |= 1 << place
        cells = self[ranking] = tuple(found)
        return cells


@functools.cache
def cells_of(places: int) -> Cells:
    """Return the cells of all rankings of so many options, which are the same for any poll."""
    return Cells(places)


def condorcet_winner(pairwise: Mapping[str, Totals]) -> str | None:
    """Return the option that beats every other head to head; without rivals nobody beats."""
    for option, wins in pairwise.items():
        if wins and all(n > pairwise[rival][option] for rival, n in wins.items()):
            return option
    return None

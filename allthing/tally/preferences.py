"""What the ballots of a poll say about its options, read from them once."""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence

Rankings = Mapping[tuple[str, ...], int]
Totals = dict[str, int]

EXHAUSTED = "exhausted"
"""Where the ballots go, among transfers, that rank no continuing option."""


class Preferences:
    """How many ballots rank each option right below each set of other options.

    A ballot counts for an option exactly when all it ranks above that option is out, in whatever
    order. So this table answers what a count asks, for any set of continuing options, without
    another look at the ballots. For n options it has at most n * 2 ** (n - 1) entries.
    """

    def __init__(self, rankings: Rankings, options: Sequence[str]) -> None:
        self._rankings = rankings
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
        for ranking, ballots in self._rankings.items():
            holder = next((option for option in ranking if option in before), None)
            if holder in moved:
                heir = next((option for option in ranking if option in after), EXHAUSTED)
                moved[holder][heir] += ballots
        order = [*after, EXHAUSTED]
        return {o: {heir: n[heir] for heir in order if n[heir]} for o, n in moved.items()}

    def by_rank(self) -> dict[str, list[int]]:
        """Return the ballots that rank each option first, second, ... to the longest ranking."""
        longest = max(map(len, self._rankings), default=0)
        result = {option: [0] * longest for option in self._bits}
        for option, table in self._above.items():
            for above, ballots in table.items():
                result[option][above.bit_count()] += ballots
        return result

    def pairwise(self, options: Sequence[str]) -> dict[str, Totals]:
        """Return at [a][b] the ballots that prefer a to b; ranked is preferred to unranked."""
        return {
            a: {b: self._ahead_of(self._bits[b], a) for b in options if b != a} for a in options
        }


def condorcet_winner(pairwise: Mapping[str, Totals]) -> str | None:
    """Return the option that beats every other head to head; without rivals nobody beats."""
    for option, wins in pairwise.items():
        if wins and all(n > pairwise[rival][option] for rival, n in wins.items()):
            return option
    return None

"""What a ranked count returns: its records, their JSON, and each round in words.

The JSON has camelCase keys. Percentages are of 100, to two places. "Rule n" is the n-th rule of
the rule set IRV-1; `allthing.results.tally` is where the rules are applied.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from allthing.results.tally.preferences import EXHAUSTED, Totals

RULESET = "IRV-1"

Outcome = Literal["winner", "tie", "no_ballots", "no_active_ballots"]


@dataclass(frozen=True)
class TieBreak:
    """How a tie for fewest votes was settled (rules 9, 10 and 12).

    `left` holds those of `tied` that leave, or that the lot is drawn among. `narrowed` maps each
    earlier round that told the tied options apart to those it left tied, the latest round first.
    """

    tied: tuple[str, ...]
    left: tuple[str, ...]
    method: Literal["batch", "lookback", "lot"]
    narrowed: dict[int, tuple[str, ...]] = field(default_factory=dict)

    def as_dict(self) -> dict[str, object]:
        result: dict[str, object] = {"tied": list(self.tied), "method": self.method}
        if self.method == "lookback":
            result["decidingRound"] = min(self.narrowed)
        if self.method == "lot":
            result["lotAmong"] = list(self.left)
        if self.narrowed:
            result["narrowedByRound"] = {str(n): list(o) for n, o in self.narrowed.items()}
        return result


@dataclass(frozen=True)
class Round:
    """One round: what each continuing option holds, who leaves and where their ballots go.

    `exhausted` counts all ballots that rank no continuing option. `transfers` maps each
    eliminated option to the ballots each heir gets from it, and `"exhausted"`.
    """

    number: int
    totals: Totals
    exhausted: int
    eliminated: tuple[str, ...] = ()
    tie_break: TieBreak | None = None
    transfers: dict[str, Totals] = field(default_factory=dict)

    @property
    def active(self) -> int:
        return sum(self.totals.values())

    @property
    def threshold(self) -> int:
        return majority(self.active)

    @property
    def by_lot(self) -> bool:
        return self.tie_break is not None and self.tie_break.method == "lot"

    def as_dict(self) -> dict[str, object]:
        cast = self.active + self.exhausted
        return {
            "round": self.number,
            "totals": self.totals,
            "active": self.active,
            "threshold": self.threshold,
            "exhausted": self.exhausted,
            "eliminated": list(self.eliminated),
            **({"tieBreak": self.tie_break.as_dict()} if self.tie_break else {}),
            "transfers": self.transfers,
            "percentOfActive": {o: percent(n, self.active) for o, n in self.totals.items()},
            "percentOfAll": {o: percent(n, cast) for o, n in self.totals.items()},
        }


@dataclass(frozen=True)
class Runoff:
    """A ranked count under IRV-1.

    `tie_lookback` is the option of a final tie that was ahead in the latest round that tells the
    tied apart, with the number of that round: advice, never applied. `lot_order` is the order of
    a draw, the first to leave last; `lot_decisive` says whether another draw could have ended
    otherwise. `by_rank` holds the ballots that rank an option first, second, ... to the longest
    ranking; `pairwise[a][b]` the ballots that prefer a to b.
    """

    total_ballots: int
    outcome: Outcome
    winner: str | None
    tied: tuple[str, ...]
    tie_lookback: tuple[str, int] | None
    lot_order: tuple[str, ...]
    lot_decisive: bool
    rounds: tuple[Round, ...]
    by_rank: dict[str, list[int]]
    pairwise: dict[str, Totals]
    condorcet_winner: str | None

    @property
    def decided_by_lot(self) -> bool:
        return any(r.by_lot for r in self.rounds)

    def as_dict(self, labels: Mapping[str, str] | None = None) -> dict[str, Any]:
        """Return the result as JSON; the texts name an option by its label, else by its id."""
        words = _Words(self, labels or {})
        return {
            "ruleset": RULESET,
            "totalBallots": self.total_ballots,
            "outcome": self.outcome,
            "winner": self.winner,
            "tied": list(self.tied),
            **({"tieAdvisory": self._tie_advisory()} if self.tied else {}),
            "decidedByLot": self.decided_by_lot,
            "lotDecisive": self.lot_decisive,
            "lotOrder": list(self.lot_order),
            "rounds": [r.as_dict() | {"text": words.round(r)} for r in self.rounds],
            "rankBreakdown": {
                option: {"byRank": counts, "unranked": self.total_ballots - sum(counts)}
                for option, counts in self.by_rank.items()
            },
            "pairwise": self.pairwise,
            "condorcetWinner": self.condorcet_winner,
        }

    def _tie_advisory(self) -> dict[str, object]:
        lookback = self.tie_lookback
        return {
            "lookback": {"option": lookback[0], "round": lookback[1]} if lookback else None,
            "lot": min(self.tied, key=self.lot_order.index),
        }


def majority(active: int) -> int:
    """Return the fewest ballots that are more than half of the active ones (rule 5)."""
    return active // 2 + 1


def percent(part: int, whole: int) -> float:
    """Return what percentage of `whole` is `part`, to two places; of nothing it is 0."""
    return round(100 * part / whole, 2) if whole else 0.0


class _Words:
    """Tell the rounds of a runoff in English, each option by its label, else by its id."""

    def __init__(self, runoff: Runoff, labels: Mapping[str, str]) -> None:
        self._runoff = runoff
        self._labels = labels

    def round(self, this: Round) -> str:
        opening = (
            f"Round {this.number}: {_ballots(this.active, 'active ')}, {this.threshold} needed."
        )
        if not this.eliminated:
            return f"{opening} {self._ending(this)}"
        departure, transfer = self._departure(this), self._transfer(this)
        return f"{opening} Nobody has a majority. {departure} {transfer}"

    def _ending(self, this: Round) -> str:
        winner, tied = self._runoff.winner, self._runoff.tied
        cast = this.active + this.exhausted
        if tied:
            return f"{self._names(tied)} tie with {this.totals[tied[0]]} each."
        if winner is None:
            return "No ballot ranks an option that still stands."
        name, held = self._names([winner]), this.totals[winner]
        # A bare "100%" of the active ballots would pass for a landslide.
        if held == this.active:
            return f"{name} wins with every active ballot, {held} of all {cast} cast."
        shares = f"{percent(held, this.active)}%; {percent(held, cast)}% of all {cast} cast"
        return f"{name} wins with {held} of {_ballots(this.active, 'active ')} ({shares})."

    def _departure(self, this: Round) -> str:
        leaving, tie_break = self._names(this.eliminated), this.tie_break
        fewest = this.totals[this.eliminated[0]]
        if tie_break is None:
            return f"{leaving} has the fewest ({fewest}) and is eliminated."
        tie = f"{self._names(tie_break.tied)} tie for fewest ({fewest})"
        if tie_break.method == "batch":
            return f"{tie}; even together they have less than the next, so all are eliminated."
        reasons = "; ".join([tie, *self._look_back(tie_break)])
        if tie_break.method == "lookback":
            return f"{reasons}, so {leaving} is eliminated."
        return f"{reasons}; by the draw fixed when the poll opened, {leaving} is eliminated."

    def _look_back(self, tie_break: TieBreak) -> Iterator[str]:
        among = tie_break.tied
        for number, left in tie_break.narrowed.items():
            totals = self._runoff.rounds[number - 1].totals
            others = sorted({totals[option] for option in among if option not in left})
            against = f"{totals[left[0]]} against {_listed(map(str, others))}"
            yield f"{self._names(left)} had fewer in round {number} ({against})"
            among = left

    def _transfer(self, this: Round) -> str:
        moved: Counter[str] = Counter()
        for heirs in this.transfers.values():
            moved.update(heirs)
        owner, holder = ("Its", "It") if len(this.eliminated) == 1 else ("Their", "They")
        if not moved:
            return f"{holder} held no ballots."
        verb = "goes" if moved.total() == 1 else "go"
        places = [f"{self._names([o])} {moved[o]}" for o in this.totals if moved[o]]
        if moved[EXHAUSTED]:
            places.append(f"no further choice {moved[EXHAUSTED]}")
        return f"{owner} {_ballots(moved.total())} {verb} to: {', '.join(places)}."

    def _names(self, options: Iterable[str]) -> str:
        return _listed(self._labels.get(option, option) for option in options)


def _ballots(number: int, kind: str = "") -> str:
    return f"{number} {kind}ballot{'' if number == 1 else 's'}"


def _listed(words: Iterable[str]) -> str:
    *most, last = words
    return f"{', '.join(most)} and {last}" if most else last

"""Count the ballots of one poll: a single choice by plurality, rankings by instant runoff.

Ballots come in grouped, a ranking (option ids, best first) against how many ballots hold it, so a
count costs what its distinct rankings cost. Ids that are not options and later repeats are ignored;
a ranking with nothing left is no ballot. `Preferences.of_places` reads rankings as they are stored,
faster. Results stand in the order of `options`; "rule n" is the n-th of the rule set IRV-1.
"""

import hashlib
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Literal

from allthing.results.tally.preferences import (
    Ballots,
    Preferences,
    Rankings,
    Totals,
    by_options,
    condorcet_winner,
)
from allthing.results.tally.runoff import Outcome, Round, Runoff, TieBreak, majority

__all__ = [
    "Ballots",
    "Plurality",
    "Preferences",
    "Rankings",
    "Runoff",
    "by_options",
    "instant_runoff",
    "lot_order",
    "plurality",
]

FINALISTS = 2  # so few options that are equal end in a tie, whatever the history (rule 8)
MAX_STATES = 10_000  # of a count that are searched to tell whether its draws decided it


@dataclass(frozen=True)
class Plurality:
    """A single-choice count: `winner` has the most ballots, unless several options are `tied`."""

    total_ballots: int
    outcome: Outcome
    winner: str | None
    tied: tuple[str, ...]
    counts: Totals


def plurality(rankings: Rankings | Preferences, options: Sequence[str]) -> Plurality:
    """Count every ballot for its first choice; a single choice is a ranking of one."""
    counts = _preferences(rankings, options).totals(options)
    most = max(counts.values(), default=0)
    leaders = tuple(option for option in options if counts[option] == most > 0)
    outcome: Outcome = "tie" if len(leaders) > 1 else "winner" if leaders else "no_ballots"
    return Plurality(
        total_ballots=sum(counts.values()),
        outcome=outcome,
        winner=leaders[0] if outcome == "winner" else None,
        tied=leaders if outcome == "tie" else (),
        counts=counts,
    )


def _preferences(rankings: Rankings | Preferences, options: Sequence[str]) -> Preferences:
    return rankings if isinstance(rankings, Preferences) else Preferences(rankings, options)


def lot_order(poll_id: str, options: Sequence[str]) -> tuple[str, ...]:
    """Return the options in the order of a draw, which is known before anyone votes (rule 12).

    Of the options that draw, the latest in this order is eliminated.
    """
    return tuple(
        sorted(options, key=lambda o: hashlib.sha256(f"{poll_id}:{o}".encode()).hexdigest())
    )


def instant_runoff(
    rankings: Rankings | Preferences,
    options: Sequence[str],
    poll_id: str,
    withdrawn: Collection[str] = (),
) -> Runoff:
    """Count by IRV-1, skipping `withdrawn` options as if they left before round 1."""
    preferences = _preferences(rankings, options)
    standing = tuple(option for option in options if option not in withdrawn)
    order = lot_order(poll_id, standing)
    rounds, end = _count(preferences, standing, order)
    tied = end.options if end.outcome == "tie" else ()
    pairwise = preferences.pairwise(standing)
    return Runoff(
        total_ballots=preferences.total_ballots,
        outcome=end.outcome,
        winner=end.options[0] if end.outcome == "winner" else None,
        tied=tied,
        tie_lookback=_ahead(tied, [r.totals for r in rounds]) if tied else None,
        lot_order=order,
        lot_decisive=_lot_is_decisive(preferences, rounds, end),
        rounds=tuple(rounds),
        by_rank=preferences.by_rank(),
        pairwise=pairwise,
        condorcet_winner=condorcet_winner(pairwise),
    )


@dataclass(frozen=True)
class _End:
    """The count is over: the winner, the tied or no options at all."""

    outcome: Outcome
    options: tuple[str, ...] = ()


@dataclass(frozen=True)
class _Elimination:
    """The count goes on without `options`, or after a draw without one of them."""

    options: tuple[str, ...]
    tie_break: TieBreak | None = None

    @property
    def branches(self) -> list[tuple[str, ...]]:
        """Return each way it may go: the options that leave together."""
        drawn = self.tie_break is not None and self.tie_break.method == "lot"
        return [(option,) for option in self.options] if drawn else [self.options]


def _count(
    preferences: Preferences, standing: tuple[str, ...], order: Sequence[str]
) -> tuple[list[Round], _End]:
    """Return the rounds of a count and how it ends; `order` settles the draws."""
    rounds: list[Round] = []
    if not preferences.total_ballots:
        return rounds, _End("no_ballots")
    totals = preferences.totals(standing)
    while True:
        exhausted = preferences.total_ballots - sum(totals.values())
        verdict = _judge(totals, [r.totals for r in rounds])
        if isinstance(verdict, _End):
            rounds.append(Round(len(rounds) + 1, totals, exhausted))
            return rounds, verdict
        leaving = max(verdict.branches, key=lambda options: order.index(options[0]))
        after = preferences.totals([option for option in totals if option not in leaving])
        transfers = preferences.transfers(totals, after)
        rounds.append(
            Round(len(rounds) + 1, totals, exhausted, leaving, verdict.tie_break, transfers)
        )
        totals = after


def _judge(totals: Totals, earlier: Sequence[Totals]) -> _End | _Elimination:
    """Apply rules 5 to 12 to a round's totals, given those of the rounds before it."""
    active = sum(totals.values())
    if not active:
        return _End("no_active_ballots")
    leader = max(totals, key=totals.__getitem__)
    if totals[leader] >= majority(active):
        return _End("winner", (leader,))
    fewest = min(totals.values())
    lowest = tuple(option for option, n in totals.items() if n == fewest)
    if len(lowest) == 1:
        return _Elimination(lowest)
    higher = [n for n in totals.values() if n > fewest]
    if higher and len(lowest) * fewest < min(higher):
        return _Elimination(lowest, TieBreak(lowest, lowest, "batch"))
    narrowed = _look_back(lowest, earlier)
    if not higher and (len(lowest) == FINALISTS or not narrowed):
        return _End("tie", lowest)
    left = [lowest, *narrowed.values()][-1]
    method: Literal["lookback", "lot"] = "lookback" if len(left) == 1 else "lot"
    return _Elimination(left, TieBreak(lowest, left, method, narrowed))


def _look_back(tied: tuple[str, ...], earlier: Sequence[Totals]) -> dict[int, tuple[str, ...]]:
    """Return the earlier rounds that narrow `tied`, latest first, with who is left (rule 10)."""
    narrowed: dict[int, tuple[str, ...]] = {}
    for number in range(len(earlier), 0, -1):
        totals = earlier[number - 1]
        fewest = min(totals[option] for option in tied)
        left = tuple(option for option in tied if totals[option] == fewest)
        if left != tied:
            narrowed[number] = tied = left
    return narrowed


def _ahead(tied: tuple[str, ...], earlier: Sequence[Totals]) -> tuple[str, int] | None:
    """Return which of a final tie look-back would keep, and the round that says so (rule 8)."""
    # Three or more only tie in the end if look-back can't narrow them, so `behind` is one of two.
    for number, behind in _look_back(tied, earlier).items():
        return next(option for option in tied if option not in behind), number
    return None


def _lot_is_decisive(preferences: Preferences, rounds: Sequence[Round], end: _End) -> bool:
    """Return whether the draws could have fallen so that the count ends otherwise (rule 13).

    Every branch is followed, each state once. As the question is NP-complete (Conitzer, Rognlie
    and Xia, 2009), so many ties that MAX_STATES is reached count as decisive.
    """
    first = next((place for place, this in enumerate(rounds) if this.by_lot), None)
    if first is None:
        return False
    pending = [[this.totals for this in rounds[: first + 1]]]
    seen: set[tuple[tuple[str, ...], tuple[int, ...]]] = set()
    while pending and len(seen) < MAX_STATES:
        *earlier, totals = history = pending.pop()
        verdict = _decided_early(preferences, totals) or _judge(totals, earlier)
        if isinstance(verdict, _End):
            if verdict != end:
                return True
            continue
        for leaving in verdict.branches:
            continuing = tuple(option for option in totals if option not in leaving)
            state = continuing, _places(continuing, history)
            if state not in seen:
                seen.add(state)
                pending.append([*history, preferences.totals(continuing)])
    return bool(pending)


def _decided_early(preferences: Preferences, totals: Totals) -> _End | None:
    """Return the end if one or two options are sure to outlast the rest, whatever is drawn.

    An option behind them holds most once it alone is left with them. If even then it holds less
    than each of them does now, it leaves before them: totals only grow while an option stands.
    """
    ranked = sorted(totals, key=totals.__getitem__, reverse=True)
    for size in range(1, FINALISTS + 1):
        ahead, behind = ranked[:size], ranked[size:]
        if all(preferences.totals([*ahead, o])[o] < totals[ahead[-1]] for o in behind):
            last = preferences.totals([option for option in totals if option in ahead])
            verdict = _judge(last, ())
            return verdict if isinstance(verdict, _End) else None
    return None


def _places(options: Sequence[str], history: Sequence[Totals]) -> tuple[int, ...]:
    """Return each option's place in the order in which look-back tells `options` apart.

    Narrowing a tie round by round keeps those whose totals, read backwards, come first. So two
    histories that order the options alike have the same future.
    """
    pasts = [[totals[option] for totals in reversed(history)] for option in options]
    ladder = sorted(pasts)
    return tuple(ladder.index(past) for past in pasts)

"""Time the instant runoff over grouped rankings beside a count that goes ballot by ballot.

    python -m bench.tally

A million random ballots of every length are counted at 5, 6 and 8 options, both ways in turn, and
the medians printed. The ballot-by-ballot count only finds the winner, so the ratio is a floor:
the grouped one also makes head-to-heads, rank counts and transfers.
"""

import random
from collections import Counter
from collections.abc import Callable, Sequence
from itertools import permutations
from statistics import median
from time import perf_counter

from allthing.results.tally import instant_runoff

BALLOTS = 1_000_000
REPEATS = 3


def random_ballots(options: Sequence[str], seed: int) -> list[tuple[str, ...]]:
    """Draw BALLOTS rankings, each distinct ranking equally likely: as many distinct as can be."""
    distinct = [
        ranking
        for length in range(1, len(options) + 1)
        for ranking in permutations(options, length)
    ]
    return random.Random(seed).choices(distinct, k=BALLOTS)


def count_ballot_by_ballot(ballots: Sequence[tuple[str, ...]], options: Sequence[str]) -> str:
    """Return the winner the plain way: every round looks through every ballot."""
    continuing = list(options)
    while True:
        totals = dict.fromkeys(continuing, 0)
        for ballot in ballots:
            for option in ballot:
                if option in totals:
                    totals[option] += 1
                    break
        leader = max(totals, key=totals.__getitem__)
        if 2 * totals[leader] > sum(totals.values()):
            return leader
        continuing.remove(min(totals, key=totals.__getitem__))


def milliseconds(work: Callable[[], object]) -> float:
    start = perf_counter()
    work()
    return (perf_counter() - start) * 1000


def race(size: int) -> tuple[int, float, float]:
    """Return the distinct rankings at `size` options and both ways' median times, in ms."""
    options = [f"option-{number}" for number in range(size)]
    ballots = random_ballots(options, seed=size)
    rankings = Counter(ballots)
    grouped, plain = [], []
    for _ in range(REPEATS):
        grouped.append(milliseconds(lambda: instant_runoff(rankings, options, "bench")))
        plain.append(milliseconds(lambda: count_ballot_by_ballot(ballots, options)))
    return len(rankings), median(grouped), median(plain)


def main() -> None:
    print(f"{BALLOTS:,} ballots, medians of {REPEATS}, in milliseconds")
    print("options  distinct  grouped  ballot by ballot  ratio")
    for size in (5, 6, 8):
        distinct, grouped, plain = race(size)
        print(f"{size:7}  {distinct:8,}  {grouped:7.2f}  {plain:16,.0f}  {plain / grouped:5,.0f}")


if __name__ == "__main__":
    main()

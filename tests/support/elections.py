"""Elections to count: worked examples of the rules, and a large one."""

import json
import random
from collections import Counter
from pathlib import Path
from typing import Any

from allthing.results.tally import Rankings

WORKED = Path(__file__).parents[1] / "data" / "worked_elections.json"
LARGE_BALLOTS = 50_000
LARGE_OPTIONS = [f"Option {letter}" for letter in "ABCDEFGHIJ"]

Json = dict[str, Any]


def worked() -> list[Json]:
    """Return examples of IRV-1: options, ballots, and every field of the result.

    They came out of the count when it agreed with worked examples and published elections of
    others; what each is an example of was read off by hand.
    """
    examples: list[Json] = json.loads(WORKED.read_text())
    return examples


def rankings_of(example: Json) -> Rankings:
    return {tuple(ranking): count for count, ranking in example["ballots"]}


def large() -> Rankings:
    """Return many ballots of any length, in which the first options are liked more."""
    chance = random.Random(2031)
    rankings: Counter[tuple[str, ...]] = Counter()
    for _ in range(LARGE_BALLOTS):
        liking = {option: chance.random() ** (1 + n) for n, option in enumerate(LARGE_OPTIONS)}
        order = sorted(LARGE_OPTIONS, key=lambda option, liking=liking: -liking[option])
        rankings[tuple(order[: chance.randint(1, len(order))])] += 1
    return rankings

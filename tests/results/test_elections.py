"""The count against worked examples of IRV-1, and against a naive one on many ballots.

`tests/results/published_elections.py` holds it against elections that others have published.
"""

from itertools import pairwise
from typing import Any

import pytest

from allthing.results.tally import instant_runoff
from tests.results.test_tally_properties import naive_totals, one_by_one
from tests.support.elections import LARGE_OPTIONS, large, rankings_of, worked

POLL = "soups"


@pytest.mark.parametrize("example", worked(), ids=lambda example: example["name"])
def test_a_worked_example_comes_out_in_every_field(example: dict[str, Any]) -> None:
    count = instant_runoff(rankings_of(example), example["options"], POLL, example["withdrawn"])

    assert_same(count.as_dict(), example["expected"])


def assert_same(actual: Any, expected: Any, *place: object) -> None:
    """Assert that two results are equal, and told in the same order, which == does not see."""
    if isinstance(expected, dict):
        assert list(actual) == list(expected), place
        for name, value in expected.items():
            assert_same(actual[name], value, *place, name)
    elif isinstance(expected, list):
        assert len(actual) == len(expected), place
        for number, value in enumerate(expected):
            assert_same(actual[number], value, *place, number)
    else:
        assert actual == expected, place


def test_every_way_to_break_a_tie_and_to_end_has_its_example() -> None:
    results = [example["expected"] for example in worked()]
    breaks = [this.get("tieBreak") for result in results for this in result["rounds"]]

    assert {tie["method"] for tie in breaks if tie} == {"batch", "lookback", "lot"}
    assert {result["outcome"] for result in results} == {
        "winner",
        "tie",
        "no_ballots",
        "no_active_ballots",
    }
    assert {result["lotDecisive"] for result in results} == {True, False}


def test_many_ballots_are_counted_and_transferred_one_by_one() -> None:
    rankings = large()
    count = instant_runoff(rankings, LARGE_OPTIONS, POLL)
    cast = one_by_one(rankings)

    assert len(count.rounds) > 3
    for this in count.rounds:
        assert this.totals == naive_totals(cast, list(this.totals))
    for before, after in pairwise(count.rounds):
        for option, total in after.totals.items():
            gained = sum(heirs.get(option, 0) for heirs in before.transfers.values())
            assert total == before.totals[option] + gained

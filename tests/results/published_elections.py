"""The count against elections that others have published. No part of `make test`.

`make elections FOLDER=…` runs it on a folder that has `irv-vectors.json`, worked examples of IRV-1,
and `elections/*.json`, real ballots with the rounds that were published. Their licences are others
than ours, so they are not in this repository.
"""

import json
import os
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from allthing.results.tally import Rankings, instant_runoff
from allthing.results.tally.preferences import Preferences

FOLDER = Path(os.environ["ELECTIONS"])


def vectors() -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads((FOLDER / "irv-vectors.json").read_text())["vectors"]
    return found


def elections() -> dict[str, dict[str, Any]]:
    return {
        path.stem: json.loads(path.read_text())
        for path in sorted((FOLDER / "elections").glob("*.json"))
    }


def grouped(election: dict[str, Any]) -> Rankings:
    options = election["options"]
    return {tuple(options[i] for i in places): count for count, places in election["ballots"]}


def assert_tells(actual: dict[str, Any], expected: dict[str, Any]) -> None:
    """Assert that every key of `expected` stands in `actual`; counts to the unit, % to 0.01."""
    for key, value in expected.items():
        if key == "tieBreak":
            assert_tells(actual[key], value)
        elif key == "percentOfActive":
            assert actual[key] == pytest.approx(value, abs=0.01)
        else:
            assert actual[key] == value, key
            # A mapping must also stand in ballot order, which == does not see.
            assert not isinstance(value, dict) or list(actual[key]) == list(value), key


def assert_rounds_tell(actual: list[dict[str, Any]], expected: list[dict[str, Any]]) -> None:
    assert len(actual) == len(expected)
    for got, want in zip(actual, expected, strict=True):
        assert ("tieBreak" in got) == ("tieBreak" in want)
        assert_tells(got, want)


@pytest.mark.parametrize("vector", vectors(), ids=lambda vector: vector["name"])
def test_a_worked_example_comes_out_in_every_field(vector: dict[str, Any]) -> None:
    rankings = {tuple(ranking): count for count, ranking in vector["ballots"]}
    count = instant_runoff(
        rankings, vector["options"], vector["pollId"], vector.get("withdrawn", ())
    )
    result: dict[str, Any] = count.as_dict()
    expected = dict(vector["expected"])
    assert_rounds_tell(result["rounds"], expected.pop("rounds"))
    assert_tells(result, expected)
    assert ("tieAdvisory" in result) == ("tieAdvisory" in expected)


@pytest.mark.parametrize(
    ("election", "published"),
    [
        pytest.param(election, published, id=f"{name}-round{number}")
        for name, election in elections().items()
        for number, published in enumerate(election["expected"]["rounds"], 1)
    ],
)
def test_a_published_round_has_our_totals(
    election: dict[str, Any], published: dict[str, Any]
) -> None:
    # Totals follow from who continues alone, so a round is a first round with the rest withdrawn.
    out = set(election["options"]) - set(published["totals"])
    first = instant_runoff(grouped(election), election["options"], "published", out).rounds[0]
    assert first.totals == published["totals"]
    assert first.exhausted == published["exhausted"]
    assert first.threshold == published.get("threshold", first.threshold)


@pytest.mark.parametrize("election", elections().values(), ids=elections())
def test_published_transfers_are_ours(election: dict[str, Any]) -> None:
    preferences = Preferences(grouped(election), election["options"])
    rounds = election["expected"]["rounds"]
    for before, after in pairwise(rounds):
        ours = preferences.transfers(before["totals"], after["totals"])
        assert ours == before.get("transfers", ours)


@pytest.mark.parametrize(
    "name", [name for name, election in elections().items() if "our_rules" in election]
)
def test_a_real_election_runs_as_our_rules_have_it(name: str) -> None:
    election = elections()[name]
    count = instant_runoff(grouped(election), election["options"], name)
    result: dict[str, Any] = count.as_dict()
    ours = election["our_rules"]
    assert_rounds_tell(result["rounds"], ours["rounds"])
    assert_tells(result, {key: ours[key] for key in ("outcome", "winner", "decidedByLot")})
    assert result["winner"] == election["expected"]["winner"]
    assert result["totalBallots"] == election["ballot_count"]
    assert result["condorcetWinner"] == election.get("condorcet_winner", result["condorcetWinner"])


def test_a_final_tie_that_the_publisher_drew_is_reported() -> None:
    election = elections()["rctab_lookback_synthetic"]
    count = instant_runoff(grouped(election), election["options"], "synthetic")
    assert count.outcome == "tie"
    assert count.tied == ("Sneezy", "Dopey")
    assert [r.eliminated for r in count.rounds] == [("Happy",), ("Grumpy",), ()]

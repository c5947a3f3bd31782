"""A ranked count told in words."""

from typing import Any

import pytest

from allthing.results.tally import instant_runoff
from tests.results.test_tally import POLL, ballots


@pytest.mark.parametrize(
    ("cast", "number", "text"),
    [
        pytest.param(
            "5 AD, 4 BA, 3 CB, 1 DCB",
            2,
            "Round 2: 13 active ballots, 7 needed. Nobody has a majority. Blue and Green tie for "
            "fewest (4); Green had fewer in round 1 (3 against 4), so Green is eliminated. "
            "Its 4 ballots go to: Blue 4.",
            id="look-back",
        ),
        pytest.param(
            "8 A, 5 B, 1 C",
            1,
            "Round 1: 14 active ballots, 8 needed. "
            "A wins with 8 of 14 active ballots (57.14%; 57.14% of all 14 cast).",
            id="win",
        ),
        pytest.param(
            "1 A",
            1,
            "Round 1: 1 active ballot, 1 needed. A wins with every active ballot, 1 of all 1 cast.",
            id="never a bare 100%",
        ),
        pytest.param(
            "3 A, 2 BA, 2 CA, 2 D",
            1,
            "Round 1: 9 active ballots, 5 needed. Nobody has a majority. Blue, Green and D tie for "
            "fewest (2); by the draw fixed when the poll opened, Blue is eliminated. "
            "Its 2 ballots go to: A 2.",
            id="lot",
        ),
        pytest.param(
            "6 A, 5 B, 1 C, 1 DB",
            1,
            "Round 1: 13 active ballots, 7 needed. Nobody has a majority. Green and D tie for "
            "fewest (1); even together they have less than the next, so all are eliminated. "
            "Their 2 ballots go to: Blue 1, no further choice 1.",
            id="batch",
        ),
        pytest.param(
            "1 A, 1 B",
            2,
            "Round 2: 2 active ballots, 2 needed. A and Blue tie with 1 each.",
            id="tie",
        ),
        pytest.param(
            "1 A, 1 B",
            1,
            "Round 1: 2 active ballots, 2 needed. Nobody has a majority. Green and D tie for "
            "fewest (0); even together they have less than the next, so all are eliminated. "
            "They held no ballots.",
            id="nothing to transfer",
        ),
    ],
)
def test_a_round_is_told_in_words(cast: str, number: int, text: str) -> None:
    count = instant_runoff(ballots(cast), "ABCD", POLL)
    result: dict[str, Any] = count.as_dict(labels={"B": "Blue", "C": "Green"})
    assert result["rounds"][number - 1]["text"] == text

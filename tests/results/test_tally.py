"""The count, rule by rule, on small tables."""

from hashlib import sha256
from typing import Any

import pytest

from allthing.results import tally
from allthing.results.tally import instant_runoff, lot_order, plurality

POLL = "poll"


def ballots(text: str) -> dict[tuple[str, ...], int]:
    """Read `"5 AP, 4 COA"` as five ballots A, P and four C, O, A."""
    groups = [group.split() for group in text.split(",")]
    return {tuple(ranking): int(count) for count, ranking in groups}


@pytest.mark.parametrize(
    ("cast", "outcome", "winner", "tied"),
    [
        pytest.param("2 B, 1 C", "winner", "B", (), id="most ballots win"),
        pytest.param("2 C, 2 A", "tie", None, ("A", "C"), id="equal firsts tie"),
        pytest.param("3 Z", "no_ballots", None, (), id="unknown options are no ballots"),
    ],
)
def test_a_single_choice_is_won_by_most_ballots(
    cast: str, outcome: str, winner: str | None, tied: tuple[str, ...]
) -> None:
    count = plurality(ballots(cast), "ABC")
    assert (count.outcome, count.winner, count.tied) == (outcome, winner, tied)


def test_single_choice_counts_stand_in_ballot_order() -> None:
    count = plurality(ballots("1 C, 3 A, 2 Z"), "BCA")
    assert list(count.counts.items()) == [("B", 0), ("C", 1), ("A", 3)]
    assert count.total_ballots == 4


def test_the_worked_example_of_the_contract_is_won_from_behind() -> None:
    count = instant_runoff(ballots("5 AP, 4 COA, 3 OC"), "ACOP", POLL)
    assert [(r.totals, r.eliminated) for r in count.rounds] == [
        ({"A": 5, "C": 4, "O": 3, "P": 0}, ("P",)),
        ({"A": 5, "C": 4, "O": 3}, ("O",)),
        ({"A": 5, "C": 7}, ()),
    ]
    assert count.winner == "C"
    assert count.by_rank["A"] == [5, 0, 4]


def test_exactly_half_does_not_win() -> None:
    count = instant_runoff(ballots("5 A, 3 B, 2 CA"), "ABC", POLL)
    assert [r.threshold for r in count.rounds] == [6, 6]
    assert count.winner == "A"


def test_a_majority_is_of_the_ballots_still_active() -> None:
    count = instant_runoff(ballots("4 A, 3 B, 2 C"), "ABC", POLL)
    last: dict[str, Any] = count.rounds[-1].as_dict()
    assert (count.winner, last["threshold"], last["exhausted"]) == ("A", 4, 2)
    assert last["percentOfActive"] == {"A": 57.14, "B": 42.86}
    assert last["percentOfAll"] == {"A": 44.44, "B": 33.33}


def test_no_ballots_have_no_rounds() -> None:
    count = instant_runoff(ballots("3 Z"), "ABC", POLL)
    assert (count.outcome, count.total_ballots, count.rounds) == ("no_ballots", 0, ())


def test_ballots_for_withdrawn_options_alone_elect_nobody() -> None:
    count = instant_runoff(ballots("3 C"), "ABC", POLL, withdrawn="C")
    assert (count.outcome, count.winner, count.total_ballots) == ("no_active_ballots", None, 3)
    assert [(r.active, r.exhausted) for r in count.rounds] == [(0, 3)]


def test_an_only_option_wins_but_beats_nobody() -> None:
    count = instant_runoff(ballots("2 A"), "A", POLL)
    assert (count.winner, count.condorcet_winner) == ("A", None)


def test_a_batch_tells_whose_ballots_went_where() -> None:
    count = instant_runoff(ballots("9 A, 8 B, 2 CDB, 1 DCA, 1 D"), "ABCD", POLL)
    assert count.rounds[0].eliminated == ("C", "D")
    assert count.rounds[0].transfers == {"C": {"B": 2}, "D": {"A": 1, "exhausted": 1}}


def test_look_back_may_narrow_a_tie_before_the_lot() -> None:
    cast = ballots("9 A, 3 B, 3 C, 4 D, 1 EB, 1 FC")
    count = instant_runoff(cast, "ABCDEF", POLL)
    drawn = next(r for r in count.rounds if r.by_lot)
    assert drawn.tie_break is not None
    assert drawn.tie_break.as_dict() == {
        "tied": ["B", "C", "D"],
        "method": "lot",
        "lotAmong": ["B", "C"],
        "narrowedByRound": {"1": ["B", "C"]},
    }
    assert drawn.eliminated == (max("BC", key=count.lot_order.index),)


def test_the_lot_order_is_that_of_the_hashes() -> None:
    assert lot_order(POLL, "ABCD") == ("A", "D", "C", "B")
    hashes = [sha256(f"{POLL}:{option}".encode()).hexdigest() for option in "ADCB"]
    assert hashes == sorted(hashes)


def test_a_final_tie_elects_nobody_and_gives_advice() -> None:
    count = instant_runoff(ballots("5 A, 4 B, 1 CB"), "ABC", POLL)
    result = count.as_dict()
    assert (count.outcome, count.winner, count.tied) == ("tie", None, ("A", "B"))
    assert result["tieAdvisory"] == {"lookback": {"option": "A", "round": 1}, "lot": "A"}


def test_a_lot_among_many_with_a_clear_leader_is_not_decisive() -> None:
    # Unless the recount sees that A and B outlast the rest, it has 2 ** 28 sets to visit.
    singles = [str(number) for number in range(28)]
    options = ["A", "B", *singles]
    cast = ballots("5 A, 4 B") | {(single, "AB"[int(single) % 2]): 1 for single in singles}
    count = instant_runoff(cast, options, POLL)
    assert (count.winner, count.decided_by_lot, count.lot_decisive) == ("A", True, False)


def test_more_draws_than_can_be_recounted_count_as_decisive(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(tally, "MAX_STATES", 3)
    cast = ballots("7 A, 6 B, 5 C, 1 DA, 1 EB, 1 FC, 1 GA, 1 HB, 1 IC")
    count = instant_runoff(cast, "ABCDEFGHI", POLL)
    assert count.lot_decisive

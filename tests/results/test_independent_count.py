"""Our files, read and counted by programs of others: they have to find our winners and rounds.

votelib reads BLT and counts it; PrefLib's own tools read SOI, for pyrankvote to count; rcvformats
is what RCVis reads results with. None of them settles ties as we do, so random polls have none.
"""

import json
import random
from collections import Counter
from collections.abc import Iterator

import pytest
from flask import Flask
from preflibtools.instances import OrdinalInstance
from pyrankvote import Ballot, Candidate, instant_runoff_voting
from rcvformats.schemas.universaltabulator import SchemaV0
from votelib.evaluate.sequential import TransferableVoteSelector
from votelib.io import blt as votelib_blt

from allthing.results.exports import GroupedBallots, blt, group_ballots, rctab_csv, soi
from allthing.results.tally import Rankings, Runoff, instant_runoff
from tests.conftest import ROOT
from tests.polls.test_exports import fetch, read_csv
from tests.support.api import Polls
from tests.support.elections import LARGE_OPTIONS, large, rankings_of, worked

POLLS = 300
DAY = "2031-05-04"
UNTIED = {  # even if one goes on until a single option is left, as votelib does
    "a majority at once",
    "a transfer decides",
    "exactly half is not enough",
    "a majority of those still active",
    "the centre is squeezed",
    "long ballots",
}


def has_ties(count: Runoff) -> bool:
    return count.outcome != "winner" or any(this.tie_break for this in count.rounds)


def random_polls() -> Iterator[tuple[list[str], Rankings]]:
    """Yield polls without ties in which every option is somebody's first choice."""
    chance = random.Random(20)
    for _ in range(POLLS):
        options = [f"Option {letter}" for letter in "ABCDEFG"[: chance.randint(2, 7)]]
        rankings: Counter[tuple[str, ...]] = Counter()
        for _ in range(chance.randint(20, 200)):
            rankings[tuple(chance.sample(options, chance.randint(1, len(options))))] += 1
        firsts = {ranking[0] for ranking in rankings}
        if len(firsts) == len(options) and not has_ties(instant_runoff(rankings, options, "p")):
            yield options, rankings


def known_polls() -> Iterator[tuple[list[str], Rankings]]:
    """Yield the worked examples that never come to a tie, and a large poll."""
    for example in worked():
        if example["name"] in UNTIED:
            yield example["options"], rankings_of(example)
    yield LARGE_OPTIONS, large()


def boxed(options: list[str], rankings: Rankings) -> GroupedBallots:
    return group_ballots("Best soup", DAY, {option: option for option in options}, rankings)


def read_soi(text: str) -> OrdinalInstance:
    read = OrdinalInstance()
    read.parse_str(text, "soi")
    return read


def counts_in(read: OrdinalInstance) -> dict[tuple[int, ...], int]:
    return {tuple(place for (place,) in order): n for order, n in read.multiplicity.items()}


def assert_votelib_has_our_rounds(options: list[str], rankings: Rankings) -> None:
    count = instant_runoff(rankings, options, "p")
    votes, seats, candidates, title = votelib_blt.loads(blt(boxed(options, rankings)))
    assert ([c.name for c in candidates], seats, title) == (options, 1, "Best soup")
    program = TransferableVoteSelector(quota_function=None)
    ours = {frozenset(this.totals): (this.totals, this.exhausted) for this in count.rounds}
    for number in range(1, len(count.rounds)):  # it may eliminate several at once, then it is ahead
        totals, _ = program.nth_count(votes, 1, number)
        exhausted = totals.pop(None, 0)
        named = {c.name: n for c, n in totals.items()}
        assert ours[frozenset(named)] == (named, exhausted)
    assert [winner.name for winner in program.evaluate(votes)] == [count.winner]


def assert_pyrankvote_has_our_winner(options: list[str], rankings: Rankings) -> None:
    read = read_soi(soi(boxed(options, rankings)))
    candidates = {place: Candidate(name) for place, name in read.alternatives_name.items()}
    cast = [
        Ballot([candidates[place] for place in ranking])
        for ranking, n in counts_in(read).items()
        for _ in range(n)
    ]
    (winner,) = instant_runoff_voting(list(candidates.values()), cast).get_winners()
    assert winner.name == instant_runoff(rankings, options, "p").winner


def test_random_polls_are_many_and_take_several_rounds() -> None:
    counts = [instant_runoff(rankings, options, "p") for options, rankings in random_polls()]

    assert len(counts) > POLLS / 3
    assert sum(len(count.rounds) > 2 for count in counts) > POLLS / 6


def test_votelib_finds_our_rounds_in_the_blt_of_random_polls() -> None:
    for options, rankings in random_polls():
        assert_votelib_has_our_rounds(options, rankings)


def test_pyrankvote_finds_our_winner_in_the_soi_of_random_polls() -> None:
    for options, rankings in random_polls():
        assert_pyrankvote_has_our_winner(options, rankings)


def test_both_agree_with_us_on_polls_that_are_known() -> None:
    polls = list(known_polls())

    assert len(polls) == len(UNTIED) + 1
    for options, rankings in polls:
        assert_votelib_has_our_rounds(options, rankings)
        assert_pyrankvote_has_our_winner(options, rankings)


def test_every_file_of_a_large_poll_has_every_ballot() -> None:
    rankings = large()
    box = boxed(LARGE_OPTIONS, rankings)
    cast = {tuple(LARGE_OPTIONS.index(o) + 1 for o in r): n for r, n in rankings.items()}

    names, from_csv = read_csv(rctab_csv(box))
    from_soi = read_soi(soi(box))
    from_blt, _, candidates, _ = votelib_blt.loads(blt(box))

    assert (names, from_csv) == (LARGE_OPTIONS, cast)
    assert list(from_soi.alternatives_name.values()) == LARGE_OPTIONS
    assert (counts_in(from_soi), from_soi.num_voters) == (cast, sum(cast.values()))
    assert {tuple(c.number for c in ranking): n for ranking, n in from_blt.items()} == cast
    assert [c.name for c in candidates] == LARGE_OPTIONS


@pytest.mark.parametrize(
    "cast",
    [
        pytest.param([("A", "B")] * 3 + [("B", "A")] * 2 + [("C", "B")] * 2, id="winner"),
        pytest.param([("A", "B")] * 3 + [("B", "C")] * 3 + [("C", "D")], id="tie"),
        pytest.param([("A", "B")] * 4 + [("B", "A")] * 3 + [("C", "B"), ("D", "E")], id="batch"),
    ],
)
def test_rcvis_takes_our_summary(app: Flask, polls: Polls, cast: list[tuple[str, ...]]) -> None:
    poll = polls.closed(*cast, pollType="RANKED", options=tuple("ABCDE"))
    schema = SchemaV0()

    assert schema.validate(json.loads(fetch(app, poll, "results.rctab.json"))), schema.last_error()


def test_the_worked_tie_of_the_document_is_as_it_says() -> None:
    text = (ROOT / "docs" / "ranked-choice.md").read_text().replace("\n> ", " ")
    cast = {("Red",): 5, ("Blue", "Green"): 4, ("Green", "Blue"): 3, ("Brown", "Green"): 1}

    count = instant_runoff(cast, ["Red", "Blue", "Green", "Brown"], "p")

    assert [this["text"] in text for this in count.as_dict()["rounds"]] == [True] * 3


def test_names_of_any_kind_reach_the_reader(app: Flask, polls: Polls) -> None:
    names = ('Pea "1"', "# Leek, white", "=Beet", "2 1 0")
    cast = [("# Leek, white", "=Beet")] * 2 + [("2 1 0", 'Pea "1"')]
    poll = polls.closed(*cast, pollType="RANKED", options=names)

    read = read_soi(fetch(app, poll, "ballots.soi"))
    votes, _, candidates, _ = votelib_blt.loads(fetch(app, poll, "ballots.blt"))

    assert tuple(read.alternatives_name.values()) == names
    assert [c.name for c in candidates] == ["Pea '1'", *names[1:]]
    assert counts_in(read) == {(2, 3): 2, (4, 1): 1}
    assert {tuple(c.number for c in ranking): n for ranking, n in votes.items()} == {
        (2, 3): 2,
        (4, 1): 1,
    }

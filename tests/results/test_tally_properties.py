"""What holds of every count, tried on random polls beside a second, naive count.

The naive count goes through every ballot in every round, and follows every branch of every draw.
"""

import json
from collections.abc import Iterator, Sequence
from itertools import pairwise

from hypothesis import example, given, settings
from hypothesis import strategies as st

from allthing.results.tally import Preferences, Rankings, by_options, instant_runoff, plurality
from tests.results.test_tally import POLL, ballots

Poll = tuple[Sequence[str], Rankings]
End = tuple[str, tuple[str, ...]]


@st.composite
def polls(draw: st.DrawFn) -> Poll:
    """Draw options and grouped ballots: few, so that ties are common."""
    options = list("ABCDE"[: draw(st.integers(1, 5))])
    ranking = st.permutations(options).flatmap(
        lambda order: st.integers(1, len(order)).map(lambda length: tuple(order[:length]))
    )
    return options, draw(st.dictionaries(ranking, st.integers(1, 4), max_size=9))


def one_by_one(rankings: Rankings) -> list[tuple[str, ...]]:
    return [ranking for ranking, count in rankings.items() for _ in range(count)]


def naive_totals(cast: Sequence[tuple[str, ...]], continuing: Sequence[str]) -> dict[str, int]:
    totals = dict.fromkeys(continuing, 0)
    for ballot in cast:
        for option in ballot:
            if option in totals:
                totals[option] += 1
                break
    return totals


def naive_step(history: list[dict[str, int]], *, batch: bool) -> tuple[str, list[str]]:
    """Judge the last round of `history` in the words and the order of rules 5 to 12."""
    totals = history[-1]
    for option, votes in totals.items():
        if 2 * votes > sum(totals.values()):
            return "winner", [option]
    if not any(totals.values()):
        return "no_active_ballots", []
    lowest = [option for option in totals if totals[option] == min(totals.values())]
    if len(lowest) == len(totals) == 2:
        return "tie", lowest
    others = [totals[option] for option in totals if option not in lowest]
    if len(lowest) == 1 or (
        batch and others and sum(totals[option] for option in lowest) < min(others)
    ):
        return "eliminate", lowest
    left = lowest
    for past in history[-2::-1]:
        left = [option for option in left if past[option] == min(past[o] for o in left)]
    if len(left) == len(totals):
        return "tie", left
    return "draw" if len(left) > 1 else "eliminate", left


def naive_ends(
    cast: Sequence[tuple[str, ...]], history: list[dict[str, int]], *, batch: bool = True
) -> Iterator[End]:
    """Yield how the count ends in each branch of its draws."""
    step, options = naive_step(history, batch=batch)
    if step not in ("eliminate", "draw"):
        yield step, tuple(options)
        return
    for leaving in [[option] for option in options] if step == "draw" else [options]:
        continuing = [option for option in history[-1] if option not in leaving]
        after = naive_totals(cast, continuing)
        yield from naive_ends(cast, [*history, after], batch=batch)


thoroughly = settings(max_examples=100)


@thoroughly
@given(polls(), st.sets(st.sampled_from("ABCDE")))
def test_every_round_keeps_every_ballot(poll: Poll, withdrawn: set[str]) -> None:
    options, rankings = poll
    count = instant_runoff(rankings, options, POLL, withdrawn)
    assert all(r.active + r.exhausted == sum(rankings.values()) for r in count.rounds)
    for before, after in pairwise(count.rounds):
        moved = {option: sum(heirs.values()) for option, heirs in before.transfers.items()}
        assert moved == {option: before.totals[option] for option in before.eliminated}
        for option, held in after.totals.items():
            gained = sum(heirs.get(option, 0) for heirs in before.transfers.values())
            assert held == before.totals[option] + gained


@thoroughly
@given(polls(), st.sets(st.sampled_from("ABCDE")))
# Draws that reach the same options by other histories, which look-back tells apart.
@example(
    ("ABCDEFG", ballots("1 FDG, 1 ABF, 1 FA, 2 B, 1 DFB, 1 D, 1 EBG, 2 AFG, 3 GFA, 2 BD")), set()
)
@example(
    ("ABCDEF", ballots("4 EF, 1 CBA, 2 DC, 1 DFE, 1 A, 2 DE, 1 BCF, 4 B, 1 CF, 2 FED, 1 D")), set()
)
def test_the_naive_count_agrees(poll: Poll, withdrawn: set[str]) -> None:
    options, rankings = poll
    count = instant_runoff(rankings, options, POLL, withdrawn)
    cast = one_by_one(rankings)
    history: list[dict[str, int]] = []
    for this in count.rounds:
        history.append(naive_totals(cast, list(this.totals)))
        step, chosen = naive_step(history, batch=True)
        assert this.totals == history[-1]
        if step == "draw":
            chosen = [max(chosen, key=count.lot_order.index)]
        if this.eliminated:
            assert this.by_lot == (step == "draw")
            assert list(this.eliminated) == chosen
        else:
            assert step == count.outcome
            assert chosen == [*count.tied, *filter(None, [count.winner])]
    ends = set(naive_ends(cast, history[:1])) if history else set()
    assert count.lot_decisive == (len(ends) > 1)


@thoroughly
@given(polls())
def test_ranks_and_head_to_heads_are_those_of_the_ballots(poll: Poll) -> None:
    options, rankings = poll
    count = instant_runoff(rankings, options, POLL)
    cast = one_by_one(rankings)
    for option, ranks in count.by_rank.items():
        assert ranks == [
            sum(b[rank : rank + 1] == (option,) for b in cast) for rank in range(len(ranks))
        ]
    for a, wins in count.pairwise.items():
        for b in wins:
            assert wins[b] == naive_totals(cast, [a, b])[a]
    beats_all = [
        a
        for a in options
        if all(count.pairwise[a][b] > count.pairwise[b][a] for b in count.pairwise[a])
    ]
    assert count.condorcet_winner == (beats_all[0] if beats_all and len(options) > 1 else None)


@thoroughly
@given(polls(), st.permutations("ABCDE"))
def test_neither_ids_nor_their_order_matter_without_a_draw(poll: Poll, order: list[str]) -> None:
    options, rankings = poll
    count = instant_runoff(rankings, options, POLL)
    renamed = {option: f"option {order.index(option)}" for option in options}
    again = instant_runoff(
        {tuple(renamed[option] for option in ranking): n for ranking, n in rankings.items()},
        sorted(renamed.values()),
        "another poll",
    )
    if not count.decided_by_lot:
        assert again.outcome == count.outcome
        assert again.winner == renamed.get(count.winner or "")
        assert set(again.tied) == {renamed[option] for option in count.tied}
    assert again.lot_decisive == count.lot_decisive


@thoroughly
@given(polls())
def test_a_batch_never_changes_the_end(poll: Poll) -> None:
    options, rankings = poll
    count = instant_runoff(rankings, options, POLL)
    methods = {r.tie_break.method for r in count.rounds if r.tie_break}
    # Leaving one by one makes more rounds to look back on, so only counts without look-back tell.
    if methods == {"batch"}:
        cast = one_by_one(rankings)
        ends = set(naive_ends(cast, [naive_totals(cast, options)], batch=False))
        assert ends == {(count.outcome, tuple(filter(None, [count.winner])) or count.tied)}


@given(polls())
def test_the_result_is_json(poll: Poll) -> None:
    options, rankings = poll
    result = instant_runoff(rankings, options, POLL).as_dict()
    assert json.loads(json.dumps(result)) == result


@given(polls(), st.integers(-3, 3), st.booleans())
def test_rankings_by_places_in_whatever_parts_count_the_same(
    poll: Poll, shift: int, also_vanished: bool
) -> None:
    options, rankings = poll
    places = {option: str(place) for place, option in enumerate(options)}
    texts = {".".join(places[o] for o in ranking): count for ranking, count in rankings.items()}
    parts = [(text, count - shift) for text, count in texts.items()]
    parts += [(text, shift) for text in reversed(texts)]
    if also_vanished:
        longest = ".".join(places.values())
        parts += [(longest, 2), (longest, -2)]

    preferences = Preferences.of_places(parts, options)

    counted = instant_runoff(preferences, options, POLL)
    assert counted == instant_runoff(rankings, options, POLL)
    assert plurality(preferences, options) == plurality(rankings, options)
    assert by_options(texts.items(), options) == rankings

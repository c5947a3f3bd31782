"""Ballots and results of closed polls, as files that others count again."""

import csv
import io
import json
import re
from collections import Counter

import pytest
from flask import Flask
from werkzeug.test import TestResponse

from allthing.results.exports import blt, group_ballots, rctab_csv, soi
from tests.conftest import AppFactory
from tests.support.api import Json, Polls
from tests.support.routes import assert_refused

FILES = ("ballots.blt", "ballots.soi", "ballots.csv", "results.rctab.json")
SOUPS = {"pollType": "RANKED", "options": ("Leek", "Pea", "Beet")}
CAST = [("Pea", "Leek"), ("Leek", "Pea", "Beet"), ("Pea", "Leek"), ("Beet", "Leek")]
NASTY = ('Say "aye"', "Yes, please", "C# \\", "=1+1", "-5", "@home", "'=1+1", "C# \\")


def answer_of(app: Flask, poll: Json, file: str) -> TestResponse:
    return app.test_client().get(f"/polls/{poll['pollId']}/{file}")


def fetch(app: Flask, poll: Json, file: str) -> str:
    response = answer_of(app, poll, file)
    assert response.status_code == 200, response.text
    return response.text


def why_refused(app: Flask, poll: Json, file: str) -> str:
    response = answer_of(app, poll, file)
    assert_refused(response, 409, origin=None)
    return response.json["detail"]


def read_csv(text: str) -> tuple[list[str], Counter[tuple[int, ...]]]:
    """Return the names and the rankings, as numbers of columns from 1."""
    names, *rows = csv.reader(io.StringIO(text, newline=""))
    rankings: Counter[tuple[int, ...]] = Counter()
    for row in rows:
        ranks = {int(rank): number for number, rank in enumerate(row, 1) if rank}
        rankings[tuple(ranks[rank] for rank in range(1, len(ranks) + 1))] += 1
    return names, rankings


def test_blt_has_grouped_rankings_and_names(app: Flask, polls: Polls) -> None:
    poll = polls.closed(*CAST, **SOUPS, title="Best soup")

    assert fetch(app, poll, "ballots.blt").splitlines() == [
        "3 1",
        "2 2 1 0",
        "1 1 2 3 0",
        "1 3 1 0",
        "0",
        '"Leek"',
        '"Pea"',
        '"Beet"',
        '"Best soup"',
    ]


def test_soi_has_grouped_rankings_and_names(app: Flask, polls: Polls) -> None:
    poll = polls.closed(*CAST, **SOUPS, title="Best soup")

    lines = fetch(app, poll, "ballots.soi").splitlines()

    assert lines[-3:] == ["2: 2,1", "1: 1,2,3", "1: 3,1"]
    head = dict(line.removeprefix("# ").split(":", 1) for line in lines if line.startswith("#"))
    assert {name: value.strip() for name, value in head.items() if value} == {
        "TITLE": "Best soup",
        "DATA TYPE": "soi",
        "MODIFICATION TYPE": "original",
        "PUBLICATION DATE": poll["closeDate"],
        "MODIFICATION DATE": poll["closeDate"],
        "NUMBER ALTERNATIVES": "3",
        "NUMBER VOTERS": "4",
        "NUMBER UNIQUE ORDERS": "3",
        "ALTERNATIVE NAME 1": "Leek",
        "ALTERNATIVE NAME 2": "Pea",
        "ALTERNATIVE NAME 3": "Beet",
    }


def test_csv_has_a_row_per_ballot_and_ranks_in_its_cells(app: Flask, polls: Polls) -> None:
    poll = polls.closed(*CAST, **SOUPS)

    lines = fetch(app, poll, "ballots.csv").splitlines()

    assert lines == ["Leek,Pea,Beet", "2,1,", "2,1,", "1,2,3", "2,,1"]


def test_summary_tells_the_rounds_as_rctab_does(app: Flask, polls: Polls) -> None:
    cast = [("Leek", "Pea"), ("Leek", "Pea"), ("Pea", "Leek"), ("Beet", "Pea"), ("Pea", "Beet")]
    poll = polls.closed(*cast, **SOUPS, title="Best soup")

    assert json.loads(fetch(app, poll, "results.rctab.json")) == {
        "config": {
            "contest": "Best soup",
            "jurisdiction": "",
            "office": "",
            "date": poll["pollDate"],
            "threshold": "3",
        },
        "results": [
            {
                "round": 1,
                "tally": {"Leek": "2", "Pea": "2", "Beet": "1"},
                "tallyResults": [{"eliminated": "Beet", "transfers": {"Pea": "1"}}],
            },
            {
                "round": 2,
                "tally": {"Leek": "2", "Pea": "3"},
                "tallyResults": [{"elected": "Pea", "transfers": {}}],
            },
        ],
    }


def test_summary_of_a_tie_elects_nobody_and_names_what_is_exhausted(
    app: Flask, polls: Polls
) -> None:
    cast = [("Leek", "Pea")] * 4 + [("Pea", "Leek")] * 4
    cast += [("exhausted", "Beet"), ("Beet", "exhausted"), ("Beet", "exhausted")]
    poll = polls.closed(*cast, **SOUPS | {"options": ("Leek", "Pea", "exhausted", "Beet")})

    rounds = json.loads(fetch(app, poll, "results.rctab.json"))["results"]

    gone = [done for this in rounds for done in this["tallyResults"]]
    assert [done.get("elected") for done in gone] == [None] * len(gone)
    assert {"eliminated": "exhausted (2)", "transfers": {"Beet": "1"}} in gone
    assert {"eliminated": "Beet", "transfers": {"exhausted": "3"}} in gone
    assert rounds[-1] == {"round": 3, "tally": {"Leek": "4", "Pea": "4"}, "tallyResults": []}


@pytest.mark.parametrize("file", FILES[:3])
def test_a_single_choice_is_a_ranking_of_one(app: Flask, polls: Polls, file: str) -> None:
    poll = polls.closed(("Pea",), ("Leek",), ("Pea",), **SOUPS | {"pollType": "SINGLE"})

    lines = fetch(app, poll, file).splitlines()

    expected = {
        "ballots.blt": ["2 2 0", "1 1 0"],
        "ballots.soi": ["2: 2", "1: 1"],
        "ballots.csv": [",1,", ",1,", "1,,"],
    }
    assert [line for line in expected[file] if line in lines] == expected[file]


def test_a_single_choice_has_no_rounds_to_show(app: Flask, polls: Polls) -> None:
    poll = polls.closed(("Pea",))

    assert why_refused(app, poll, "results.rctab.json")


@pytest.mark.parametrize("file", FILES)
def test_an_open_poll_exports_nothing(app: Flask, polls: Polls, file: str) -> None:
    poll = polls.open(**SOUPS)
    polls.vote(poll, "Pea", "Leek")

    assert "open" in why_refused(app, poll, file)


@pytest.mark.parametrize("file", FILES)
def test_an_unknown_poll_is_not_found(app: Flask, file: str) -> None:
    for unknown in ("unknown", "x" * 5000, "%00", "caf%C3%A9"):
        assert_refused(app.test_client().get(f"/polls/{unknown}/{file}"), 404, origin=None)


@pytest.mark.parametrize("file", FILES)
def test_too_few_ballots_are_not_exported(
    app: Flask, make_app: AppFactory, polls: Polls, file: str
) -> None:
    few, enough = polls.closed(*CAST[:3], **SOUPS), polls.closed(*CAST, **SOUPS)
    strict = make_app(export_min_ballots=4)

    assert "fewer than 4 ballots" in why_refused(strict, few, file)
    assert fetch(strict, enough, file)


@pytest.mark.parametrize("file", FILES)
def test_no_file_comes_of_a_poll_without_ballots(app: Flask, polls: Polls, file: str) -> None:
    poll = polls.closed(**SOUPS)

    assert why_refused(app, poll, file)


@pytest.mark.parametrize("file", FILES)
def test_the_order_of_votes_leaves_no_trace(app: Flask, polls: Polls, file: str) -> None:
    cast = [*CAST, ("Beet", "Pea"), ("Leek", "Beet"), ("Beet", "Pea"), ("Leek", "Pea")]
    first, second = polls.closed(*cast, **SOUPS), polls.closed(*cast[::-1], **SOUPS)

    assert fetch(app, first, file) == fetch(app, second, file)


@pytest.mark.parametrize("file", FILES)
def test_a_file_says_what_it_is(app: Flask, polls: Polls, file: str) -> None:
    poll = polls.closed(*CAST, **SOUPS)

    response = answer_of(app, poll, file)

    kind = {"csv": "text/csv; charset=utf-8", "rctab.json": "application/json"}
    _, _, suffix = file.partition(".")
    assert response.content_type == kind.get(suffix, "text/plain; charset=utf-8")
    name = f'attachment; filename="{poll["pollId"]}.{suffix}"'
    assert response.headers["Content-Disposition"] == name


@pytest.mark.parametrize("poll_type", ["RANKED", "SINGLE"])
def test_names_of_any_kind_keep_every_file_readable(
    app: Flask, polls: Polls, poll_type: str
) -> None:
    ranks = 2 if poll_type == "RANKED" else 1
    choices = ("=1+1", "C# \\")[:ranks]
    places = (4, 8)[:ranks]  # of two options with one label, `vote` takes the last
    title = 'Which "one",\nC# or 1 0?'
    poll = polls.closed(choices, options=NASTY, title=title, pollType=poll_type)

    names, rankings = read_csv(fetch(app, poll, "ballots.csv"))
    assert names == [*NASTY[:3], "'=1+1", "'-5", "'@home", "'=1+1 (2)", "C# \\ (2)"]
    assert rankings == {places: 1}

    lines = fetch(app, poll, "ballots.blt").split("\n")
    assert lines[:3] == ["8 1", f"1 {' '.join(map(str, places))} 0", "0"]
    assert lines[3:6] == ["\"Say 'aye'\"", '"Yes, please"', '"C# /"']
    assert lines[-2:] == ["\"Which 'one', C# or 1 0?\"", ""]
    assert all(re.fullmatch('"[^"\\\\]+"', line) for line in lines[3:-1])

    orders = fetch(app, poll, "ballots.soi").splitlines()
    assert orders[-1] == f"1: {','.join(map(str, places))}"
    assert orders[12:-1] == [f"# ALTERNATIVE NAME {n}: {name}" for n, name in enumerate(NASTY, 1)]


def test_a_name_with_line_ends_stays_on_its_line() -> None:
    box = group_ballots("a\nb", "2031-05-04", {"o": "x\r\ny\u2028z\x85w"}, {("o",): 3})

    assert blt(box) == '1 1\n3 1 0\n0\n"x y z w"\n"a b"\n'
    assert soi(box).splitlines()[-2:] == ["# ALTERNATIVE NAME 1: x y z w", "3: 1"]
    assert rctab_csv(box) == "x y z w\r\n1\r\n1\r\n1\r\n"


def test_a_summary_tells_options_of_one_name_apart(app: Flask, polls: Polls) -> None:
    poll = polls.closed(("Pea", "Leek"), **SOUPS | {"options": ("Leek", "Leek", "Pea")})

    (only,) = json.loads(fetch(app, poll, "results.rctab.json"))["results"]

    assert only["tally"] == {"Leek": "0", "Leek (2)": "0", "Pea": "1"}

"""Recounts: what is kept as a result is what the ballots say, or the operator is told."""

import json
from collections.abc import Callable
from datetime import date, timedelta
from typing import Any

import pytest
import time_machine
from flask import Flask
from flask.testing import FlaskCliRunner
from sqlalchemy import select

from allthing.database import db
from allthing.models import PollInstance, PollResultSnapshot, VoteBallot
from allthing.runtime import clock
from tests.conftest import AppFactory
from tests.polls.test_exports import CAST, SOUPS
from tests.support.api import Json, Polls, today
from tests.support.snapshots import lose_snapshots

Tamper = Callable[[PollResultSnapshot], None]


def tamper(app: Flask, poll: Json, change: Tamper) -> None:
    """Change the snapshot of a poll behind the app's back."""
    with app.app_context():
        found = select(PollResultSnapshot).where(PollResultSnapshot.instance_id == poll["pollId"])
        snapshot = db.session.scalars(found).one()
        snapshot.results = json.loads(json.dumps(snapshot.results))  # JSON is not watched inside
        change(snapshot)
        db.session.commit()


def steal(snapshot: PollResultSnapshot) -> None:
    """Move a vote of the first round to the option that lost."""
    totals = snapshot.results["rounds"][0]["totals"]
    loser, winner = sorted(totals, key=totals.__getitem__)[0::2]
    totals[loser] += 1
    totals[winner] -= 1


def crown(snapshot: PollResultSnapshot) -> None:
    snapshot.results["winnerOptionId"] = "somebody-else"


def drop(snapshot: PollResultSnapshot) -> None:
    del snapshot.results["pairwise"]


def rename(snapshot: PollResultSnapshot) -> None:
    snapshot.results["options"][0]["label"] = "Leak"


def shorten(snapshot: PollResultSnapshot) -> None:
    snapshot.results["rounds"].pop()


def add(snapshot: PollResultSnapshot) -> None:
    snapshot.results["certified"] = True


def miscount(snapshot: PollResultSnapshot) -> None:
    snapshot.total_ballots = 40


def test_a_result_that_the_ballots_bear_out_is_the_same(
    runner: FlaskCliRunner, polls: Polls
) -> None:
    poll = polls.closed(*CAST, **SOUPS)

    result = runner.invoke(args=["recount", poll["pollId"]])

    assert result.output == "4 ballots counted again, snapshot v1: is the same\n"
    assert result.exit_code == 0


@pytest.mark.parametrize(
    ("change", "fields"),
    [
        (steal, ["rounds.0.totals.", "rounds.0.totals."]),
        (crown, ['winnerOptionId: kept "somebody-else", counted ']),
        (drop, ["pairwise: kept nothing, counted {"]),
        (rename, ['options.0.label: kept "Leak", counted "Leek"']),
        (shorten, ["rounds: kept []"]),
        (add, ["certified: kept true, counted nothing"]),
        (miscount, ["snapshot.totalBallots: kept 40, counted 5"]),
    ],
)
def test_a_tampered_snapshot_is_found(
    app: Flask, runner: FlaskCliRunner, polls: Polls, change: Tamper, fields: list[str]
) -> None:
    poll = polls.closed(*CAST, ("Pea", "Leek"), **SOUPS)
    tamper(app, poll, change)

    result = runner.invoke(args=["recount", poll["pollId"]])

    assert result.exit_code == 1
    *lines, summary = result.output.splitlines()
    assert len(lines) == len(fields)
    assert all(line.startswith(field) for line, field in zip(lines, fields, strict=True)), lines
    assert summary == f"5 ballots counted again, snapshot v1: {len(lines)} fields differ"


def test_the_status_is_not_compared(app: Flask, runner: FlaskCliRunner, polls: Polls) -> None:
    poll = polls.closed(*CAST, **SOUPS)
    tamper(app, poll, lambda snapshot: snapshot.results.update(status="OPEN"))

    assert runner.invoke(args=["recount", poll["pollId"]]).exit_code == 0


def test_a_ballot_that_came_later_is_found(
    app: Flask, runner: FlaskCliRunner, polls: Polls
) -> None:
    """The database lets none in, unless somebody opens the poll behind the app's back."""
    poll = polls.closed(("Pea",), ("Leek",), **SOUPS | {"pollType": "SINGLE"})
    with app.app_context():
        instance = db.session.get(PollInstance, poll["pollId"])
        instance.status = "OPEN"
        db.session.flush()
        db.session.add(
            VoteBallot(instance_id=instance.id, voter_token_hash="t", ip_hash="i", ranking="2")
        )
        db.session.flush()
        instance.status = "CLOSED"
        db.session.commit()

    result = runner.invoke(args=["recount", poll["pollId"]])

    assert result.exit_code == 1
    assert "totalBallots: kept 2, counted 3\n" in result.output


def test_the_newest_version_is_what_counts(
    app: Flask, runner: FlaskCliRunner, polls: Polls
) -> None:
    poll = polls.closed(*CAST, **SOUPS)
    tamper(app, poll, crown)
    assert runner.invoke(args=["recount", poll["pollId"]]).exit_code == 1

    runner.invoke(args=["regenerate-snapshots"])

    mended = runner.invoke(args=["recount", poll["pollId"]])
    assert (mended.exit_code, "snapshot v2: is the same" in mended.output) == (0, True)


def test_what_has_no_result_is_refused(
    runner: FlaskCliRunner, make_app: AppFactory, polls: Polls
) -> None:
    still_open = polls.open(pollType="RANKED")
    few = polls.open()
    picky = make_app(min_votes=1).test_cli_runner()
    picky.invoke(args=["close-instance", few["pollId"]])

    for poll_id, reason in (
        (still_open["pollId"], "still open"),
        (few["pollId"], "no snapshot"),
        ("unknown", "no instance"),
    ):
        result = runner.invoke(args=["recount", poll_id])
        assert result.exit_code == 1
        assert result.output.startswith("Error: ")
        assert reason in result.output


def test_recount_answers_in_json(app: Flask, runner: FlaskCliRunner, polls: Polls) -> None:
    poll = polls.closed(*CAST, **SOUPS, title="Best soup")
    tamper(app, poll, crown)

    result = runner.invoke(args=["recount", poll["pollId"], "--json"])

    document: dict[str, Any] = json.loads(result.stdout)
    (difference,) = document.pop("differences")
    assert difference.startswith("winnerOptionId: kept ")
    assert document == {
        "pollId": poll["pollId"],
        "pollDate": today(),
        "title": "Best soup",
        "version": 1,
        "ballots": 4,
    }
    assert result.exit_code == 1


def test_all_closed_polls_are_verified(app: Flask, runner: FlaskCliRunner, polls: Polls) -> None:
    for _ in range(3):
        polls.closed(*CAST, **SOUPS)
    bad = polls.closed(*CAST, ("Pea", "Leek"), **SOUPS, title="Best soup")
    polls.open()

    fine = runner.invoke(args=["verify-results", "--all"])
    tamper(app, bad, steal)
    wrong = runner.invoke(args=["verify-results", "--all"])

    counted = "4 closed polls counted again: {} differ, 0 have no snapshot\n"
    assert (fine.exit_code, fine.output) == (0, counted.format(0))
    line = f"{bad['pollId']}  {today()}  v1: 2 fields differ  Best soup\n"
    assert (wrong.exit_code, wrong.output) == (1, line + counted.format(1))


def test_the_polls_of_one_day_are_verified(
    app: Flask, runner: FlaskCliRunner, polls: Polls
) -> None:
    tamper(app, polls.closed(*CAST, **SOUPS), crown)
    tomorrow = date.fromisoformat(today()) + timedelta(days=1)
    with time_machine.travel(clock.now() + timedelta(days=1), tick=False):
        polls.closed(*CAST, **SOUPS)

    assert runner.invoke(args=["verify-results", "--date", today()]).exit_code == 1
    fine = runner.invoke(args=["verify-results", "--date", tomorrow.isoformat()])
    assert fine.exit_code == 0
    assert "1 closed polls" in fine.output


def test_a_poll_without_snapshot_is_named_but_no_difference(
    app: Flask, runner: FlaskCliRunner, polls: Polls
) -> None:
    poll = polls.closed(*CAST, **SOUPS)
    lose_snapshots(app)

    result = runner.invoke(args=["verify-results", "--all", "--json"])

    document = json.loads(result.stdout)
    assert result.exit_code == 0
    assert [found["pollId"] for found in document.pop("found")] == [poll["pollId"]]
    assert document == {"polls": 1, "differing": 0, "withoutSnapshot": 1}


@pytest.mark.parametrize("arguments", [[], ["--all", "--date", "2031-05-04"]])
def test_verifying_wants_all_or_a_day(runner: FlaskCliRunner, arguments: list[str]) -> None:
    assert runner.invoke(args=["verify-results", *arguments]).exit_code == 2


def test_a_recount_changes_nothing(app: Flask, runner: FlaskCliRunner, polls: Polls) -> None:
    poll = polls.closed(*CAST, **SOUPS)
    tamper(app, poll, crown)

    runner.invoke(args=["recount", poll["pollId"]])
    runner.invoke(args=["verify-results", "--all"])

    with app.app_context():
        kept = db.session.scalars(select(PollResultSnapshot)).one()
        assert kept.results["winnerOptionId"] == "somebody-else"
        assert db.session.scalars(select(PollInstance.status)).all() == ["CLOSED"]

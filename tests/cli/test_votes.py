"""Figures of votes, and ballots that an operator casts to try a poll."""

import json
from datetime import timedelta

import pytest
import time_machine
from flask import Flask
from flask.testing import FlaskCliRunner
from sqlalchemy import event, select
from sqlalchemy.orm import Session

from allthing.cli import votes
from allthing.database import db
from allthing.models import AdminAuditLog, VoteBallot
from allthing.runtime import clock
from tests.conftest import AppFactory
from tests.support.api import Json, Polls

RANKED = {"pollType": "RANKED", "options": ("Leek", "Pea", "Corn", "Beet"), "maxRank": 3}


def cast(runner: FlaskCliRunner, poll: Json, *args: str) -> tuple[int, str]:
    result = runner.invoke(args=["test-vote", "--instance-id", poll["pollId"], *args])
    return result.exit_code, result.output


def rankings(app: Flask, poll: Json) -> list[str]:
    with app.app_context():
        ballots = select(VoteBallot.ranking).where(VoteBallot.instance_id == poll["pollId"])
        return sorted(db.session.scalars(ballots))


def test_figures_count_ballots_and_name_nobody(runner: FlaskCliRunner, polls: Polls) -> None:
    poll = polls.open(title="Best soup")
    noon = clock.now().replace(microsecond=0)
    for minutes, label in enumerate(["Leek", "Leek", "Pea"]):
        with time_machine.travel(noon + timedelta(minutes=minutes), tick=False):
            polls.vote(poll, label)
    polls.open(title="No votes")

    voted, empty = json.loads(runner.invoke(args=["votes", "--json"]).stdout)

    first, last = voted.pop("firstBallotAt"), voted.pop("lastBallotAt")
    assert voted == {
        "instanceId": poll["pollId"],
        "title": "Best soup",
        "pollType": "SINGLE",
        "status": "OPEN",
        "ballots": 3,
        "distinctRankings": 2,
    }
    assert first == noon.isoformat().replace("+00:00", "Z")
    assert last == (noon + timedelta(minutes=2)).isoformat().replace("+00:00", "Z")
    assert (empty["ballots"], empty["firstBallotAt"]) == (0, None)
    assert json.loads(runner.invoke(args=["votes", "--date", "2031-05-04", "--json"]).stdout) == []


def test_named_votes_are_cast_by_label_and_by_id(
    app: Flask, runner: FlaskCliRunner, polls: Polls
) -> None:
    poll = polls.open(**RANKED)
    beet = poll["options"][3]["optionId"]

    assert cast(runner, poll, "--count", "3", "--rankings", f"Pea, {beet}") == (
        0,
        f"3 test votes cast in {poll['pollId']}\n",
    )

    assert rankings(app, poll) == ["1.3"] * 3
    assert polls.results(poll)["totalBallots"] == 3


def test_a_label_with_a_comma_is_quoted(app: Flask, runner: FlaskCliRunner, polls: Polls) -> None:
    poll = polls.open(pollType="RANKED", options=("Salt, pepper", "Salt"))

    assert cast(runner, poll, "--rankings", 'Salt,"Salt, pepper"')[0] == 0

    assert rankings(app, poll) == ["1.0"]


@pytest.mark.parametrize("poll_type", ["SINGLE", "RANKED"])
def test_random_votes_keep_to_the_rules_and_repeat_with_their_seed(
    app: Flask, runner: FlaskCliRunner, polls: Polls, poll_type: str
) -> None:
    first, second = (polls.open(**RANKED | {"pollType": poll_type}) for _ in range(2))

    for poll in (first, second):
        assert cast(runner, poll, "--count", "40", "--random", "--seed", "7")[0] == 0

    ballots = rankings(app, first)
    assert ballots == rankings(app, second)
    lengths = {len(ballot.split(".")) for ballot in ballots}
    assert lengths == ({1} if poll_type == "SINGLE" else {2, 3})
    assert cast(runner, first, "--count", "40")[0] == 0
    assert len(rankings(app, first)) == 80


@pytest.mark.parametrize(
    ("ranking", "reason"),
    [
        ("Leek", "needs at least 2"),
        ("Leek,Pea,Corn,Beet", "takes at most 3"),
        ("Leek,Leek", "named twice"),
        ("Leek,Rice", "'Rice' is not an option of this poll (Leek, Pea, Corn, Beet)"),
        ("", "needs at least 2"),
    ],
)
def test_a_vote_against_the_rules_is_refused(
    app: Flask, runner: FlaskCliRunner, polls: Polls, ranking: str, reason: str
) -> None:
    poll = polls.open(**RANKED)

    status, output = cast(runner, poll, "--rankings", ranking)

    assert status == 1
    assert reason in output
    assert rankings(app, poll) == []


def test_a_label_that_two_options_have_is_refused(
    app: Flask, runner: FlaskCliRunner, polls: Polls
) -> None:
    poll = polls.open(options=("Leek", "Leek"))

    assert "use an id" in cast(runner, poll, "--rankings", "Leek")[1]
    assert cast(runner, poll, "--rankings", poll["options"][1]["optionId"])[0] == 0
    assert rankings(app, poll) == ["1"]


def test_a_closed_poll_takes_no_test_votes(
    app: Flask, runner: FlaskCliRunner, polls: Polls
) -> None:
    poll = polls.open()
    polls.admin.close(poll["pollId"])

    assert cast(runner, poll) == (1, "Error: this poll is not open for votes\n")
    assert rankings(app, poll) == []


def test_many_votes_are_audited_once_and_print_nothing_but_the_answer(
    runner: FlaskCliRunner, polls: Polls
) -> None:
    poll = polls.open()
    arguments = ["test-vote", "--instance-id", poll["pollId"], "--count", "250", "--json"]

    result = runner.invoke(args=arguments)

    assert json.loads(result.stdout) == {"instanceId": poll["pollId"], "castCount": 250}
    assert result.stderr == ""
    (row,) = polls.admin.audit(action="test_votes_cast")
    assert row["metadata"]["castCount"] == row["metadata"]["requestedCount"] == 250
    assert polls.results(poll)["totalBallots"] == 250


def test_a_refusal_on_the_way_says_how_many_votes_stand(
    app: Flask, runner: FlaskCliRunner, polls: Polls, monkeypatch: pytest.MonkeyPatch
) -> None:
    poll = polls.open()
    with app.app_context():
        midnight = clock.end_of(clock.today())
    monkeypatch.setattr(votes, "BATCH", 5)
    with time_machine.travel(midnight - timedelta(seconds=2)):
        status, output = cast(runner, poll, "--count", "20000")

    stand = len(rankings(app, poll))
    assert status == 1
    assert stand > 0
    assert output == (
        f"{stand} test votes were cast before this:\nError: this poll is not open for votes\n"
    )
    (row,) = polls.admin.audit(action="test_votes_cast")
    assert (row["success"], row["metadata"]["castCount"]) == (False, stand)


def test_a_last_commit_that_fails_counts_only_what_stands(
    app: Flask, runner: FlaskCliRunner, polls: Polls, monkeypatch: pytest.MonkeyPatch
) -> None:
    poll = polls.open()
    monkeypatch.setattr(votes, "BATCH", 5)

    def fail(session: Session) -> None:
        if any(isinstance(added, AdminAuditLog) and added.success for added in session.new):
            raise ZeroDivisionError

    event.listen(Session, "before_commit", fail)
    try:
        status, _ = cast(runner, poll, "--count", "12")
    finally:
        event.remove(Session, "before_commit", fail)

    (row,) = polls.admin.audit(action="test_votes_cast")
    assert (status, row["success"]) == (1, False)
    assert (row["entityId"], row["metadata"]["castCount"]) == (poll["pollId"], 10)
    assert len(rankings(app, poll)) == 10


def test_each_test_vote_has_its_own_address_too(
    make_app: AppFactory, polls: Polls, runner: FlaskCliRunner
) -> None:
    poll = polls.open()

    status, output = cast(make_app(votes_per_ip=1).test_cli_runner(), poll, "--count", "3")

    assert status == 0, output
    assert polls.results(poll)["totalBallots"] == 3


@pytest.mark.parametrize(
    "args",
    [["--rankings", "Leek", "--random"], ["--rankings", "Leek", "--seed", "1"], ["--count", "0"]],
    ids=" ".join,
)
def test_flags_that_contradict_are_a_wrong_call(
    runner: FlaskCliRunner, polls: Polls, args: list[str]
) -> None:
    assert cast(runner, polls.open(), *args)[0] == 2
    assert polls.admin.audit(action="test_votes_cast") == []

"""Results over HTTP: counted while open, frozen when closed."""

import json

import pytest
from flask.testing import FlaskClient

from tests.support.api import Admin, Json, Polls

WORKED_EXAMPLE = [("A", "P")] * 5 + [("C", "O", "A")] * 4 + [("O", "C")] * 3


@pytest.fixture
def poll(polls: Polls) -> Json:
    """The worked example, voted on."""
    poll = polls.open(pollType="RANKED", options=("A", "C", "O", "P"))
    for ranking in WORKED_EXAMPLE:
        assert polls.vote(poll, *ranking).status_code == 200
    return poll


def totals_by_label(poll: Json, results: Json) -> list[dict[str, int]]:
    label = {option["optionId"]: option["label"] for option in poll["options"]}
    return [{label[o]: n for o, n in r["totals"].items()} for r in results["rounds"]]


def test_single_poll_lists_every_option_most_votes_first(polls: Polls) -> None:
    poll = polls.open(options=("Leek", "Pea", "Corn"))
    for label in ("Corn", "Corn", "Pea"):
        polls.vote(poll, label)

    results = polls.results(poll)

    assert [(r["label"], r["count"]) for r in results["results"]] == [
        ("Corn", 2),
        ("Pea", 1),
        ("Leek", 0),
    ]
    assert (results["found"], results["totalVotes"], results["status"]) == (True, 3, "OPEN")


def test_ties_of_a_single_poll_keep_the_order_of_the_ballot(polls: Polls) -> None:
    poll = polls.open(options=("Leek", "Pea", "Corn"))
    for label in ("Corn", "Pea"):
        polls.vote(poll, label)

    results = polls.results(poll)

    assert [row["label"] for row in results["results"]] == ["Pea", "Corn", "Leek"]
    assert results["winnerOptionId"] is None


def test_worked_example_of_the_contract(polls: Polls, poll: Json) -> None:
    results = polls.results(poll)

    ids = {option["label"]: option["optionId"] for option in poll["options"]}
    assert totals_by_label(poll, results) == [
        {"A": 5, "C": 4, "O": 3, "P": 0},
        {"A": 5, "C": 4, "O": 3},
        {"A": 5, "C": 7},
    ]
    assert [r["eliminated"] for r in results["rounds"]] == [ids["P"], ids["O"], None]
    assert results["winnerOptionId"] == ids["C"]
    assert results["totalBallots"] == 12
    assert results["rankBreakdown"][ids["A"]] == {"1": 5, "2": 0, "3": 4, "4": 0}


def test_a_final_tie_has_no_winner(polls: Polls) -> None:
    poll = polls.open(pollType="RANKED", options=("A", "B"))
    polls.vote(poll, "A", "B")
    polls.vote(poll, "B", "A")

    results = polls.results(poll)

    assert results["winnerOptionId"] is None
    assert results["outcome"] == "tie"


@pytest.mark.parametrize("poll_type", ["SINGLE", "RANKED"])
def test_a_poll_without_ballots_has_no_winner(polls: Polls, poll_type: str) -> None:
    results = polls.results(polls.open(pollType=poll_type))

    assert results["winnerOptionId"] is None
    assert results["totalBallots"] == 0


def test_closed_poll_is_served_from_its_snapshot(
    polls: Polls, poll: Json, admin: Admin, client: FlaskClient
) -> None:
    counted = polls.results(poll)

    done = admin.close(poll["pollId"])

    assert done["snapshotCreated"] is True
    frozen = client.get(f"/polls/{poll['pollId']}/results").json
    assert frozen == {"cached": True, "data": counted | {"status": "CLOSED"}}


def test_too_few_ballots_make_no_snapshot_but_the_result_is_there(
    polls: Polls, make_app, admin: Admin
) -> None:
    poll = polls.open()
    polls.vote(poll, "Pea")
    demanding = admin.at(make_app(min_votes=2))

    assert demanding.close(poll["pollId"])["snapshotCreated"] is False
    assert polls.results(poll)["totalVotes"] == 1


def test_an_unknown_poll_is_not_found(client: FlaskClient) -> None:
    assert client.get("/polls/unknown/results").status_code == 404


def test_frozen_result_keeps_the_order_of_the_ballot(
    polls: Polls, poll: Json, admin: Admin, client: FlaskClient
) -> None:
    counted = polls.results(poll)

    admin.close(poll["pollId"])

    frozen = client.get(f"/polls/{poll['pollId']}/results").json["data"]
    ballot = [option["optionId"] for option in poll["options"]]
    assert list(frozen["pairwise"]) == list(frozen["rankBreakdown"]) == ballot
    for before, after in zip(counted["rounds"], frozen["rounds"], strict=True):
        for name in ("totals", "percentOfActive", "transfers"):
            assert json.dumps(after[name]) == json.dumps(before[name])

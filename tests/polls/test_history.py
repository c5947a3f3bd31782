"""The history of a template over HTTP: its closed polls, as they were frozen."""

from datetime import date, timedelta

import pytest
import time_machine
from flask import Flask
from flask.testing import FlaskClient

from allthing.database import db
from allthing.runtime import clock
from tests.conftest import AppFactory
from tests.support.api import Admin, Json, Polls, today
from tests.support.queries import statements

TODAY = date.fromisoformat(today())
RANKED = {"pollType": "RANKED", "options": ("A", "C", "O", "P")}
WORKED_EXAMPLE = [("A", "P")] * 5 + [("C", "O", "A")] * 4 + [("O", "C")] * 3


def history(client: FlaskClient, poll: Json, query: str = "") -> list[Json]:
    response = client.get(f"/polls/templates/{poll['templateId']}/history{query}")
    assert response.status_code == 200, response.text
    assert list(response.json) == ["data"]
    return response.json["data"]


def roll_over_days(admin: Admin, days: int) -> None:
    for n in range(days):
        with time_machine.travel(clock.now() + timedelta(days=n)):
            admin.rollover(TODAY + timedelta(days=n))


def test_worked_example_of_the_contract(polls: Polls, client: FlaskClient) -> None:
    poll = polls.closed(*WORKED_EXAMPLE, **RANKED)
    ids = {option["label"]: option["optionId"] for option in poll["options"]}

    (entry,) = history(client, poll)

    first, *others = entry["options"]
    assert first == {
        "optionId": ids["C"],
        "label": "C",
        "voteCount": 7,
        "percentage": 58.3,
        "isWinner": True,
        "rankBreakdown": {"1": 4, "2": 3, "3": 0, "4": 0},
    }
    assert [(o["label"], o["voteCount"], o["percentage"], o["isWinner"]) for o in others] == [
        ("A", 5, 41.7, False),
        ("O", 0, 0.0, False),
        ("P", 0, 0.0, False),
    ]
    assert entry["winner"] == first
    assert (entry["totalVotes"], entry["totalBallots"]) == (12, 12)
    assert [r["totals"].get(ids["C"]) for r in entry["rounds"]] == [4, 4, 7]
    assert [r["eliminated"] for r in entry["rounds"]] == [ids["P"], ids["O"], None]


def test_a_single_choice_has_just_counts(polls: Polls, client: FlaskClient) -> None:
    poll = polls.closed(("Pea",), ("Pea",), ("Leek",), options=("Leek", "Pea", "Corn"))
    ids = {option["label"]: option["optionId"] for option in poll["options"]}
    pea = {"optionId": ids["Pea"], "label": "Pea", "voteCount": 2, "percentage": 66.7}

    assert history(client, poll) == [
        {
            "pollId": poll["pollId"],
            "pollDate": TODAY.isoformat(),
            "title": "Best soup",
            "pollType": "SINGLE",
            "totalVotes": 3,
            "outcome": "winner",
            "tied": [],
            "winner": pea,
            "options": [
                pea,
                {"optionId": ids["Leek"], "label": "Leek", "voteCount": 1, "percentage": 33.3},
                {"optionId": ids["Corn"], "label": "Corn", "voteCount": 0, "percentage": 0.0},
            ],
        }
    ]


def test_percentages_of_a_ranked_poll_are_of_all_ballots(polls: Polls, client: FlaskClient) -> None:
    ballots = [("A", "O")] * 3 + [("C", "O")] * 2 + [("P", "O")]
    poll = polls.closed(*ballots, **RANKED)

    (entry,) = history(client, poll)

    assert entry["rounds"][-1]["exhausted"] > 0
    assert entry["totalVotes"] == 6
    assert (entry["winner"]["label"], entry["winner"]["percentage"]) == ("A", 50.0)


@pytest.mark.parametrize(
    ("poll_type", "ballots"),
    [("SINGLE", [("Leek",), ("Pea",)]), ("RANKED", [("Leek", "Pea"), ("Pea", "Leek")])],
)
def test_a_tie_has_no_winner(
    polls: Polls, client: FlaskClient, poll_type: str, ballots: list[tuple[str, ...]]
) -> None:
    (entry,) = history(client, polls.closed(*ballots, pollType=poll_type))

    assert entry["winner"] is None
    assert [option["voteCount"] for option in entry["options"]] == [1, 1]
    assert not any(option.get("isWinner") for option in entry["options"])


@pytest.mark.parametrize("poll_type", ["SINGLE", "RANKED"])
def test_a_poll_nobody_answered_has_no_winner(
    polls: Polls, client: FlaskClient, poll_type: str
) -> None:
    (entry,) = history(client, polls.closed(pollType=poll_type))

    assert (entry["winner"], entry["totalVotes"]) == (None, 0)
    assert [option["label"] for option in entry["options"]] == ["Leek", "Pea"]
    assert {(o["voteCount"], o["percentage"]) for o in entry["options"]} == {(0, 0.0)}


def test_an_open_poll_is_not_history_yet_even_with_a_snapshot(
    polls: Polls, client: FlaskClient
) -> None:
    poll = polls.open()
    polls.admin.done("POST", f"/instances/{poll['pollId']}/snapshot")

    assert history(client, poll) == []


def test_a_poll_that_was_counted_again_is_there_once(polls: Polls, client: FlaskClient) -> None:
    poll = polls.open()
    polls.admin.done("POST", f"/instances/{poll['pollId']}/snapshot")
    polls.vote(poll, "Pea")
    polls.admin.close(poll["pollId"])
    polls.admin.done("POST", "/snapshots/regenerate")

    (entry,) = history(client, poll)

    assert entry["totalVotes"] == 1


def test_a_closed_poll_without_snapshot_is_left_out(
    polls: Polls, client: FlaskClient, make_app: AppFactory
) -> None:
    poll = polls.open()
    demanding = polls.admin.at(make_app(min_votes=1))
    demanding.close(poll["pollId"])

    assert history(client, poll) == []


def test_history_tells_what_was_frozen_not_what_the_template_says_now(
    polls: Polls, client: FlaskClient
) -> None:
    poll = polls.closed(("Pea",))
    path = f"/templates/{poll['templateId']}"
    polls.admin.done("PATCH", path, {"title": "Worst soup"})
    new = [{"label": "Beet"}, {"label": "Onion"}]
    polls.admin.done("PUT", f"{path}/options", {"options": new})

    (entry,) = history(client, poll)

    assert (entry["title"], entry["winner"]["label"]) == ("Best soup", "Pea")


def test_the_newest_come_first_and_ten_unless_asked_otherwise(
    admin: Admin, client: FlaskClient
) -> None:
    template = {"templateId": admin.template()["id"]}
    admin.template(title="Another")
    roll_over_days(admin, 13)  # the last one stays open
    dates = [(TODAY + timedelta(days=n)).isoformat() for n in reversed(range(12))]

    assert [entry["pollDate"] for entry in history(client, template)] == dates[:10]
    assert [e["pollDate"] for e in history(client, template, "?limit=3")] == dates[:3]
    assert [e["pollDate"] for e in history(client, template, "?limit=50")] == dates


def test_a_replaced_poll_comes_after_the_one_that_took_its_date(
    polls: Polls, client: FlaskClient
) -> None:
    old = polls.open()
    polls.vote(old, "Pea")
    done = polls.admin.done("POST", f"/instances/{old['pollId']}/replace")
    polls.admin.close(done["newInstanceId"])

    entries = history(client, old)

    assert [e["pollId"] for e in entries] == [done["newInstanceId"], old["pollId"]]
    assert [e["totalVotes"] for e in entries] == [0, 1]


def test_it_takes_as_many_queries_for_nine_polls_as_for_two(
    admin: Admin, client: FlaskClient, app: Flask
) -> None:
    template = {"templateId": admin.template()["id"]}
    with app.app_context():
        engine = db.engine

    def queries(polls: int) -> int:
        roll_over_days(admin, polls + 1)
        with statements(engine) as sent:
            assert len(history(client, template)) == polls
        return len(sent)

    assert queries(2) == queries(9)


@pytest.mark.parametrize("limit", ["0", "-1", "51", "abc", "", "1.5", "9" * 5000])
def test_a_limit_out_of_range_is_refused(admin: Admin, client: FlaskClient, limit: str) -> None:
    path = f"/polls/templates/{admin.template()['id']}/history"

    refused = client.get(path, query_string={"limit": limit})

    assert refused.status_code == 422
    assert refused.json["detail"].startswith("limit: ")


@pytest.mark.parametrize("template_id", ["nope", "00000000-0000-0000-0000-000000000000"])
def test_an_unknown_template_is_not_found(
    app: Flask, client: FlaskClient, template_id: str
) -> None:
    assert client.get(f"/polls/templates/{template_id}/history").status_code == 404

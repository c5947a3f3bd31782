"""Votes over HTTP: what is taken, what is refused, and that nobody has two."""

from concurrent.futures import ThreadPoolExecutor

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select

from allthing.database import db
from allthing.models import VoteBallot
from tests.conftest import AppFactory
from tests.support.api import Admin, Polls
from tests.support.queries import count_ballots

RANKED = {"pollType": "RANKED", "options": ("Leek", "Pea", "Corn"), "maxRank": 2}


def test_a_vote_is_counted_in_the_very_next_result(polls: Polls) -> None:
    poll = polls.open()
    polls.results(poll)

    assert polls.vote(poll, "Pea").json == {"ok": True}

    assert [row["count"] for row in polls.results(poll)["results"]] == [1, 0]


def test_second_ballot_of_a_voter_is_refused(polls: Polls, client: FlaskClient) -> None:
    poll = polls.open()
    polls.vote(poll, "Pea", voter=client)

    second = polls.vote(poll, "Leek", voter=client)

    assert second.status_code == 409
    assert polls.results(poll)["totalVotes"] == 1


def test_voter_keeps_one_cookie_for_all_polls(polls: Polls, client: FlaskClient) -> None:
    first = polls.vote(polls.open(), "Pea", voter=client)
    cookie = client.get_cookie("vt")

    second = polls.vote(polls.open(title="Best bread"), "Leek", voter=client)

    assert "Set-Cookie" in first.headers
    assert "Set-Cookie" not in second.headers
    assert cookie.http_only
    assert cookie.secure
    assert cookie.same_site == "Lax"
    assert cookie.max_age == 31_536_000


@pytest.mark.parametrize(
    "cookie", ["junk", "eyJ0IjoiYWFhYWFhYWFhYWFhYWFhYSJ9.forged", "x" * 4000, "a b", "é"]
)
def test_worthless_cookie_is_replaced(polls: Polls, app: Flask, cookie: str) -> None:
    poll = polls.open()
    voter = app.test_client(use_cookies=False)

    response = voter.post(
        f"/polls/{poll['pollId']}/vote",
        json={"rankedChoices": [poll["options"][0]["optionId"]]},
        headers={"Cookie": f"vt={cookie}"},
    )

    assert response.status_code == 200
    assert response.headers["Set-Cookie"].startswith("vt=")


def test_refused_ballot_gives_the_voter_an_identity_but_uses_up_nothing(
    polls: Polls, client: FlaskClient
) -> None:
    poll = polls.open(**RANKED)

    refused = polls.vote(poll, "Pea", voter=client)
    corrected = polls.vote(poll, "Pea", "Corn", voter=client)

    assert refused.status_code == 422
    assert refused.json["detail"] == "rankedChoices: needs at least 2 entries"
    assert "Set-Cookie" in refused.headers
    assert corrected.status_code == 200


@pytest.mark.parametrize(
    ("labels", "reason"),
    [
        (["Pea", "Pea"], "named twice"),
        (["Pea", "Leek", "Corn"], "at most 2"),
        (["Pea", "no-such-option"], "not an option"),
    ],
)
def test_ranked_ballot_against_the_rules_is_refused(
    polls: Polls, app: Flask, labels: list[str], reason: str
) -> None:
    response = polls.vote(polls.open(**RANKED), *labels)

    assert response.status_code == 422
    assert reason in response.json["detail"]
    assert count_ballots(app) == 0


def test_option_of_another_poll_is_refused(polls: Polls) -> None:
    other = polls.open(title="Best bread")["options"][0]["optionId"]

    assert polls.vote(polls.open(), other).status_code == 422


def test_single_choice_takes_exactly_one(polls: Polls) -> None:
    assert polls.vote(polls.open(), "Pea", "Leek").status_code == 422


def test_closed_poll_takes_no_votes(polls: Polls, admin: Admin) -> None:
    poll = polls.open()
    admin.close(poll["pollId"])

    assert polls.vote(poll, "Pea").status_code == 409


@pytest.mark.parametrize("poll_id", ["nope", "00000000-0000-0000-0000-000000000000", "x" * 5000])
def test_unknown_poll_is_not_found(polls: Polls, poll_id: str) -> None:
    assert polls.vote({"pollId": poll_id, "options": []}, "x").status_code == 404


def test_survey_answers_are_stored_with_the_ballot(
    polls: Polls, client: FlaskClient, app: Flask
) -> None:
    poll = polls.open()
    body = {
        "rankedChoices": [poll["options"][0]["optionId"]],
        "ageRange": "25-34",
        "state": "NY",
        "politicalIdeology": "It's complicated / other+",
        "region": "an old key of the page",
        "gender": None,
    }

    client.post(f"/polls/{poll['pollId']}/vote", json=body)

    with app.app_context():
        ballot = db.session.scalars(select(VoteBallot)).one()
        assert (ballot.age_range, ballot.state, ballot.gender) == ("25-34", "NY", None)
        assert ballot.political_ideology == "It's complicated / other+"
        assert ballot.first_choice_option_id == poll["options"][0]["optionId"]
        assert ballot.ranking == "0"


def test_hashes_of_one_voter_differ_from_poll_to_poll(
    polls: Polls, client: FlaskClient, app: Flask
) -> None:
    for title in ("Best soup", "Best bread"):
        polls.vote(polls.open(title=title), "Pea", voter=client)

    with app.app_context():
        first, second = db.session.scalars(select(VoteBallot))
        for name in ("voter_token_hash", "ip_hash", "user_agent_hash"):
            assert getattr(first, name) != getattr(second, name)


class TestIdempotencyKey:
    def vote(self, client: FlaskClient, poll: dict, place: int = 0) -> object:
        choices = [poll["options"][place]["optionId"]]
        body = {"rankedChoices": choices, "idempotencyKey": "retry-1"}
        return client.post(f"/polls/{poll['pollId']}/vote", json=body)

    def test_a_retry_is_answered_as_the_first_was(self, polls: Polls, app: Flask) -> None:
        poll = polls.open()

        first = self.vote(app.test_client(), poll)
        again = self.vote(app.test_client(), poll)

        assert first.json == {"ok": True}
        assert again.json == {"ok": True, "deduped": True}
        assert count_ballots(app) == 1

    def test_a_retry_is_known_after_closing(self, polls: Polls, app: Flask, admin: Admin) -> None:
        poll = polls.open()
        self.vote(app.test_client(), poll)
        admin.close(poll["pollId"])

        assert self.vote(app.test_client(), poll).json == {"ok": True, "deduped": True}

    def test_another_ballot_under_the_same_key_is_refused(self, polls: Polls, app: Flask) -> None:
        poll = polls.open()
        self.vote(app.test_client(), poll)

        assert self.vote(app.test_client(), poll, place=1).status_code == 422

    @pytest.mark.postgresql
    def test_thirty_retries_at_once_make_one_ballot(self, polls: Polls, app: Flask) -> None:
        poll = polls.open()

        with ThreadPoolExecutor(30) as pool:
            answers = list(pool.map(lambda _: self.vote(app.test_client(), poll), range(30)))

        assert {answer.status_code for answer in answers} == {200}
        assert count_ballots(app) == 1


def test_thirty_votes_of_one_voter_at_once_make_one_ballot(polls: Polls, app: Flask) -> None:
    poll = polls.open(options=tuple(f"Soup {n}" for n in range(30)))
    seed = app.test_client()
    polls.vote(poll, "unknown", voter=seed)  # refused, but it leaves the cookie
    cookie = seed.get_cookie("vt").value

    def vote(place: int) -> int:
        voter = app.test_client()
        voter.set_cookie("vt", cookie)
        return polls.vote(poll, f"Soup {place}", voter=voter).status_code

    with ThreadPoolExecutor(30) as pool:
        statuses = list(pool.map(vote, range(30)))

    assert sorted(statuses) == [200] + [409] * 29
    assert count_ballots(app) == 1


@pytest.mark.parametrize("allowed", [1, 3])
def test_votes_per_address_count_accepted_ballots(
    polls: Polls, make_app: AppFactory, allowed: int
) -> None:
    poll = polls.open(**RANKED)
    crowded = Polls(make_app(votes_per_ip=allowed), polls.admin)
    crowded.vote(poll, "Pea")  # refused: too few ranks

    with ThreadPoolExecutor(8) as pool:
        votes = list(pool.map(lambda _: crowded.vote(poll, "Pea", "Corn").status_code, range(8)))

    assert sorted(votes) == [200] * allowed + [409] * (8 - allowed)

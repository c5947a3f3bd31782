"""Snapshots of a poll: kept versions of its result, taken at its closing and on request."""

from concurrent.futures import ThreadPoolExecutor

import pytest
from flask import Flask

from tests.conftest import AppFactory
from tests.support.api import Admin, Polls
from tests.support.snapshots import closed, lose_ballots, shown, take, versions

RANKED = {"pollType": "RANKED", "options": ("Leek", "Pea", "Corn")}


class TestOne:
    @pytest.mark.parametrize("fields", [{}, RANKED], ids=["single", "ranked"])
    def test_a_closed_poll_shows_the_result_of_its_closing(
        self, polls: Polls, admin: Admin, fields: dict
    ) -> None:
        poll = closed(polls, **fields)

        snapshot = shown(admin, poll)

        assert snapshot["instanceId"] == poll["pollId"]
        assert (snapshot["totalVotes"], snapshot["totalBallots"]) == (2, 2)
        assert snapshot["winnerOptionId"] == poll["options"][1]["optionId"]
        assert snapshot["resultsJson"] == polls.results(poll)
        assert snapshot["resultsJson"]["status"] == "CLOSED"
        assert (snapshot["version"], snapshot["reason"], snapshot["actor"]) == (1, "CLOSED", None)
        assert snapshot["createdAt"].endswith(("Z", "+00:00"))

    def test_unknown_polls_and_polls_without_snapshot_are_not_found(
        self, polls: Polls, admin: Admin
    ) -> None:
        poll = polls.open()

        assert admin.call("GET", f"/instances/{poll['pollId']}/snapshot").status_code == 404
        assert admin.call("GET", "/instances/nope/snapshot").status_code == 404
        assert admin.call("POST", "/instances/nope/snapshot").status_code == 404

    def test_an_open_polls_snapshot_is_an_interim_one(self, polls: Polls, admin: Admin) -> None:
        poll = polls.open()
        polls.vote(poll, "Pea")

        answer = admin.done("POST", f"/instances/{poll['pollId']}/snapshot")

        snapshot = answer.pop("snapshot")
        assert answer == {"ok": True, "instanceId": poll["pollId"], "snapshotId": snapshot["id"]}
        assert snapshot["reason"] == "INTERIM"
        assert snapshot["actor"] == "admin"
        assert snapshot["resultsJson"]["status"] == "OPEN"
        assert snapshot == shown(admin, poll)

    def test_the_same_result_is_kept_once(self, polls: Polls, admin: Admin, app: Flask) -> None:
        poll = closed(polls, **RANKED)

        again = take(admin, poll)

        assert again == shown(admin, poll)
        assert versions(app, poll) == [(1, "CLOSED", None)]

    def test_another_result_of_a_closed_poll_is_its_next_version(
        self, polls: Polls, admin: Admin, app: Flask
    ) -> None:
        poll = closed(polls)
        lose_ballots(app, poll)

        snapshot = take(admin, poll)

        assert versions(app, poll) == [(1, "CLOSED", None), (2, "REQUESTED", "admin")]
        assert snapshot["totalBallots"] == 0
        assert polls.results(poll)["totalVotes"] == 0

    def test_too_few_ballots_are_a_conflict_and_delete_nothing(
        self, polls: Polls, admin: Admin, app: Flask, make_app: AppFactory
    ) -> None:
        poll = closed(polls)

        strict = admin.at(make_app(min_votes=3))
        response = strict.call("POST", f"/instances/{poll['pollId']}/snapshot")

        assert response.status_code == 409
        assert "3" in response.json["detail"]
        assert versions(app, poll) == [(1, "CLOSED", None)]

    def test_the_audit_names_snapshot_and_poll(self, polls: Polls, admin: Admin) -> None:
        poll = polls.open()
        snapshot = take(admin, poll)

        (row,) = admin.audit(action="instance_snapshot_created")

        assert (row["entityType"], row["entityId"]) == ("snapshot", snapshot["id"])
        assert row["metadata"]["instanceId"] == poll["pollId"]

    @pytest.mark.postgresql
    def test_eight_requests_at_once_keep_one_version(
        self, polls: Polls, admin: Admin, app: Flask
    ) -> None:
        poll = polls.open()
        for version in range(1, 11):
            polls.vote(poll, "Pea")

            with ThreadPoolExecutor(8) as pool:
                ids = set(pool.map(lambda _: take(admin, poll)["id"], range(8)))

            assert len(ids) == 1
            assert versions(app, poll)[-1] == (version, "INTERIM", "admin")

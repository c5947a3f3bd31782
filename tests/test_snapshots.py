"""Snapshots: kept versions of results, taken at closing and whenever an admin asks."""

from concurrent.futures import ThreadPoolExecutor

import pytest
from flask import Flask
from sqlalchemy import delete, select

from allthing.database import db
from allthing.models import PollResultSnapshot, VoteBallot
from tests.api import Admin, Json, Polls
from tests.conftest import ADMIN_KEY, AppFactory
from tests.queries import engine_of, statements
from tests.under_way import vote_under_way

RANKED = {"pollType": "RANKED", "options": ("Leek", "Pea", "Corn")}
RUNS = ("create-missing", "regenerate", "create-for-active")


def run(admin: Admin, name: str) -> Json:
    return admin.done("POST", f"/snapshots/{name}")


def take(admin: Admin, poll: Json) -> Json:
    return admin.done("POST", f"/instances/{poll['pollId']}/snapshot")["snapshot"]


def shown(admin: Admin, poll: Json) -> Json:
    answer = admin.done("GET", f"/instances/{poll['pollId']}/snapshot")
    assert answer["ok"] is True
    return answer["snapshot"]


def versions(app: Flask, poll: Json) -> list[tuple[int, str, str | None]]:
    """Return version, reason and actor of all snapshots of a poll."""
    with app.app_context():
        rows = db.session.execute(
            select(PollResultSnapshot.version, PollResultSnapshot.reason, PollResultSnapshot.actor)
            .where(PollResultSnapshot.instance_id == poll["pollId"])
            .order_by(PollResultSnapshot.version)
        )
        return [tuple(row) for row in rows]


def lose_ballots(app: Flask, poll: Json) -> None:
    """Take a poll's ballots away behind the app's back, as a repair of the data may."""
    with app.app_context():
        db.session.execute(delete(VoteBallot).where(VoteBallot.instance_id == poll["pollId"]))
        db.session.commit()


def lose_snapshots(app: Flask) -> None:
    with app.app_context():
        db.session.execute(delete(PollResultSnapshot))
        db.session.commit()


def strict_admin(make_app: AppFactory, min_votes: int) -> Admin:
    return Admin(make_app(min_votes=min_votes).test_client(), ADMIN_KEY)


def closed(polls: Polls, admin: Admin, **fields: object) -> Json:
    """Open a poll, let two voters vote for Pea before Leek, close it."""
    poll = polls.open(**fields)
    for _ in range(2):
        assert polls.vote(poll, *(["Pea", "Leek"] if fields else ["Pea"])).status_code == 200
    admin.close(poll["pollId"])
    return poll


class TestOne:
    @pytest.mark.parametrize("fields", [{}, RANKED], ids=["single", "ranked"])
    def test_a_closed_poll_shows_the_result_of_its_closing(
        self, polls: Polls, admin: Admin, fields: dict
    ) -> None:
        poll = closed(polls, admin, **fields)

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
        poll = closed(polls, admin, **RANKED)

        again = take(admin, poll)

        assert again == shown(admin, poll)
        assert versions(app, poll) == [(1, "CLOSED", None)]

    def test_another_result_of_a_closed_poll_is_its_next_version(
        self, polls: Polls, admin: Admin, app: Flask
    ) -> None:
        poll = closed(polls, admin)
        lose_ballots(app, poll)

        snapshot = take(admin, poll)

        assert versions(app, poll) == [(1, "CLOSED", None), (2, "REQUESTED", "admin")]
        assert snapshot["totalBallots"] == 0
        assert polls.results(poll)["totalVotes"] == 0

    def test_too_few_ballots_are_a_conflict_and_delete_nothing(
        self, polls: Polls, admin: Admin, app: Flask, make_app: AppFactory
    ) -> None:
        poll = closed(polls, admin)

        strict = strict_admin(make_app, min_votes=3)
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


class TestOpenPolls:
    def test_results_of_an_open_poll_are_counted_live_beside_its_snapshot(
        self, polls: Polls, admin: Admin
    ) -> None:
        poll = polls.open()

        assert run(admin, "create-for-active")["createdCount"] == 1
        polls.vote(poll, "Pea")

        assert polls.results(poll)["totalVotes"] == 1

    def test_closing_writes_the_final_result_as_the_next_version(
        self, polls: Polls, admin: Admin, app: Flask
    ) -> None:
        poll = polls.open()
        polls.vote(poll, "Pea")
        run(admin, "create-for-active")

        assert admin.close(poll["pollId"])["snapshotCreated"] is True

        assert versions(app, poll) == [(1, "INTERIM", "admin"), (2, "CLOSED", None)]
        assert polls.results(poll)["status"] == "CLOSED"

    def test_a_poll_with_an_interim_snapshot_is_still_new_and_has_no_history(
        self, polls: Polls, admin: Admin, app: Flask
    ) -> None:
        poll = polls.open()
        run(admin, "create-for-active")
        history = f"/polls/templates/{poll['templateId']}/history"

        (listed,) = polls.listed()

        assert listed["isNew"] is True
        assert app.test_client().get(history).json == {"data": []}

    def test_an_interim_snapshot_is_never_the_result_of_a_closed_poll(
        self, polls: Polls, admin: Admin, app: Flask, make_app: AppFactory
    ) -> None:
        poll = polls.open()
        run(admin, "create-for-active")
        polls.vote(poll, "Pea")
        strict_admin(make_app, min_votes=5).close(poll["pollId"])
        history = f"/polls/templates/{poll['templateId']}/history"

        assert polls.results(poll)["totalVotes"] == 1
        assert app.test_client().get(history).json == {"data": []}
        assert run(admin, "create-missing")["createdCount"] == 1
        assert versions(app, poll) == [(1, "INTERIM", "admin"), (2, "MISSING", "admin")]

    def test_counts_are_those_of_open_polls(self, polls: Polls, admin: Admin) -> None:
        closed(polls, admin)
        polls.open(title="Best bread")

        first, second = run(admin, "create-for-active"), run(admin, "create-for-active")

        assert (first["createdCount"], first["totalActive"]) == (1, 1)
        assert (second["createdCount"], second["totalActive"]) == (0, 1)
        assert "unchanged since the last: 1" in second["message"]


class TestMissing:
    def test_closed_polls_without_result_get_one(
        self, polls: Polls, admin: Admin, app: Flask
    ) -> None:
        poll = closed(polls, admin, **RANKED)
        polls.open(title="Still open")
        lose_snapshots(app)

        answer = run(admin, "create-missing")

        assert (answer["createdCount"], answer["totalMissing"]) == (1, 1)
        assert versions(app, poll) == [(1, "MISSING", "admin")]
        assert run(admin, "create-missing")["totalMissing"] == 0

    def test_the_template_is_not_new_any_more_at_once(
        self, polls: Polls, admin: Admin, app: Flask
    ) -> None:
        poll = closed(polls, admin)
        lose_snapshots(app)
        admin.done("PATCH", f"/templates/{poll['templateId']}", {"durationDays": 2})
        admin.rollover("2031-05-04")
        listed = app.test_client().get("/polls?pollDate=2031-05-04").json["data"]["categories"]
        assert listed[0]["polls"][0]["isNew"] is True

        run(admin, "create-missing")

        listed = app.test_client().get("/polls?pollDate=2031-05-04").json["data"]["categories"]
        assert listed[0]["polls"][0]["isNew"] is False

    def test_too_few_ballots_stay_missing(
        self, polls: Polls, admin: Admin, app: Flask, make_app: AppFactory
    ) -> None:
        closed(polls, admin)
        lose_snapshots(app)

        answer = run(strict_admin(make_app, min_votes=3), "create-missing")

        assert (answer["createdCount"], answer["totalMissing"]) == (0, 1)
        assert "with too few ballots: 1" in answer["message"]


class TestRegenerating:
    @pytest.mark.parametrize("fields", [{}, RANKED], ids=["single", "ranked"])
    def test_nothing_that_is_the_same_gets_another_version(
        self, polls: Polls, admin: Admin, app: Flask, fields: dict
    ) -> None:
        poll = closed(polls, admin, **fields)

        answer = run(admin, "regenerate")

        assert (answer["regeneratedCount"], answer["totalClosed"]) == (1, 1)
        assert answer["changedCount"] == 0
        assert versions(app, poll) == [(1, "CLOSED", None)]

    def test_what_differs_becomes_a_version_that_is_served_everywhere(
        self, polls: Polls, admin: Admin, app: Flask
    ) -> None:
        poll, same = closed(polls, admin), closed(polls, admin, **RANKED)
        assert polls.results(poll)["totalVotes"] == 2
        lose_ballots(app, poll)

        answer = run(admin, "regenerate")

        assert (answer["regeneratedCount"], answer["changedCount"]) == (2, 1)
        assert versions(app, poll) == [(1, "CLOSED", None), (2, "REGENERATED", "admin")]
        assert len(versions(app, same)) == 1
        assert polls.results(poll)["totalVotes"] == 0
        assert shown(admin, poll)["totalVotes"] == 0
        history = app.test_client().get(f"/polls/templates/{poll['templateId']}/history")
        assert [past["totalVotes"] for past in history.json["data"]] == [0]

    def test_the_counts_are_there_without_any_closed_poll(self, admin: Admin) -> None:
        answer = run(admin, "regenerate")

        assert (answer["regeneratedCount"], answer["totalClosed"]) == (0, 0)
        assert isinstance(answer["message"], str)

    def test_a_raised_minimum_keeps_what_is_there(
        self, polls: Polls, admin: Admin, app: Flask, make_app: AppFactory
    ) -> None:
        poll = closed(polls, admin)
        lose_ballots(app, poll)

        answer = run(strict_admin(make_app, min_votes=3), "regenerate")

        assert (answer["regeneratedCount"], answer["totalClosed"]) == (0, 1)
        assert shown(admin, poll)["totalVotes"] == 2

    @pytest.mark.postgresql
    def test_four_runs_at_once_keep_one_new_version(
        self, polls: Polls, admin: Admin, app: Flask
    ) -> None:
        poll = closed(polls, admin)
        lose_ballots(app, poll)

        with ThreadPoolExecutor(4) as pool:
            changed = list(pool.map(lambda _: run(admin, "regenerate")["changedCount"], range(4)))

        assert sorted(changed) == [0, 0, 0, 1]
        assert [version for version, *_ in versions(app, poll)] == [1, 2]


@pytest.mark.parametrize("name", RUNS)
def test_every_run_is_audited_with_its_counts(polls: Polls, admin: Admin, name: str) -> None:
    polls.open()
    closed(polls, admin, title="Best bread", **RANKED)

    answer = run(admin, name)

    row = admin.audit(entityType="snapshot")[0]
    counts = {key: answer[key] for key in answer if key.endswith("Count") or key.startswith("tot")}
    assert counts.items() <= row["metadata"].items()


@pytest.mark.parametrize("name", ["regenerate", "create-for-active"])
def test_ballots_are_grouped_and_only_counting_asks_per_poll(
    polls: Polls, admin: Admin, app: Flask, name: str
) -> None:
    sent = []
    for number in range(3):
        for _ in range(2):
            poll = polls.open(title=f"Soup {len(sent)} {number}", **RANKED)
            for _ in range(2 * number):
                polls.vote(poll, "Pea", "Leek")
            if name == "regenerate":
                admin.close(poll["pollId"])
        with statements(engine_of(app)) as seen:
            run(admin, name)
        counting = [sql for sql, _ in seen if '"voteBallots"' in sql]
        assert all("GROUP BY" in sql for sql in counting)
        assert len(counting) == 2 * (number + 1)
        sent.append(len(seen) - len(counting))

    assert sent[1] == sent[2]


@pytest.mark.postgresql
def test_snapshots_of_open_polls_and_votes_under_way_do_not_wait_for_each_other(
    polls: Polls, admin: Admin, app: Flask
) -> None:
    poll = polls.open()
    with vote_under_way(app, poll):
        assert run(admin, "create-for-active")["createdCount"] == 1
        assert take(admin, poll)["version"] == 1

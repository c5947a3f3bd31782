"""Snapshots of many polls at once: of all that are open, of what is missing, and all over again."""

from concurrent.futures import ThreadPoolExecutor

import pytest
from flask import Flask

from tests.conftest import AppFactory
from tests.support.api import Admin, Json, Polls
from tests.support.queries import engine_of, statements
from tests.support.snapshots import closed, lose_ballots, lose_snapshots, shown, take, versions
from tests.support.uncommitted_votes import uncommitted_vote

RANKED = {"pollType": "RANKED", "options": ("Leek", "Pea", "Corn")}
RUNS = ("create-missing", "regenerate", "create-for-active")


def run(admin: Admin, name: str) -> Json:
    return admin.done("POST", f"/snapshots/{name}")


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
        admin.at(make_app(min_votes=5)).close(poll["pollId"])
        history = f"/polls/templates/{poll['templateId']}/history"

        assert polls.results(poll)["totalVotes"] == 1
        assert app.test_client().get(history).json == {"data": []}
        assert run(admin, "create-missing")["createdCount"] == 1
        assert versions(app, poll) == [(1, "INTERIM", "admin"), (2, "MISSING", "admin")]

    def test_counts_are_those_of_open_polls(self, polls: Polls, admin: Admin) -> None:
        closed(polls)
        polls.open(title="Best bread")

        first, second = run(admin, "create-for-active"), run(admin, "create-for-active")

        assert (first["createdCount"], first["totalActive"]) == (1, 1)
        assert (second["createdCount"], second["totalActive"]) == (0, 1)
        assert "unchanged since the last: 1" in second["message"]


class TestMissing:
    def test_closed_polls_without_result_get_one(
        self, polls: Polls, admin: Admin, app: Flask
    ) -> None:
        poll = closed(polls, **RANKED)
        polls.open(title="Still open")
        lose_snapshots(app)

        answer = run(admin, "create-missing")

        assert (answer["createdCount"], answer["totalMissing"]) == (1, 1)
        assert versions(app, poll) == [(1, "MISSING", "admin")]
        assert run(admin, "create-missing")["totalMissing"] == 0

    def test_the_template_is_not_new_any_more_at_once(
        self, polls: Polls, admin: Admin, app: Flask
    ) -> None:
        poll = closed(polls)
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
        closed(polls)
        lose_snapshots(app)

        answer = run(admin.at(make_app(min_votes=3)), "create-missing")

        assert (answer["createdCount"], answer["totalMissing"]) == (0, 1)
        assert "with too few ballots: 1" in answer["message"]


class TestRegenerating:
    @pytest.mark.parametrize("fields", [{}, RANKED], ids=["single", "ranked"])
    def test_nothing_that_is_the_same_gets_another_version(
        self, polls: Polls, admin: Admin, app: Flask, fields: dict
    ) -> None:
        poll = closed(polls, **fields)

        answer = run(admin, "regenerate")

        assert (answer["regeneratedCount"], answer["totalClosed"]) == (1, 1)
        assert answer["changedCount"] == 0
        assert versions(app, poll) == [(1, "CLOSED", None)]

    def test_what_differs_becomes_a_version_that_is_served_everywhere(
        self, polls: Polls, admin: Admin, app: Flask
    ) -> None:
        poll, same = closed(polls), closed(polls, **RANKED)
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
        poll = closed(polls)
        lose_ballots(app, poll)

        answer = run(admin.at(make_app(min_votes=3)), "regenerate")

        assert (answer["regeneratedCount"], answer["totalClosed"]) == (0, 1)
        assert shown(admin, poll)["totalVotes"] == 2

    @pytest.mark.postgresql
    def test_four_runs_at_once_keep_one_new_version(
        self, polls: Polls, admin: Admin, app: Flask
    ) -> None:
        poll = closed(polls)
        lose_ballots(app, poll)

        with ThreadPoolExecutor(4) as pool:
            changed = list(pool.map(lambda _: run(admin, "regenerate")["changedCount"], range(4)))

        assert sorted(changed) == [0, 0, 0, 1]
        assert [version for version, *_ in versions(app, poll)] == [1, 2]


@pytest.mark.parametrize("name", RUNS)
def test_every_run_is_audited_with_its_counts(polls: Polls, admin: Admin, name: str) -> None:
    polls.open()
    closed(polls, title="Best bread", **RANKED)

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
    with uncommitted_vote(app, poll):
        assert run(admin, "create-for-active")["createdCount"] == 1
        assert take(admin, poll)["version"] == 1

"""One instance at a time: shown, moved to another category, replaced."""

from concurrent.futures import ThreadPoolExecutor

import pytest
from flask import Flask

from tests.conftest import AppFactory
from tests.support.api import Admin, Json, Polls, today
from tests.support.uncommitted_votes import commit_when_waited_for, uncommitted_vote


def instance(admin: Admin, instance_id: str) -> Json:
    return admin.done("GET", f"/instances/{instance_id}")["instance"]


def replace(admin: Admin, poll: Json) -> Json:
    return admin.done("POST", f"/instances/{poll['pollId']}/replace")


class TestMoving:
    def test_a_moved_poll_is_listed_in_its_new_category_at_once(
        self, polls: Polls, admin: Admin, app: Flask
    ) -> None:
        poll = polls.open()
        drinks = admin.category(key="drinks", name="Drinks")

        moved = admin.done(
            "PATCH", f"/instances/{poll['pollId']}", {"categoryId": drinks["id"], "title": "x"}
        )

        assert moved == {"ok": True, "instanceId": poll["pollId"], "categoryId": drinks["id"]}
        (category,) = app.test_client().get("/polls/today").json["data"]["categories"]
        assert category["categoryKey"] == "drinks"
        assert category["polls"][0]["title"] == "Best soup"

    def test_the_template_of_a_moved_poll_stays_where_it_is(
        self, polls: Polls, admin: Admin
    ) -> None:
        poll = polls.open()
        drinks = admin.category(key="drinks")
        admin.done("PATCH", f"/instances/{poll['pollId']}", {"categoryId": drinks["id"]})

        template = admin.done("GET", f"/templates/{poll['templateId']}")["template"]

        assert template["categoryId"] != drinks["id"]

    def test_the_audit_keeps_both_categories(self, polls: Polls, admin: Admin) -> None:
        poll = polls.open()
        before = instance(admin, poll["pollId"])["categoryId"]
        after = admin.category(key="drinks")["id"]
        admin.done("PATCH", f"/instances/{poll['pollId']}", {"categoryId": after})

        (row,) = admin.audit(action="instance_category_updated")

        assert (row["entityType"], row["entityId"]) == ("instance", poll["pollId"])
        assert row["changes"] == {"before": {"categoryId": before}, "after": {"categoryId": after}}

    def test_unknown_poll_or_category_is_not_found(self, polls: Polls, admin: Admin) -> None:
        path = f"/instances/{polls.open()['pollId']}"
        category_id = admin.category(key="drinks")["id"]

        assert admin.call("PATCH", path, {"categoryId": "nope"}).status_code == 404
        assert admin.call("PATCH", path, {"categoryId": None}).status_code == 422
        assert admin.call("PATCH", path, {}).status_code == 422
        other = admin.call("PATCH", "/instances/nope", {"categoryId": category_id})
        assert other.status_code == 404


class TestReplacing:
    def test_answer_names_both_polls(self, polls: Polls, admin: Admin) -> None:
        poll = polls.open()

        replaced = replace(admin, poll)

        new_id = replaced.pop("newInstanceId")
        assert new_id != poll["pollId"]
        assert replaced == {
            "ok": True,
            "oldInstanceId": poll["pollId"],
            "snapshotCreated": True,
            "pollDate": today(),
            "templateId": poll["templateId"],
            "usedPlan": False,
        }

    def test_the_old_poll_is_closed_and_keeps_its_votes_and_its_result(
        self, polls: Polls, admin: Admin
    ) -> None:
        poll = polls.open()
        polls.vote(poll, "Pea")

        replace(admin, poll)

        old = instance(admin, poll["pollId"])
        assert old["status"] == "CLOSED"
        assert old["replacedAt"] is not None
        result = polls.results(poll)
        assert (result["status"], result["totalVotes"]) == ("CLOSED", 1)
        assert polls.vote(poll, "Leek").status_code == 409

    def test_the_new_poll_is_the_template_as_it_is_now(self, polls: Polls, admin: Admin) -> None:
        poll = polls.open()
        drinks = admin.category(key="drinks")
        changes = {"title": "Best juice", "categoryId": drinks["id"], "durationDays": 3}
        admin.done("PATCH", f"/templates/{poll['templateId']}", changes)
        options = [{"label": label} for label in ("Apple", "Pear", "Plum")]
        admin.done("PUT", f"/templates/{poll['templateId']}/options", {"options": options})

        new_id = replace(admin, poll)["newInstanceId"]

        (listed,) = polls.listed()
        assert listed["pollId"] == new_id
        assert listed["title"] == "Best juice"
        assert [option["label"] for option in listed["options"]] == ["Apple", "Pear", "Plum"]
        shown = instance(admin, new_id)
        assert (shown["status"], shown["categoryId"]) == ("OPEN", drinks["id"])
        assert shown["pollDate"] == today() < shown["closeDate"]

    def test_a_voter_of_the_old_poll_may_vote_in_the_new_one(
        self, polls: Polls, admin: Admin, app: Flask
    ) -> None:
        poll, voter = polls.open(), app.test_client()
        polls.vote(poll, "Pea", voter=voter)
        replace(admin, poll)

        (new,) = polls.listed()

        assert polls.vote(new, "Leek", voter=voter).status_code == 200
        assert polls.results(new)["totalVotes"] == 1

    def test_the_plan_of_the_date_is_used(self, polls: Polls, admin: Admin) -> None:
        poll = polls.open()
        admin.plan(poll["templateId"], today(), questionOverride="And in winter?")

        replaced = replace(admin, poll)

        assert replaced["usedPlan"] is True
        assert instance(admin, replaced["newInstanceId"])["question"] == "And in winter?"

    def test_a_date_that_the_plan_skips_can_not_be_replaced(
        self, polls: Polls, admin: Admin
    ) -> None:
        poll = polls.open()
        admin.plan(poll["templateId"], today(), isEnabled=False)

        response = admin.call("POST", f"/instances/{poll['pollId']}/replace")

        assert response.status_code == 409
        assert instance(admin, poll["pollId"])["status"] == "OPEN"

    def test_closed_and_unknown_polls_are_refused(self, polls: Polls, admin: Admin) -> None:
        poll = polls.open()
        admin.close(poll["pollId"])

        closed = admin.call("POST", f"/instances/{poll['pollId']}/replace")

        assert closed.status_code == 409
        assert admin.call("POST", "/instances/nope/replace").status_code == 404

    def test_a_replacement_can_be_replaced_and_a_rollover_adds_nothing(
        self, polls: Polls, admin: Admin
    ) -> None:
        first = polls.open()
        replace(admin, first)
        (second,) = polls.listed()
        third = replace(admin, second)["newInstanceId"]

        assert admin.rollover()["createdCount"] == 0

        assert [poll["pollId"] for poll in polls.listed()] == [third]

    def test_too_few_ballots_leave_no_snapshot(
        self, polls: Polls, admin: Admin, make_app: AppFactory
    ) -> None:
        poll = polls.open()
        strict = admin.at(make_app(min_votes=2))

        assert replace(strict, poll)["snapshotCreated"] is False

    def test_the_audit_names_both_polls(self, polls: Polls, admin: Admin) -> None:
        poll = polls.open()
        replaced = replace(admin, poll)

        (row,) = admin.audit(action="instance_replaced")

        assert (row["entityType"], row["entityId"]) == ("instance", poll["pollId"])
        assert row["metadata"]["newInstanceId"] == replaced["newInstanceId"]

    @pytest.mark.postgresql
    def test_two_replacements_at_once_make_one_poll(self, polls: Polls, admin: Admin) -> None:
        for _ in range(5):
            poll = polls.open()

            with ThreadPoolExecutor(4) as pool:
                paths = [f"/instances/{poll['pollId']}/replace"] * 4
                statuses = list(pool.map(lambda p: admin.call("POST", p).status_code, paths))

            assert sorted(statuses) == [200, 409, 409, 409]
            listed = [p for p in polls.listed() if p["templateId"] == poll["templateId"]]
            assert len(listed) == 1

    @pytest.mark.postgresql
    def test_every_acknowledged_vote_is_in_the_old_polls_result(
        self, polls: Polls, admin: Admin, app: Flask
    ) -> None:
        poll = polls.open()
        with ThreadPoolExecutor(1) as pool, uncommitted_vote(app, poll) as vote:
            replacing = pool.submit(replace, admin, poll)
            commit_when_waited_for(app, vote)
            replacing.result()

        assert polls.results(poll)["totalVotes"] == 1

    @pytest.mark.postgresql
    def test_replacing_rolling_over_and_deleting_at_once_never_block_each_other(
        self, polls: Polls, admin: Admin
    ) -> None:
        for _ in range(5):
            poll = polls.open()
            calls = [
                ("POST", f"/instances/{poll['pollId']}/replace"),
                ("DELETE", f"/templates/{poll['templateId']}?force=true"),
                ("POST", f"/rollover?pollDate={today()}"),
                ("POST", f"/instances/{poll['pollId']}/snapshot"),
                ("POST", f"/instances/{poll['pollId']}/close"),
            ]

            with ThreadPoolExecutor(len(calls)) as pool:
                answers = list(pool.map(lambda call: admin.call(*call), calls))

            assert {answer.status_code for answer in answers} <= {200, 404, 409}
            assert answers[1].status_code == 200
            assert polls.listed() == []

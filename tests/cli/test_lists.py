"""What commands list: a line per row, or an array."""

import json
from datetime import timedelta

import pytest
import time_machine
from flask import Flask
from flask.testing import FlaskCliRunner

from allthing.database import db
from allthing.models import AdminAuditLog
from allthing.runtime import clock
from tests.support.api import Admin, Json, Polls, today
from tests.support.queries import statements
from tests.support.snapshots import lose_snapshots

LISTS = ("categories", "templates", "plans", "instances", "snapshots", "votes", "audit-logs")
WIDTH = 100


def rows(runner: FlaskCliRunner, *args: str) -> list[Json]:
    result = runner.invoke(args=[*args, "--json"])
    assert (result.exit_code, result.stderr) == (0, ""), result.output
    array: list[Json] = json.loads(result.stdout)
    assert isinstance(array, list)
    return array


def lines(runner: FlaskCliRunner, *args: str) -> list[str]:
    result = runner.invoke(args=list(args))
    assert result.exit_code == 0, result.output
    return result.stdout.splitlines()


@pytest.mark.parametrize("name", [*LISTS, "find-missing-snapshots"])
def test_nothing_stored_is_an_empty_array(runner: FlaskCliRunner, name: str) -> None:
    assert rows(runner, name) == []


@pytest.mark.parametrize("name", LISTS)
def test_each_row_has_a_line_that_fits_a_terminal(
    app: Flask, runner: FlaskCliRunner, polls: Polls, name: str
) -> None:
    for number in range(3):
        poll = polls.open(title=f"Which of all these soups is the best one, number {number}?")
        polls.vote(poll, "Leek")
        polls.admin.plan(poll["templateId"], today(), questionOverride="And which today? " * 9)
        polls.admin.close(poll["pollId"])

    printed = lines(runner, name)

    assert len(printed) == len(rows(runner, name)) >= 3
    assert max(map(len, printed)) <= WIDTH, printed


@pytest.mark.parametrize("name", LISTS)
def test_a_longer_list_takes_no_more_queries(
    app: Flask, runner: FlaskCliRunner, polls: Polls, name: str
) -> None:
    sent = []
    for _ in range(2):
        for _ in range(2):
            polls.vote(polls.open(), "Pea")
        with app.app_context(), statements(db.engine) as queries:
            rows(runner, name)
        sent.append(len(queries))

    assert sent[0] == sent[1] > 0


def test_categories_are_listed_as_a_tree(runner: FlaskCliRunner, admin: Admin) -> None:
    food = admin.category(key="food", name="Food", sortOrder=1)
    admin.category(key="soups", name="Soups", parentCategoryId=food["id"])
    admin.category(key="arts", name="Arts", sortOrder=0)

    found = rows(runner, "categories")

    assert [row["key"] for row in found] == ["arts", "food", "soups"]
    assert found[2]["parentCategoryId"] == food["id"]
    assert [line[36:].split() for line in lines(runner, "categories")] == [
        ["Arts", "arts"],
        ["Food", "food"],
        ["Soups", "soups"],
    ]


def test_templates_are_filtered(runner: FlaskCliRunner, admin: Admin) -> None:
    active, resting = admin.template(), admin.template(isActive=False)

    def ids(*filters: str) -> set[str]:
        return {row["id"] for row in rows(runner, "templates", *filters)}

    assert ids() == {active["id"], resting["id"]}
    assert ids("--active") == {active["id"]}
    assert ids("--resting") == {resting["id"]}
    assert ids("--category-id", resting["categoryId"]) == {resting["id"]}
    assert ids("--category-id", "unknown") == set()


def test_plans_are_filtered(runner: FlaskCliRunner, admin: Admin) -> None:
    soup, tea = admin.template(), admin.template()
    admin.plan(soup["id"], "2031-05-04", isEnabled=False)
    admin.plan(soup["id"], "2031-05-06")
    admin.plan(tea["id"], "2031-05-05")

    def days(*filters: str) -> list[str]:
        return [row["pollDate"][-2:] for row in rows(runner, "plans", *filters)]

    assert days() == ["04", "05", "06"]
    assert days("--template-id", soup["id"]) == ["04", "06"]
    assert days("--from", "2031-05-05") == ["05", "06"]
    assert days("--to", "2031-05-05") == ["04", "05"]
    assert "no poll" in lines(runner, "plans")[0]


def test_instances_are_filtered_newest_first(runner: FlaskCliRunner, polls: Polls) -> None:
    tomorrow = clock.now() + timedelta(days=1)
    first = polls.open(durationDays=3)
    with time_machine.travel(tomorrow, tick=False):
        second = polls.open()
        day = today()
    polls.admin.close(first["pollId"])

    def ids(*filters: str) -> list[str]:
        return [row["id"] for row in rows(runner, "instances", *filters)]

    assert ids() == [second["pollId"], first["pollId"]]
    assert ids("--date", day) == [second["pollId"]]
    assert ids("--status", "closed") == [first["pollId"]]
    assert ids("--template-id", second["templateId"]) == [second["pollId"]]
    assert ids("--template-id", second["templateId"], "--status", "CLOSED") == []


def test_a_list_that_is_cut_says_so(runner: FlaskCliRunner, polls: Polls) -> None:
    for _ in range(3):
        polls.open()

    cut = runner.invoke(args=["instances", "--limit", "2", "--json"])
    whole = runner.invoke(args=["instances", "--limit", "3", "--json"])

    assert (len(json.loads(cut.stdout)), len(json.loads(whole.stdout))) == (2, 3)
    assert "--limit" in cut.stderr
    assert whole.stderr == ""


def test_snapshots_of_a_poll_are_listed_newest_first(runner: FlaskCliRunner, polls: Polls) -> None:
    poll, other = polls.open(), polls.open()
    polls.admin.done("POST", f"/instances/{poll['pollId']}/snapshot")
    polls.vote(poll, "Leek")
    for each in (poll, other):
        polls.admin.close(each["pollId"])

    found = rows(runner, "snapshots", "--instance-id", poll["pollId"])

    assert [(row["version"], row["reason"]) for row in found] == [(2, "CLOSED"), (1, "INTERIM")]
    assert [row["totalBallots"] for row in found] == [1, 0]
    assert len(rows(runner, "snapshots")) == 3


def test_missing_snapshots_are_listed_and_counted(
    app: Flask, runner: FlaskCliRunner, polls: Polls
) -> None:
    poll = polls.open()
    polls.vote(poll, "Leek")
    polls.admin.close(poll["pollId"])
    lose_snapshots(app)

    (found,) = rows(runner, "find-missing-snapshots")
    printed = lines(runner, "find-missing-snapshots")

    assert (found["instanceId"], found["ballots"]) == (poll["pollId"], 1)
    assert printed[0].startswith(poll["pollId"])
    assert printed[1:] == ["1 closed polls have no snapshot"]
    runner.invoke(args=["create-missing-snapshots"])
    assert lines(runner, "find-missing-snapshots") == ["0 closed polls have no snapshot"]


def test_text_that_steers_a_terminal_is_not_printed(app: Flask, runner: FlaskCliRunner) -> None:
    with app.app_context():
        db.session.add(AdminAuditLog(action="x", success=False, error_message="bad\rgood\u202e"))
        db.session.commit()

    assert lines(runner, "audit-logs")[0].endswith("bad good")

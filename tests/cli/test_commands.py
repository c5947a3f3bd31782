"""The operator's commands, as `flask` runs them."""

import json

import pytest
from flask import Flask
from flask.testing import FlaskCliRunner

from tests.conftest import ROOT, AppFactory
from tests.support.api import Admin, Polls, today


def own_commands(app: Flask) -> list[str]:
    return [name for name in app.cli.commands if name != "db"]


def test_all_commands_are_there(app: Flask) -> None:
    names = """categories templates plans instances snapshots votes audit-logs rollover close
        close-instance replace-instance create-category update-template-category
        update-instance-category delete-template find-missing-snapshots create-missing-snapshots
        regenerate-snapshots recount verify-results test-vote export check about seed-demo try-it"""
    assert sorted(own_commands(app)) == sorted(names.split())


def test_every_command_explains_itself(app: Flask, runner: FlaskCliRunner) -> None:
    for name in own_commands(app):
        result = runner.invoke(args=[name, "--help"])

        assert result.exit_code == 0
        assert app.cli.commands[name].help, name


def test_every_command_is_in_the_readme(app: Flask) -> None:
    readme = (ROOT / "README.md").read_text()

    assert [name for name in own_commands(app) if f"\nflask {name} " not in readme] == []


def test_unknown_flags_are_errors(app: Flask, runner: FlaskCliRunner) -> None:
    for name in own_commands(app):
        assert runner.invoke(args=[name, "--nonsense"]).exit_code == 2


def test_rollover_opens_today(runner: FlaskCliRunner, admin: Admin, polls: Polls) -> None:
    admin.template()

    result = runner.invoke(args=["rollover"])

    assert result.output == f"{today()}: 1 polls opened, 0 closed\n"
    assert len(polls.listed()) == 1
    row = admin.audit()[0]
    assert (row["action"], row["success"]) == ("rollover_run", True)
    assert row["metadata"]["via"] == "cli"
    assert row["metadata"]["createdCount"] == 1


def test_close_freezes_what_ended(runner: FlaskCliRunner, admin: Admin, polls: Polls) -> None:
    polls.open()

    result = runner.invoke(args=["close", "--date", today()])

    assert result.output == f"{today()}: 1 polls closed, 1 snapshots\n"
    assert polls.listed() == []
    assert admin.audit()[0]["action"] == "polls_closed"


def test_create_category_is_audited(runner: FlaskCliRunner, admin: Admin) -> None:
    result = runner.invoke(args=["create-category", "--key", "food", "--name", "Food"])

    (category,) = admin.done("GET", "/categories")["categories"]
    assert result.output == f"category food created: {category['id']}\n"
    row = admin.audit()[0]
    assert (row["entityId"], row["changes"]["after"]["key"]) == (category["id"], "food")


@pytest.mark.parametrize("key", ["food", "NOT A KEY"])
def test_a_refused_command_exits_with_1_and_is_audited(
    runner: FlaskCliRunner, admin: Admin, key: str
) -> None:
    admin.category(key="food")

    result = runner.invoke(args=["create-category", "--key", key, "--name", "Food"])

    assert result.exit_code == 1
    assert result.output.startswith("Error: ")
    assert len(admin.done("GET", "/categories")["categories"]) == 1
    row = admin.audit()[0]
    assert (row["action"], row["success"]) == ("category_created", False)


def test_audit_logs_shows_a_line_per_row(runner: FlaskCliRunner, admin: Admin) -> None:
    admin.category(key="food")
    admin.call("PUT", "/categories/unknown", {"name": "Meals"})

    lines = runner.invoke(args=["audit-logs"]).output.splitlines()
    failed = runner.invoke(args=["audit-logs", "--failed"]).output.splitlines()

    assert ["category_updated" in lines[0], "category_created" in lines[1]] == [True, True]
    assert failed == [lines[0]]


def test_demo_is_loaded_once(runner: FlaskCliRunner, polls: Polls) -> None:
    first = runner.invoke(args=["seed-demo"]).output
    second = runner.invoke(args=["seed-demo"]).output

    assert first == "demo loaded: 5 categories, 11 templates\n"
    assert second == "the database has categories already: demo left out\n"
    listed = polls.listed()
    assert {poll["pollType"] for poll in listed} == {"SINGLE", "RANKED"}
    assert {poll["featured"] for poll in listed} == {True, False}


def test_commands_to_try_name_a_poll_of_today(runner: FlaskCliRunner, polls: Polls) -> None:
    poll = polls.open()

    lines = runner.invoke(
        args=["try-it", "--url", "http://127.0.0.1:8080", "--admin-key", "key"]
    ).output.splitlines()

    assert len(lines) == 3
    assert poll["pollId"] in lines[1]


def test_a_database_that_is_away_ends_a_command_with_a_sentence(make_app: AppFactory) -> None:
    app = make_app(database_url="postgresql://nobody@127.0.0.1:1/none")

    result = app.test_cli_runner().invoke(args=["rollover"])

    assert result.exit_code == 1
    assert result.output == "Error: the database does not answer, try again soon\n"


@pytest.mark.parametrize("args", [["instances"], ["export"], ["votes", "--json"]], ids=" ".join)
def test_a_database_that_is_away_ends_a_list_with_a_sentence(
    make_app: AppFactory, args: list[str]
) -> None:
    app = make_app(database_url="postgresql://nobody@127.0.0.1:1/none")

    result = app.test_cli_runner().invoke(args=args)

    assert result.exit_code == 1
    assert result.stderr == "Error: the database does not answer, try again soon\n"
    assert ("error" in result.stdout) == ("--json" in args)


@pytest.mark.parametrize("day", ["tomorrow", "2026-02-30", "0001-01-01", "9999-12-31", "2026-1-1"])
@pytest.mark.parametrize("command", ["rollover", "close", "votes", "instances"])
def test_an_impossible_date_is_a_wrong_call(
    runner: FlaskCliRunner, admin: Admin, command: str, day: str
) -> None:
    result = runner.invoke(args=[command, "--date", day])

    assert result.exit_code == 2
    assert admin.audit() == []


def test_an_argument_in_another_encoding_is_a_wrong_call(
    runner: FlaskCliRunner, admin: Admin
) -> None:
    result = runner.invoke(args=["close-instance", "caf\udce9"])

    assert (result.exit_code, admin.audit()) == (2, [])


def test_dry_run_says_what_the_rollover_would_do_and_does_nothing(
    runner: FlaskCliRunner, admin: Admin, polls: Polls
) -> None:
    admin.template(title="Best soup")
    known = len(admin.audit())

    dry = runner.invoke(args=["rollover", "--dry-run"])
    as_json = runner.invoke(args=["rollover", "--dry-run", "--json"])

    assert dry.output == f"opens   Best soup (until {today()})\n"
    assert [opening["title"] for opening in json.loads(as_json.output)["opens"]] == ["Best soup"]
    assert len(admin.audit()) == known
    assert runner.invoke(args=["rollover"]).output == f"{today()}: 1 polls opened, 0 closed\n"

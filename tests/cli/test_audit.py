"""What commands change is audited, as what admins change over HTTP is.

These tests walk the commands, so that a new one can't escape them.
"""

import json
import os
from collections.abc import Callable

import pytest
from flask import Flask
from flask.testing import FlaskCliRunner
from sqlalchemy import text

from allthing.admin.audit import Audited, audited_view
from allthing.database import Base, db
from allthing.schedule import instances
from tests.conftest import AppFactory
from tests.support.api import Admin, Polls, today
from tests.support.snapshots import lose_snapshots

# Arguments with which a command succeeds, and those with which the rules refuse it, if they can.
Arguments = Callable[[Polls], list[str]]
UNKNOWN = ["no-such-id"]
VALID: dict[str, Arguments] = {
    "rollover": lambda _: [],
    "close": lambda _: ["--date", today()],
    "close-instance": lambda polls: [polls.open()["pollId"]],
    "replace-instance": lambda polls: [polls.open()["pollId"]],
    "create-category": lambda _: ["--key", "food", "--name", "Food"],
    "update-template-category": lambda polls: [
        polls.admin.template()["id"],
        "--category-id",
        polls.admin.category()["id"],
    ],
    "update-instance-category": lambda polls: [
        polls.open()["pollId"],
        "--category-id",
        polls.admin.category()["id"],
    ],
    "delete-template": lambda polls: [polls.open()["templateId"], "--force"],
    "create-missing-snapshots": lambda _: [],
    "regenerate-snapshots": lambda _: [],
    "test-vote": lambda polls: ["--instance-id", polls.open()["pollId"], "--count", "3"],
    "seed-demo": lambda _: [],
}
REFUSED: dict[str, list[str]] = {
    "close-instance": UNKNOWN,
    "replace-instance": UNKNOWN,
    "create-category": ["--key", "NOT A KEY", "--name", "Food"],
    "update-template-category": [*UNKNOWN, "--category-id", "x"],
    "update-instance-category": [*UNKNOWN, "--category-id", "x"],
    "delete-template": UNKNOWN,
    "test-vote": ["--instance-id", *UNKNOWN],
}


def audited_commands(app: Flask) -> dict[str, Audited]:
    marked = {
        name: getattr(command.callback, "audited", None)
        for name, command in app.cli.commands.items()
    }
    return {name: what for name, what in marked.items() if what is not None}


def test_commands_and_routes_call_the_same_action_by_the_same_name(app: Flask) -> None:
    by_http = {audited_view(app, name) for name in app.view_functions}
    by_hand = set(audited_commands(app).values())

    assert by_hand - by_http == {
        Audited("demo_seeded", None),
        Audited("test_votes_cast", "instance"),
    }


def stored(app: Flask) -> dict[str, int]:
    """Return the number of rows of every table but the audit log."""
    with app.app_context():
        return {
            table.name: db.session.scalar(text(f'SELECT count(*) FROM "{table.name}"'))
            for table in Base.metadata.sorted_tables
            if table.name != "adminAuditLogs"
        }


def test_every_changing_command_has_a_valid_example(app: Flask) -> None:
    assert set(audited_commands(app)) == set(VALID)


@pytest.mark.parametrize("name", VALID)
@pytest.mark.parametrize("flags", [[], ["--json"]], ids=["lines", "json"])
def test_every_success_leaves_exactly_one_row(
    app: Flask, runner: FlaskCliRunner, polls: Polls, name: str, flags: list[str]
) -> None:
    arguments = VALID[name](polls)
    known = {row["id"] for row in polls.admin.audit()}

    result = runner.invoke(args=[name, *arguments, *flags])

    assert result.exit_code == 0, result.output
    assert result.stderr == ""
    if flags:
        assert "ok" not in json.loads(result.stdout)
    else:
        assert len(result.stdout.splitlines()) == 1
    (row,) = [row for row in polls.admin.audit() if row["id"] not in known]
    assert row["success"] is True
    assert row["action"] == audited_commands(app)[name].action
    assert row["adminKeyHash"] is None
    assert row["metadata"]["via"] == "cli"
    assert row["metadata"]["admin"] == f"uid {os.getuid()}"
    assert row["metadata"]["command"] == name
    if name in REFUSED and "no-such-id" in REFUSED[name]:
        assert row["entityId"] in arguments


@pytest.mark.parametrize("name", REFUSED)
def test_every_refusal_leaves_exactly_one_row_and_nothing_else(
    app: Flask, runner: FlaskCliRunner, admin: Admin, name: str
) -> None:
    before = stored(app)

    result = runner.invoke(args=[name, *REFUSED[name], "--json"])

    assert result.exit_code == 1
    (row,) = admin.audit()
    assert result.stderr == f"Error: {row['errorMessage']}\n"
    assert json.loads(result.stdout) == {"error": row["errorMessage"]}
    assert (row["success"], row["action"]) == (False, audited_commands(app)[name].action)
    assert row["metadata"]["via"] == "cli"
    assert row["entityId"] == ("no-such-id" if "no-such-id" in REFUSED[name] else None)
    assert stored(app) == before


def test_what_a_command_changes_is_described_as_over_http(
    runner: FlaskCliRunner, polls: Polls
) -> None:
    first, second = polls.open(), polls.open()

    runner.invoke(args=["close-instance", first["pollId"]])
    polls.admin.close(second["pollId"])

    by_http, by_hand = polls.admin.audit()[:2]
    assert (
        by_hand["changes"]
        == by_http["changes"]
        == {
            "before": {"status": "OPEN"},
            "after": {"status": "CLOSED"},
        }
    )
    assert by_hand["action"] == by_http["action"]
    assert by_hand["metadata"]["snapshotCreated"] is True


def test_snapshots_name_the_operator_who_asked(
    app: Flask, runner: FlaskCliRunner, polls: Polls
) -> None:
    polls.admin.close(polls.open()["pollId"])
    lose_snapshots(app)

    done = json.loads(runner.invoke(args=["create-missing-snapshots", "--json"]).stdout)
    (row,) = json.loads(runner.invoke(args=["snapshots", "--json"]).stdout)

    assert (done["createdCount"], done["totalMissing"]) == (1, 1)
    assert (row["actor"], row["reason"]) == (f"uid {os.getuid()}", "MISSING")


@pytest.mark.parametrize("fault", [ZeroDivisionError, KeyboardInterrupt])
def test_a_fault_or_an_interrupt_is_audited_and_takes_its_change_back(
    runner: FlaskCliRunner,
    polls: Polls,
    monkeypatch: pytest.MonkeyPatch,
    fault: type[BaseException],
) -> None:
    poll = polls.open()

    def broken(*_: object) -> None:
        raise fault

    monkeypatch.setattr(instances, "take_snapshots", broken)  # comes after the poll's status
    result = runner.invoke(args=["close-instance", poll["pollId"]])

    assert result.exit_code == 1
    assert len(polls.listed()) == 1
    row = polls.admin.audit()[0]
    assert (row["action"], row["success"]) == ("instance_closed", False)
    assert (row["entityId"], row["changes"]) == (poll["pollId"], None)


def test_a_change_that_cannot_be_audited_is_not_made(
    app: Flask, runner: FlaskCliRunner, admin: Admin, make_app: AppFactory
) -> None:
    rename = 'ALTER TABLE "{}" RENAME TO "{}"'
    with app.app_context():
        db.session.execute(text(rename.format("adminAuditLogs", "away")))
        db.session.commit()
    try:
        result = runner.invoke(args=["create-category", "--key", "food", "--name", "Food"])
    finally:
        with app.app_context():
            db.session.execute(text(rename.format("away", "adminAuditLogs")))
            db.session.commit()

    assert result.exit_code == 1
    assert result.output == "Error: the database is not migrated: run flask db upgrade\n"
    assert admin.done("GET", "/categories") == {"categories": []}

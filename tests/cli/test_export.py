"""The export: everything but the ballots, in one document."""

import json
from pathlib import Path

import pytest
from flask import Flask
from flask.testing import FlaskCliRunner
from sqlalchemy import select

from allthing.cli import export
from allthing.database import db
from allthing.models import VoteBallot
from tests.support.api import Json, Polls, today

PARTS = ("categories", "presets", "templates", "plans", "instances", "snapshots")


@pytest.fixture
def poll(polls: Polls) -> Json:
    """A poll that was voted in and closed, its template planned for a day, and a preset."""
    poll = polls.closed(("Leek",))
    grains = [{"label": "Rice"}, {"label": "Corn"}]
    polls.admin.plan_options(poll["templateId"], today(), grains)
    preset = {"name": "Scale", "options": [{"optionId": "a", "label": "Good"}]}
    polls.admin.done("POST", "/presets", preset)
    return poll


def test_export_holds_what_admins_made_and_what_came_of_it(
    runner: FlaskCliRunner, polls: Polls, poll: Json
) -> None:
    result = runner.invoke(args=["export"])

    document = json.loads(result.stdout)
    assert result.exit_code == 0
    assert list(document) == ["exportedAt", *PARTS]
    (template,), (instance,) = document["templates"], document["instances"]
    assert (template["id"], instance["id"]) == (poll["templateId"], poll["pollId"])
    assert [option["label"] for option in template["options"]] == ["Leek", "Pea"]
    assert [option["label"] for option in document["plans"][0]["options"]] == ["Rice", "Corn"]
    assert document["snapshots"][0]["resultsJson"] == polls.results(poll)
    assert document["presets"][0]["name"] == "Scale"
    assert [len(document[part]) for part in PARTS] == [1] * len(PARTS)


def test_export_holds_no_ballot_and_no_hash(app: Flask, runner: FlaskCliRunner, poll: Json) -> None:
    with app.app_context():
        ballot = db.session.scalars(select(VoteBallot)).one()
        secrets = (ballot.id, ballot.voter_token_hash, ballot.ip_hash, ballot.user_agent_hash)

    exported = runner.invoke(args=["export"]).stdout

    assert not [secret for secret in secrets if str(secret) in exported]
    assert "Hash" not in exported


def test_export_to_a_file_leaves_nothing_but_the_answer_on_standard_output(
    runner: FlaskCliRunner, poll: Json, tmp_path: Path
) -> None:
    file = tmp_path / "export.json"
    file.write_text("an older export")

    printed = runner.invoke(args=["export", "--output", str(file)])
    answered = runner.invoke(args=["export", "--output", str(file), "--json"])

    assert printed.stdout.startswith(f"exported to {file}: 1 categories, 1 presets")
    assert json.loads(answered.stdout) == {"output": str(file)} | dict.fromkeys(PARTS, 1)
    assert json.loads(file.read_text())["instances"][0]["id"] == poll["pollId"]
    assert list(tmp_path.iterdir()) == [file]


def test_export_without_anything_stored_is_a_document_too(runner: FlaskCliRunner) -> None:
    document = json.loads(runner.invoke(args=["export", "--json"]).stdout)

    assert [document[part] for part in PARTS] == [[]] * len(PARTS)


def test_export_that_cannot_be_written_says_so(runner: FlaskCliRunner, tmp_path: Path) -> None:
    result = runner.invoke(args=["export", "--output", str(tmp_path / "nowhere" / "export.json")])

    assert result.exit_code == 1
    assert result.output.startswith("Error: the export can't be written:")


def test_export_reads_more_rows_than_it_holds_in_memory(
    runner: FlaskCliRunner, polls: Polls, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(export, "BATCH", 2)
    for _ in range(5):
        polls.open()

    document = json.loads(runner.invoke(args=["export"]).stdout)

    assert len({instance["id"] for instance in document["instances"]}) == 5
    assert all(len(instance["options"]) == 2 for instance in document["instances"])

"""The version is said in one place; all others repeat it."""

import json
import re
import tomllib
from datetime import date
from importlib import import_module

from flask.testing import FlaskClient, FlaskCliRunner

from allthing import __version__
from tests.conftest import ROOT, AppFactory


def test_the_document_of_the_api_says_it(client: FlaskClient) -> None:
    assert client.get("/openapi.json").json["info"]["version"] == __version__


def test_about_says_it_with_the_database_away(make_app: AppFactory) -> None:
    away = make_app(database_url="postgresql://me:hush@127.0.0.1:1/polls").test_cli_runner()

    result = away.invoke(args=["about", "--json"])

    assert result.exit_code == 0
    assert json.loads(result.stdout)["version"] == __version__
    assert "hush" not in result.output


def test_about_is_a_line_per_fact(runner: FlaskCliRunner) -> None:
    assert f"version: {__version__}\n" in runner.invoke(args=["about"]).output


def test_the_newest_entry_of_the_changelog_is_of_it_and_dated() -> None:
    changelog = (ROOT / "CHANGELOG.md").read_text()

    newest = re.findall(r"^## (\d\S*) - (\S+)$", changelog, re.MULTILINE)[0]

    assert newest[0] == __version__
    assert date.fromisoformat(newest[1])


def test_the_image_is_labelled_with_it() -> None:
    label = f'org.opencontainers.image.version="{__version__}"'

    assert label in (ROOT / "Dockerfile").read_text()


def test_packaging_reads_it() -> None:
    attribute = tomllib.loads((ROOT / "pyproject.toml").read_text())
    module, _, name = attribute["tool"]["setuptools"]["dynamic"]["version"]["attr"].rpartition(".")

    assert getattr(import_module(module), name) == __version__

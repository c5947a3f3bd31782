"""What is said about the database when the app starts, and by `flask check`."""

import time
from collections.abc import Iterator
from typing import Any

import pytest
from flask.testing import FlaskCliRunner

from tests.conftest import AppFactory
from tests.support.postgres import PostgresServer
from tests.support.prepared import prepared, settings_for
from tests.support.served import ServedApp, served
from tests.support.servers import postgres_server

MESSAGE = "database needs attention"
SAID_SECONDS = 10
CARELESS = {
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
    "max_connections": 63,  # of which 3 are not for us, and two workers want 60
}
CAREFUL = {"fsync": "on", "max_connections": 63}


@pytest.fixture(scope="module")
def careless() -> Iterator[PostgresServer]:
    with postgres_server(private=True, **CARELESS) as server:
        yield server


def said(server: ServedApp, number: int) -> list[str]:
    """Wait for so many complaints; return all."""
    latest = time.monotonic() + SAID_SECONDS
    while len(lines := server.logged(MESSAGE)) < number and time.monotonic() < latest:
        time.sleep(0.1)
    return [line["problem"] for line in lines]


@pytest.mark.postgresql
class TestServer:
    def test_settings_that_may_lose_votes_are_said_once(self, careless: PostgresServer) -> None:
        settings = settings_for(careless.create_database("careless"))
        with prepared(settings), served(**settings) as server:
            server.workers("/polls/today")
            lines = said(server, 3)
        names = ("fsync", "full_page_writes", "synchronous_commit")
        assert sorted(line.split()[0] for line in lines) == sorted(names)

    def test_too_few_connections_and_a_missing_migration_are_said(
        self, careless: PostgresServer
    ) -> None:
        settings = settings_for(careless.create_database("empty"), web_concurrency=3)
        with served(**settings) as server:
            lines = "\n".join(said(server, 5))
        assert "= 90 connections, but max_connections leaves 60" in lines
        assert "run flask db upgrade" in lines

    def test_a_database_that_is_away_keeps_nobody_from_starting(self) -> None:
        settings = settings_for("postgresql://nobody@127.0.0.1:1/none")
        with served(**settings) as server:
            assert ["can't be checked" in line for line in said(server, 1)] == [True]

    def test_there_is_nothing_to_say_of_a_careful_server(self) -> None:
        with postgres_server(private=True, **CAREFUL) as server:
            settings = settings_for(server.create_database("careful"))
            with prepared(settings) as app:
                result = app.test_cli_runner().invoke(args=["check"])
        assert (result.exit_code, result.output) == (0, "nothing to mend\n")


class TestCommand:
    def test_check_finds_an_empty_database(self, make_app: AppFactory, tmp_path: Any) -> None:
        app = make_app(database_url=f"sqlite:///{tmp_path / 'empty.db'}")
        result = app.test_cli_runner().invoke(args=["check"])
        assert result.exit_code == 1
        assert "run flask db upgrade" in result.output

    @pytest.mark.postgresql
    def test_check_exits_with_1_if_anything_is_found(self, runner: FlaskCliRunner) -> None:
        """The tests' own server may have fsync off, or be a given one that is all right."""
        result = runner.invoke(args=["check"])
        assert result.exit_code == int(result.output != "nothing to mend\n")

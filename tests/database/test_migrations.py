"""Migrations make what the models say, and keep what an existing database holds."""

from pathlib import Path

import flask_migrate
import pytest
from flask import Flask
from flask.testing import FlaskCliRunner
from sqlalchemy import inspect, text

from allthing.database import Base, db
from tests.conftest import ROOT, AppFactory
from tests.support.queries import engine_of, tallied
from tests.support.servers import postgres_server

BEFORE_TALLIES = "4c1d70b35e92"
SCHEDULE = """
INSERT INTO "pollCategories" (id, key, name, "sortOrder") VALUES ('c', 'food', 'Food', 0);
INSERT INTO "pollTemplates" (id, "categoryId", key, title, "pollType", audience, "durationDays",
    "isActive") VALUES ('t', 'c', 'soup', 'Soup', 'RANKED', 'PUBLIC', 1, true);
INSERT INTO "pollInstances" (id, "templateId", "categoryId", "pollDate", "closeDate", title,
    "pollType", audience, status)
    VALUES ('i', 't', 'c', '2031-05-04', '2031-05-04', 'Soup', 'RANKED', 'PUBLIC', 'CLOSED');
"""


def test_every_table_and_column_has_a_migration(app: Flask) -> None:
    with app.app_context():
        stored = inspect(db.engine)
        names = set(stored.get_table_names()) - {"alembic_version"}
        columns = {name: {column["name"] for column in stored.get_columns(name)} for name in names}

    tables = Base.metadata.tables.values()
    assert columns == {table.name: {column.name for column in table.columns} for table in tables}


def test_models_and_migrations_agree(runner: FlaskCliRunner) -> None:
    result = runner.invoke(args=["db", "check"])

    assert result.exit_code == 0, result.output


class TestMigration:
    """An existing database, with polls and ballots of the release before."""

    def check(self, app: Flask) -> None:
        engine = engine_of(app)
        folder = str(ROOT / "migrations")
        ballots = 'INSERT INTO "voteBallots" (id, "instanceId", "voterTokenHash", "ipHash", ranking'
        with app.app_context():
            flask_migrate.upgrade(directory=folder, revision=BEFORE_TALLIES)
            with engine.begin() as connection:
                for statement in SCHEDULE.split(";\n")[:-1]:
                    connection.execute(text(statement))
                for number in range(7):
                    place = "0.1" if number % 3 else "1.0.2"
                    connection.execute(
                        text(
                            f"{ballots}, \"createdAt\") VALUES ('b{number}', 'i', 'v{number}', "
                            f"'a', '{place}', '2031-05-04 12:00:00+00:00')"
                        )
                    )
            flask_migrate.upgrade(directory=folder)
            with engine.begin() as connection:
                filled = tallied(connection)
                connection.execute(text("""DELETE FROM "voteBallots" WHERE id = 'b1'"""))
                discounted = tallied(connection)
            flask_migrate.downgrade(directory=folder, revision=BEFORE_TALLIES)
            with engine.begin() as connection:  # nothing counts or refuses any more
                connection.execute(text("""DELETE FROM "voteBallots" WHERE id = 'b2'"""))
            flask_migrate.upgrade(directory=folder)
            with engine.begin() as connection:
                again = tallied(connection)
        assert filled == [("i", "0.1", 4), ("i", "1.0.2", 3)]
        assert discounted == [("i", "0.1", 3), ("i", "1.0.2", 3)]
        assert again == [("i", "0.1", 2), ("i", "1.0.2", 3)]

    @pytest.mark.postgresql
    def test_tallies_are_made_of_the_ballots_there_are(self, make_app: AppFactory) -> None:
        with postgres_server() as server:
            self.check(make_app(database_url=server.create_database("tallies")))

    def test_so_they_are_on_sqlite(self, make_app: AppFactory, tmp_path: Path) -> None:
        self.check(make_app(database_url=f"sqlite:///{tmp_path / 'old.db'}"))

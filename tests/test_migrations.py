"""The database of the tests is made by the migrations alone; here it is held against the models."""

from flask import Flask
from flask.testing import FlaskCliRunner
from sqlalchemy import inspect

from allthing.database import Base, db


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

"""What the app asks the database, and what is there."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from flask import Flask
from sqlalchemy import Connection, Engine, event, func, select, text

from allthing.database import db
from allthing.models import VoteBallot

Statement = tuple[str, Any]
TALLIED = text(
    'SELECT "instanceId", ranking, sum(votes) FROM "voteTallies" '
    "GROUP BY 1, 2 HAVING sum(votes) <> 0 ORDER BY 1, 2"
)


def engine_of(app: Flask) -> Engine:
    """Return the app's engine. Don't stay in an app context: requests would share its session."""
    with app.app_context():
        return db.engine


def count_ballots(app: Flask) -> int:
    """Return how many ballots are stored, in all polls."""
    with app.app_context():
        return db.session.scalar(select(func.count()).select_from(VoteBallot)) or 0


def tallied(connection: Connection) -> list[tuple[str, str, int]]:
    """Return the poll, ranking and votes of all tallies that are not nought."""
    return [tuple(row) for row in connection.execute(TALLIED)]


@contextmanager
def statements(engine: Engine) -> Iterator[list[Statement]]:
    """Collect the statements, with their parameters, that are sent while the block runs."""
    sent: list[Statement] = []

    def note(_connection: Any, _cursor: Any, sql: str, parameters: Any, *_rest: Any) -> None:
        sent.append((sql, parameters))

    event.listen(engine, "before_cursor_execute", note)
    try:
        yield sent
    finally:
        event.remove(engine, "before_cursor_execute", note)


def wait_for_lock(engine: Engine) -> None:
    """Return once somebody on PostgreSQL waits for what somebody else has locked."""
    waiting = text("SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'")
    deadline = time.monotonic() + 5
    with engine.connect() as connection:
        while not connection.scalar(waiting):
            assert time.monotonic() < deadline, "nobody waits for a lock"
            connection.rollback()
            time.sleep(0.01)

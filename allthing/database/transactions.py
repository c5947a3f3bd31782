"""Transactions that the database may undo: what is retried once, and what never is.

Nothing is repeated once a COMMIT may have been sent: it may be saved, whatever the error says.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, TypeVar

import psycopg2
from flask import g, has_app_context
from psycopg2.extras import execute_values
from sqlalchemy import Connection, Engine, event
from sqlalchemy.exc import DataError, DBAPIError

from allthing.database import db
from allthing.database.engine import UNUSABLE_SERVER
from allthing.database.postgresql import WaitTimedOut

ROLLED_BACK = {  # SQLSTATE: the server has undone the transaction
    "40001",  # serialization failure
    "40P01",  # deadlock
}

Result = TypeVar("Result")


@event.listens_for(Engine, "commit")
def on_commit(_connection: Connection) -> None:
    """Remember that from here on this request must not be run again: it may be saved."""
    if has_app_context():
        g.commit_attempted = True


def retry_once(work: Callable[[], Result]) -> Result:
    """Do a part of a request; once more, if the database undid all of it as upon a deadlock."""
    try:
        return work()
    except DBAPIError as error:
        if not is_retryable(error):
            raise
    db.session.rollback()
    return work()


def is_retryable(error: DBAPIError) -> bool:
    """Tell whether nothing of this request is saved, and a second try may well succeed.

    So it is after a deadlock, and when the connection was lost before any COMMIT was sent.
    """
    if "commit_attempted" in g:
        return False
    is_lost = error.connection_invalidated and not isinstance(error.orig, WaitTimedOut)
    return is_lost or pgcode(error) in ROLLED_BACK


@contextmanager
def autocommit() -> Iterator[Connection]:
    """Lend a connection for one statement that is a transaction by itself: one round trip."""
    engine = db.engine
    is_sqlite = engine.dialect.name == "sqlite"
    with engine.begin() if is_sqlite else engine.connect() as connection:
        driver: Any = connection.connection.driver_connection
        if not is_sqlite:
            # SQLAlchemy's own option sends a SET when the connection is given back.
            driver.autocommit = True
        try:
            yield connection
        except DBAPIError as error:
            mark_commit_sent(error)
            raise
        finally:
            if not is_sqlite and not driver.closed:
                driver.autocommit = False
        mark_commit_sent()


def mark_commit_sent(error: BaseException | None = None) -> None:
    """Remember that what commits by itself was sent, unless the error says that it was undone."""
    if pgcode(error) not in ROLLED_BACK:
        g.commit_attempted = True


def pgcode(error: BaseException | None) -> str | None:
    code: str | None = getattr(getattr(error, "orig", None), "pgcode", None)
    return code


def insert_directly(
    connection: Connection, sql: str, rows: Sequence[Mapping[str, Any]]
) -> list[tuple[Any, ...]]:
    """Run an `INSERT ... VALUES %s RETURNING ...` by psycopg2; return what it returns.

    SQLAlchemy's own way takes twice as long as psycopg2. Errors are SQLAlchemy's all the same.
    """
    driver: Any = connection.connection.driver_connection
    values = [tuple(row.values()) for row in rows]
    try:
        with driver.cursor() as cursor:
            found: list[tuple[Any, ...]] = execute_values(
                cursor, sql, values, page_size=len(values), fetch=True
            )
            return found
    except ValueError as error:  # what can't even be sent, such as NUL
        raise DataError(sql, None, error, hide_parameters=True) from error
    except psycopg2.Error as error:
        is_lost = bool(driver.closed) or error.pgcode in UNUSABLE_SERVER
        if is_lost:
            connection.invalidate(error)
        raise DBAPIError.instance(
            sql, None, error, psycopg2.Error, hide_parameters=True, connection_invalidated=is_lost
        ) from error

"""Batching (group commit): ballots of a poll that come at the same time are stored together.

While a statement with ballots of a poll runs, those that come meanwhile join the next batch and
go with its statement. A commit costs as much for sixteen ballots as for one, and so does counting
them: the busier a poll is, the less a vote costs. A single voter waits for nobody.
"""

import functools
import threading
from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, Insert, exc
from sqlalchemy.dialects import sqlite

from allthing.database import db
from allthing.database.transactions import autocommit, insert_directly, mark_commit_sent
from allthing.models import VoteBallot
from allthing.runtime.deadlines import time_left

Row = Mapping[str, Any]


class Batch:
    """Ballots of one poll with the same columns, which one statement stores."""

    def __init__(self) -> None:
        self.rows: list[Row] = []
        self.is_sealed = False  # its statement has begun: no row can join any more
        self.stored: set[str] = set()
        self.failure: BaseException | None = None
        self._running = threading.Lock()
        self._running.acquire()

    def finish(self) -> None:
        self._running.release()

    def wait(self) -> None:
        """Wait until it is finished, stored or not. Raises SQLAlchemy's `TimeoutError`."""
        if not self._running.acquire(timeout=min(time_left(), threading.TIMEOUT_MAX)):
            raise exc.TimeoutError("timed out waiting for the previous batch to commit")
        self._running.release()  # the next one waits for the same


_open_batches: dict[object, Batch] = {}
_lock = threading.Lock()


def submit(row: Row) -> bool:
    """Commit a ballot; return whether it was stored: its voter or its key may have one already.

    Raises `IntegrityError` if its poll is not open or gone.
    """
    kind = db.engine, row["instanceId"], tuple(row)
    with _lock:
        batch = previous = _open_batches.get(kind)
        if batch is None or batch.is_sealed:
            batch = _open_batches[kind] = Batch()
        batch.rows.append(row)
    if batch is not previous:
        flush(kind, batch, previous)
    else:
        try:
            batch.wait()
        finally:
            mark_commit_sent(batch.failure)
    if batch.failure is None:
        return row["id"] in batch.stored
    if isinstance(batch.failure, exc.IntegrityError | exc.DataError) and len(batch.rows) > 1:
        return submit_alone(row)  # it may be another one's fault
    raise batch.failure


def flush(kind: object, batch: Batch, previous: Batch | None) -> None:
    """Store a batch once the one before it is finished; until then others join it."""
    try:
        if previous is not None:
            previous.wait()
        with _lock:
            batch.is_sealed = True
        with autocommit() as connection:
            batch.stored = insert(connection, batch.rows)
    except BaseException as error:  # noqa: BLE001  # all who wait for the batch raise it
        batch.failure = error
    finally:
        with _lock:
            batch.is_sealed = True
            if _open_batches.get(kind) is batch:
                del _open_batches[kind]
        batch.finish()


def submit_alone(row: Row) -> bool:
    with autocommit() as connection:
        return bool(insert(connection, [row]))


def insert(connection: Connection, rows: Sequence[Row]) -> set[str]:
    """Insert ballots, all with the same columns; return the ids of those that are stored now.

    Left out is whose voter or key has a ballot in the poll.
    """
    if connection.dialect.name == "sqlite":
        return {row["id"] for row in rows if connection.execute(insert_into_sqlite(), row).rowcount}
    columns = ", ".join(f'"{name}"' for name in rows[0])
    into = f'INSERT INTO "voteBallots" ({columns})'
    sql = f"{into} VALUES %s ON CONFLICT DO NOTHING RETURNING id"
    # Of two statements that have the same two voters, none must wait for the other one's second.
    ordered = sorted(rows, key=lambda row: row["voterTokenHash"])
    return {stored for (stored,) in insert_directly(connection, sql, ordered)}


@functools.cache
def insert_into_sqlite() -> Insert:
    """Return the statement, built once: that takes longer than running it."""
    table = VoteBallot.metadata.tables[VoteBallot.__tablename__]
    return sqlite.insert(table).on_conflict_do_nothing()

"""The ballot box: how rows of ballots are stored, those that come at the same time together.

While a statement with ballots of a poll is under way, those that come wait and go with the next
one. A commit costs as much for sixteen ballots as for one, and so does counting them: the busier
a poll is, the less a vote costs. Who votes alone waits for nobody.
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
        self.has_left = False
        self.stored: set[str] = set()
        self.failure: BaseException | None = None
        self._under_way = threading.Lock()
        self._under_way.acquire()

    def arrive(self) -> None:
        self._under_way.release()

    def wait(self) -> None:
        """Wait until it has arrived, stored or not. Raises TimeoutError."""
        if not self._under_way.acquire(timeout=min(time_left(), threading.TIMEOUT_MAX)):
            raise exc.TimeoutError("ballots of others take too long")
        self._under_way.release()  # the next one waits for the same


_latest: dict[object, Batch] = {}
_changing = threading.Lock()


def post(row: Row) -> bool:
    """Commit a ballot; return whether it was stored: its voter or its key may have one already.

    Raises IntegrityError if its poll is not open or gone.
    """
    kind = db.engine, row["instanceId"], tuple(row)
    with _changing:
        batch = before = _latest.get(kind)
        if batch is None or batch.has_left:
            batch = _latest[kind] = Batch()
        batch.rows.append(row)
    if batch is not before:
        send(kind, batch, before)
    else:
        try:
            batch.wait()
        finally:
            mark_commit_sent(batch.failure)
    if batch.failure is None:
        return row["id"] in batch.stored
    if isinstance(batch.failure, exc.IntegrityError | exc.DataError) and len(batch.rows) > 1:
        return post_alone(row)  # it may be another one's fault
    raise batch.failure


def send(kind: object, batch: Batch, before: Batch | None) -> None:
    """Store a batch once the one before it has arrived; until then others join it."""
    try:
        if before is not None:
            before.wait()
        with _changing:
            batch.has_left = True
        with autocommit() as connection:
            batch.stored = insert(connection, batch.rows)
    except BaseException as error:  # noqa: BLE001  # all who wait for the batch raise it
        batch.failure = error
    finally:
        with _changing:
            batch.has_left = True
            if _latest.get(kind) is batch:
                del _latest[kind]
        batch.arrive()


def post_alone(row: Row) -> bool:
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
    """Return the statement; building it once, since that takes longer than running it."""
    table = VoteBallot.metadata.tables[VoteBallot.__tablename__]
    return sqlite.insert(table).on_conflict_do_nothing()

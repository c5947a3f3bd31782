"""The database: naming, types, engine options and the few things PostgreSQL and SQLite do apart."""

import re
import sqlite3
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any, Literal, TypeVar

from flask import Flask, current_app
from flask_sqlalchemy import SQLAlchemy
from sqlalchemy import (
    JSON,
    Connection,
    DateTime,
    Dialect,
    Engine,
    Insert,
    MetaData,
    String,
    Table,
    event,
    func,
    make_url,
    select,
    text,
)
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.engine.interfaces import DBAPIConnection, ExceptionContext
from sqlalchemy.exc import DataError, IntegrityError
from sqlalchemy.orm import DeclarativeBase
from sqlalchemy.types import TypeDecorator

from allthing.config import Settings
from allthing.database.postgresql import DatabaseGate, DatabasePool, GaveUp
from allthing.errors import Conflict, NotFound
from allthing.runtime.deadlines import NEVER, set_deadline

ID_LENGTH = 36
CLIENT_CHECK_SECONDS = 1
UNFIT_SERVER = {"25006", "57P01", "57P02", "57P03"}  # read-only; ending, crashed, starting

Id = String(ID_LENGTH)
Json = JSON(none_as_null=True).with_variant(JSONB(none_as_null=True), "postgresql")


class Instant(TypeDecorator[datetime]):
    """A UTC instant: `timestamptz` on PostgreSQL; SQLite keeps no zone, so it is put back."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, _dialect: Dialect) -> datetime | None:
        return None if value is None else value.astimezone(UTC)

    def process_result_value(self, value: datetime | None, _dialect: Dialect) -> datetime | None:
        return None if value is None else value.replace(tzinfo=UTC)


class Base(DeclarativeBase):
    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
            "fk": "fk_%(table_name)s_%(column_0_N_name)s",
            "pk": "pk_%(table_name)s",
        }
    )


Model = TypeVar("Model", bound=Base)
Lock = Literal["change", "share"]

db = SQLAlchemy(model_class=Base, disable_autonaming=True)


def new_id() -> str:
    return str(uuid.uuid4())


def init_app(app: Flask) -> None:
    """Give the app its engine, and each request a deadline for all it asks of the database."""
    settings: Settings = app.extensions["settings"]
    app.config["SQLALCHEMY_DATABASE_URI"] = settings.sqlalchemy_url
    app.extensions["database_gate"] = database_gate(settings)
    app.config["SQLALCHEMY_ENGINE_OPTIONS"] = engine_options(
        settings, app.extensions["database_gate"]
    )
    app.before_request(lambda: set_deadline(settings.db_request_timeout))
    app.teardown_appcontext(lambda _error: set_deadline(NEVER))  # after the session's, below
    db.init_app(app)


def engine_options(settings: Settings, gate: DatabaseGate | None) -> dict[str, Any]:
    """Options for `create_engine`: one pool size for both databases; PostgreSQL has a gate."""
    pool = {
        "pool_size": settings.db_pool_size,
        "max_overflow": settings.db_max_overflow,
        "pool_timeout": settings.db_pool_timeout,
        "hide_parameters": True,  # errors are logged, and hashes of voters are among them
    }
    if gate is None:
        return pool | {"connect_args": {"timeout": settings.db_lock_timeout}}
    return pool | {
        "creator": gate.connect,
        "poolclass": DatabasePool,
        "pool_recycle": settings.db_pool_recycle,
        "pool_use_lifo": True,
    }


def database_gate(settings: Settings) -> DatabaseGate | None:
    """Return the way to PostgreSQL, on which every connection has its deadlines; SQLite has none.

    The server asks once a second whether the client is still there: whoever gives up a statement
    closes the connection, and the server ends the statement and rolls back.
    """
    url = make_url(settings.sqlalchemy_url)
    if url.get_backend_name() != "postgresql":
        return None
    milliseconds = {
        "statement_timeout": settings.db_statement_timeout,
        "lock_timeout": settings.db_lock_timeout,
        "idle_in_transaction_session_timeout": settings.db_idle_in_transaction_timeout,
        "client_connection_check_interval": CLIENT_CHECK_SECONDS,
    }
    options = [f"-c {name}={round(value * 1000)}" for name, value in milliseconds.items()]
    parameters = {
        **url.get_dialect()().create_connect_args(url)[1],
        "application_name": "allthing-api",
        "connect_timeout": settings.db_connect_timeout,
        "keepalives_idle": 30,
        "keepalives_interval": 5,
        "keepalives_count": 3,
        "tcp_user_timeout": 20_000,
        "options": " ".join([*options, "-c timezone=UTC"]),
    }
    return DatabaseGate(parameters, settings.db_connect_timeout)


def database_is_silent() -> bool:
    """Tell whether the gate is shut, without asking the database."""
    gate: DatabaseGate | None = current_app.extensions["database_gate"]
    return gate is not None and gate.is_silent


@event.listens_for(Engine, "connect")
def set_sqlite_pragmas(connection: DBAPIConnection, _record: object) -> None:
    """Give SQLite what PostgreSQL has by itself: foreign keys, and readers beside a writer."""
    if isinstance(connection, sqlite3.Connection):
        connection.isolation_level = None  # SQLAlchemy's BEGIN below is the only one
        connection.execute("PRAGMA foreign_keys = ON")
        connection.execute("PRAGMA journal_mode = WAL")


@event.listens_for(Engine, "begin")
def begin_sqlite_as_writer(connection: Any) -> None:
    """Take SQLite's one write lock at BEGIN.

    A transaction that reads first and writes later fails at once, whatever the busy timeout, if
    another one wrote in between.
    """
    if connection.dialect.name == "sqlite":
        connection.exec_driver_sql("BEGIN IMMEDIATE")


@event.listens_for(Engine, "handle_error")
def name_unsendable_value(context: ExceptionContext) -> None:
    """Raise what drivers say of a value that they can't even send as the `DataError` it is.

    psycopg2 raises ValueError for NUL and half a surrogate pair; sqlite3 OverflowError for an
    integer of more than 64 bits.
    """
    error = context.original_exception
    if isinstance(error, ValueError | OverflowError):
        raise DataError(context.statement, context.parameters, error) from error


@event.listens_for(Engine, "handle_error")
def leave_unfit_server(context: ExceptionContext) -> None:
    """Let no connection to a server that can't serve go back to the pool, by code, not by words.

    One whose wait we ended ourselves says nothing about the others.
    """
    error = context.original_exception
    if getattr(error, "pgcode", None) in UNFIT_SERVER:
        context.is_disconnect = True
    if isinstance(error, GaveUp):
        context.invalidate_pool_on_disconnect = False


def find(model: type[Model], entity_id: str, *, lock: Lock | None = None) -> Model:
    """Load by id, or raise `NotFound`; a lock holds until the end of the transaction.

    `change` lets one transaction at a time change the row; `share` only holds changes off.
    """
    entity = None
    if may_be_id(entity_id):
        for_update = {"read": lock == "share"} if lock else None
        entity = db.session.get(model, entity_id, with_for_update=for_update)
    if entity is None:
        noun = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", model.__name__.removeprefix("Poll")).lower()
        raise NotFound(f"there is no {noun} with this id")
    return entity


def may_be_id(entity_id: str) -> bool:
    """Tell what can't be an id (too long, NUL, not ASCII): to ask for it would be a fault."""
    return len(entity_id) <= ID_LENGTH and entity_id.isascii() and entity_id.isprintable()


@contextmanager
def conflict(detail: str) -> Iterator[None]:
    """Flush what the block changed; a constraint that says no becomes `Conflict(detail)`."""
    try:
        yield
        db.session.flush()
    except IntegrityError as error:
        raise Conflict(detail) from error


def insert_or_ignore(table: Table, dialect: str) -> Insert:
    """Build an INSERT that leaves out a row which a unique key forbids."""
    insert = sqlite.insert if dialect == "sqlite" else postgresql.insert
    return insert(table).on_conflict_do_nothing()


def lock_until_commit(name: str, connection: Connection | None = None) -> None:
    """Let only one transaction at a time, on any replica, do what `name` stands for.

    It is the session's transaction, unless a connection is given.
    """
    connection = connection or db.session.connection()
    if connection.dialect.name == "postgresql":
        connection.execute(select(func.pg_advisory_xact_lock(func.hashtextextended(name, 0))))


def read_one_state() -> None:
    """Let all reads of this transaction, which begins here, see one state and save nothing.

    On SQLite any transaction sees one state.
    """
    if db.session.get_bind().dialect.name == "postgresql":
        db.session.execute(text("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY"))

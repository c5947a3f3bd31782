"""The engine: pool, timeouts and session settings, and what SQLite and drivers do otherwise."""

import sqlite3
from typing import Any

from flask import Flask, current_app
from sqlalchemy import Engine, event, make_url
from sqlalchemy.engine.interfaces import DBAPIConnection, ExceptionContext
from sqlalchemy.exc import DataError

from allthing.config import Settings
from allthing.database import db
from allthing.database.postgresql import DeadlinePool, PostgresServers, WaitAborted
from allthing.runtime.deadlines import NO_DEADLINE, set_deadline

CLIENT_CHECK_SECONDS = 1  # how often PostgreSQL looks whether a client is still connected
KEEPALIVE = {
    "keepalives_idle": 30,  # seconds
    "keepalives_interval": 5,  # seconds
    "keepalives_count": 3,
    "tcp_user_timeout": 20_000,  # milliseconds
}
UNUSABLE_SERVER = {  # SQLSTATE: whoever answers so can't serve us
    "25006",  # read-only: no longer the primary
    "57P01",  # shutting down
    "57P02",  # crashed
    "57P03",  # starting up
}


def init_app(app: Flask) -> None:
    """Give the app its engine, and each request a deadline for all it asks of the database."""
    settings: Settings = app.extensions["settings"]
    servers = app.extensions["postgres_servers"] = postgres_servers(settings)
    app.config["SQLALCHEMY_DATABASE_URI"] = settings.sqlalchemy_url
    app.config["SQLALCHEMY_ENGINE_OPTIONS"] = engine_options(settings, servers)
    app.before_request(lambda: set_deadline(settings.db_request_timeout))
    app.teardown_appcontext(lambda _error: set_deadline(NO_DEADLINE))  # after the session's, below
    db.init_app(app)


def engine_options(settings: Settings, servers: PostgresServers | None) -> dict[str, Any]:
    """Return options for `create_engine`; `servers` is None for SQLite."""
    pool = {
        "pool_size": settings.db_pool_size,
        "max_overflow": settings.db_max_overflow,
        "pool_timeout": settings.db_pool_timeout,
        "hide_parameters": True,  # errors are logged, and hashes of voters are among them
    }
    if servers is None:
        return pool | {"connect_args": {"timeout": settings.db_lock_timeout}}
    return pool | {
        "creator": servers.connect,
        "poolclass": DeadlinePool,
        "pool_recycle": settings.db_pool_recycle,
        "pool_use_lifo": True,
    }


def postgres_servers(settings: Settings) -> PostgresServers | None:
    """Return the servers that `DATABASE_URL` names; None for SQLite.

    The server asks once a second whether the client is still there: whoever gives up a statement
    closes the connection, and the server ends the statement and rolls back.
    """
    url = make_url(settings.sqlalchemy_url)
    if url.get_backend_name() != "postgresql":
        return None
    seconds = {
        "statement_timeout": settings.db_statement_timeout,
        "lock_timeout": settings.db_lock_timeout,
        "idle_in_transaction_session_timeout": settings.db_idle_in_transaction_timeout,
        "client_connection_check_interval": CLIENT_CHECK_SECONDS,
    }
    options = [f"-c {name}={round(value * 1000)}" for name, value in seconds.items()]
    parameters = {
        **url.get_dialect()().create_connect_args(url)[1],
        "application_name": "allthing-api",
        "connect_timeout": settings.db_connect_timeout,
        **KEEPALIVE,
        "options": " ".join([*options, "-c timezone=UTC"]),
    }
    return PostgresServers(parameters, settings.db_connect_timeout)


def database_is_unresponsive() -> bool:
    """Tell whether PostgreSQL is known to be unresponsive, without asking it."""
    servers: PostgresServers | None = current_app.extensions["postgres_servers"]
    return servers is not None and servers.are_unresponsive


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
def report_unsendable_value(context: ExceptionContext) -> None:
    """Raise what drivers say of a value that they can't even send as the `DataError` it is.

    psycopg2 raises ValueError for NUL and half a surrogate pair; sqlite3 OverflowError for an
    integer of more than 64 bits.
    """
    error = context.original_exception
    if isinstance(error, ValueError | OverflowError):
        raise DataError(context.statement, context.parameters, error) from error


@event.listens_for(Engine, "handle_error")
def discard_unusable_connection(context: ExceptionContext) -> None:
    """Let no connection to a server that can't serve go back to the pool, by code, not by words.

    One whose wait we aborted ourselves says nothing about the others.
    """
    error = context.original_exception
    if getattr(error, "pgcode", None) in UNUSABLE_SERVER:
        context.is_disconnect = True
    if isinstance(error, WaitAborted):
        context.invalidate_pool_on_disconnect = False

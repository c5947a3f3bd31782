"""Start-up of a process that serves: what it needs beside the app, and a check of the database.

Nothing of this stops it from serving: it says loudly what an operator should mend.
"""

import gc
import logging
import threading
from pathlib import Path
from typing import Any

from alembic.script import ScriptDirectory
from flask import Flask
from sqlalchemy import Connection, text
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from allthing.config import settings
from allthing.database import db
from allthing.database.postgresql import install_wait_callback
from allthing.errors import is_missing_table
from allthing.runtime.deadlines import deadline
from allthing.runtime.logs import write_in_background

CHECK_SECONDS = 10  # the whole check of the database may take
MIGRATIONS = Path(__file__).parents[2] / "migrations"
DURABILITY_SETTINGS = {  # of PostgreSQL, and what happens where one is off
    "fsync": "a crash of the machine can destroy the database",
    "full_page_writes": "a crash of the machine can destroy the database",
    "synchronous_commit": "votes that were acknowledged can be lost in a crash",
}
RESERVED_CONNECTIONS = ("superuser_reserved_connections", "reserved_connections")

log = logging.getLogger(__name__)


def prepare_worker(worker: Any) -> None:
    """Make a new gunicorn worker ready to serve; the first of a server checks the database."""
    install_wait_callback()
    write_in_background()
    gc.collect()
    gc.freeze()  # what is loaded by now stays: the collector need not look through it again
    if worker.age == 1:
        app = worker.app.wsgi()
        threading.Thread(target=log_problems, args=(app,), daemon=True).start()


def log_problems(app: Flask) -> None:
    with app.app_context(), deadline(CHECK_SECONDS):
        try:
            problems = find_problems()
        except SQLAlchemyError as error:
            problems = [f"the database can't be checked: {str(error)[:200]}"]
    for problem in problems:
        log.error("database needs attention", extra={"problem": problem})


def schema_head() -> str | None:
    """Return the last migration of this version."""
    return ScriptDirectory(str(MIGRATIONS)).get_current_head()


def find_problems() -> list[str]:
    """Say what about the database would lose votes or stop us, a sentence for each."""
    with db.engine.connect() as connection:
        problems = check_schema(connection, schema_head())
        if connection.dialect.name == "postgresql":
            problems += [*check_durability(connection), *check_connections(connection)]
    return problems


def check_schema(connection: Connection, head: str | None) -> list[str]:
    """Say whether the schema is at another migration than `head`, this version's last one."""
    try:
        current = connection.scalar(text("SELECT version_num FROM alembic_version"))
    except DBAPIError as error:
        connection.rollback()
        if not is_missing_table(error):
            raise
        current = None
    if current == head:
        return []
    return [f"the schema is at {current}, this version needs {head}: run flask db upgrade"]


def check_durability(connection: Connection) -> list[str]:
    """Say which settings let PostgreSQL lose what it has committed."""
    return [
        f"{name} is off: {harm}"
        for name, harm in DURABILITY_SETTINGS.items()
        if setting(connection, name) == "off"
    ]


def check_connections(connection: Connection) -> list[str]:
    """Say whether our workers together could want more connections than there are."""
    ours = settings()
    wanted = ours.web_concurrency * (ours.db_pool_size + ours.db_max_overflow)
    reserved = sum(int(setting(connection, name) or 0) for name in RESERVED_CONNECTIONS)
    available = int(setting(connection, "max_connections") or 0) - reserved
    if wanted <= available:
        return []
    sum_of_ours = f"WEB_CONCURRENCY x (DB_POOL_SIZE + DB_MAX_OVERFLOW) = {wanted} connections"
    return [f"{sum_of_ours}, but max_connections leaves {available}"]


def setting(connection: Connection, name: str) -> str | None:
    """Return a setting of PostgreSQL; None if this version does not have it."""
    ask = text("SELECT current_setting(:name, true)")
    value: str | None = connection.scalar(ask, {"name": name})
    return value

"""What a process that serves begins with: deadlines on all its waits, and a look at the database.

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
from allthing.database.postgresql import bound_waits
from allthing.errors import is_missing_table
from allthing.runtime.deadlines import deadline

LOOK_SECONDS = 10
MIGRATIONS = Path(__file__).parents[2] / "migrations"
KEEPING = {
    "fsync": "a crash of the machine can destroy the database",
    "full_page_writes": "a crash of the machine can destroy the database",
    "synchronous_commit": "votes that were acknowledged can be lost in a crash",
}
RESERVED = ("superuser_reserved_connections", "reserved_connections")

log = logging.getLogger(__name__)


def prepare_worker(worker: Any) -> None:
    """Make a new gunicorn worker ready to serve; the first of a server looks at the database."""
    bound_waits()
    gc.collect()
    gc.freeze()  # what is loaded by now stays: the collector need not look through it again
    if worker.age == 1:
        app = worker.app.wsgi()
        threading.Thread(target=log_weaknesses, args=(app,), daemon=True).start()


def log_weaknesses(app: Flask) -> None:
    with app.app_context(), deadline(LOOK_SECONDS):
        try:
            found = weaknesses()
        except SQLAlchemyError as error:
            found = [f"the database can't be looked at: {str(error)[:200]}"]
    for weakness in found:
        log.error("database needs attention", extra={"weakness": weakness})


def weaknesses() -> list[str]:
    """Say what about the database would lose votes or stop us, a sentence for each."""
    wanted = ScriptDirectory(str(MIGRATIONS)).get_current_head()
    with db.engine.connect() as connection:
        found = behind(connection, wanted)
        if connection.dialect.name == "postgresql":
            found += [*careless(connection), *crowded(connection)]
    return found


def behind(connection: Connection, wanted: str | None) -> list[str]:
    """Say whether the schema is another one than `wanted`, this version's."""
    try:
        there = connection.scalar(text("SELECT version_num FROM alembic_version"))
    except DBAPIError as error:
        connection.rollback()
        if not is_missing_table(error):
            raise
        there = None
    if there == wanted:
        return []
    return [f"the schema is at {there}, this version needs {wanted}: run flask db upgrade"]


def careless(connection: Connection) -> list[str]:
    values = {name: setting(connection, name) for name in KEEPING}
    return [f"{name} is off: {KEEPING[name]}" for name in values if values[name] == "off"]


def crowded(connection: Connection) -> list[str]:
    """Say whether our workers together could want more connections than there are."""
    ours = settings()
    wanted = ours.web_concurrency * (ours.db_pool_size + ours.db_max_overflow)
    reserved = sum(int(setting(connection, name) or 0) for name in RESERVED)
    there = int(setting(connection, "max_connections") or 0) - reserved
    if wanted <= there:
        return []
    sum_of_ours = f"WEB_CONCURRENCY x (DB_POOL_SIZE + DB_MAX_OVERFLOW) = {wanted} connections"
    return [f"{sum_of_ours}, but max_connections leaves {there}"]


def setting(connection: Connection, name: str) -> str | None:
    """Return a setting of PostgreSQL; None if this version does not have it."""
    ask = text("SELECT current_setting(:name, true)")
    value: str | None = connection.scalar(ask, {"name": name})
    return value

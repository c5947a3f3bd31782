"""The database: its session, column types and naming, and the few queries that all rules share."""

import re
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Literal, TypeVar

from flask_sqlalchemy import SQLAlchemy
from sqlalchemy import (
    JSON,
    Connection,
    DateTime,
    Dialect,
    MetaData,
    String,
    func,
    select,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import DeclarativeBase
from sqlalchemy.types import TypeDecorator

from allthing.errors import Conflict, NotFound

ID_LENGTH = 36  # characters of a UUID

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
    """Base of all models; constraints get their names by convention."""

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
Lock = Literal["update", "share"]

db = SQLAlchemy(model_class=Base, disable_autonaming=True)


def new_id() -> str:
    return str(uuid.uuid4())


def find(model: type[Model], entity_id: str, *, lock: Lock | None = None) -> Model:
    """Load by id, or raise `NotFound`; a lock holds until the end of the transaction.

    `update` lets one transaction at a time change the row; `share` only holds changes off.
    """
    entity = None
    if is_possible_id(entity_id):
        for_update = {"read": lock == "share"} if lock else None
        entity = db.session.get(model, entity_id, with_for_update=for_update)
    if entity is None:
        noun = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", model.__name__.removeprefix("Poll")).lower()
        raise NotFound(f"there is no {noun} with this id")
    return entity


def is_possible_id(entity_id: str) -> bool:
    """Tell whether this may be an id; to ask for what is too long, NUL or not ASCII is an error."""
    return len(entity_id) <= ID_LENGTH and entity_id.isascii() and entity_id.isprintable()


@contextmanager
def conflict(detail: str) -> Iterator[None]:
    """Flush what the block changed; a violated constraint becomes `Conflict(detail)`."""
    try:
        yield
        db.session.flush()
    except IntegrityError as error:
        raise Conflict(detail) from error


def lock_until_commit(name: str, connection: Connection | None = None) -> None:
    """Let only one transaction at a time, on any replica, do what `name` stands for.

    It is the session's transaction, unless a connection is given.
    """
    connection = connection or db.session.connection()
    if connection.dialect.name == "postgresql":
        connection.execute(select(func.pg_advisory_xact_lock(func.hashtextextended(name, 0))))


def begin_consistent_read() -> None:
    """Let all reads of this transaction, which begins here, see one snapshot; it can't write.

    On SQLite any transaction sees one snapshot.
    """
    if db.session.get_bind().dialect.name == "postgresql":
        db.session.execute(text("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY"))

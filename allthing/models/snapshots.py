"""Snapshots: kept results of polls, version after version, none ever rewritten."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import (
    JSON,
    CheckConstraint,
    Dialect,
    ForeignKey,
    String,
    Text,
    UniqueConstraint,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column
from sqlalchemy.types import TypeDecorator, TypeEngine

from allthing.database import Base, Id, Instant, new_id
from allthing.runtime.clock import now

REASONS = ("CLOSED", "INTERIM", "MISSING", "REGENERATED", "REQUESTED")


class StoredResult(TypeDecorator[dict[str, Any]]):
    """A result as JSON, read back in the order of the ballot, which jsonb does not keep.

    Source: IRV-1, rule 16. Whatever is told per option id is put in that order.
    """

    impl = JSON
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        return dialect.type_descriptor(JSONB() if dialect.name == "postgresql" else JSON())

    def process_result_value(self, value: Any, _dialect: Dialect) -> Any:
        places = {option["optionId"]: place for place, option in enumerate(value["options"])}
        return in_order(value, places | {"exhausted": len(places)})


def in_order(value: Any, places: Mapping[str, int]) -> Any:
    """Return a copy in which each object that has places for all its names is sorted by them."""
    if isinstance(value, list):
        return [in_order(entry, places) for entry in value]
    if not isinstance(value, dict):
        return value
    known = value.keys() <= places.keys()
    names = sorted(value, key=lambda name: places[name]) if known else value
    return {name: in_order(value[name], places) for name in names}


class PollResultSnapshot(Base):
    """A poll's result as it was counted at one moment; the newest version is the one that counts.

    `reason` says why it was taken: its poll was CLOSED; or was open still, which makes it
    INTERIM and no result; or an admin asked for MISSING ones, for all to be REGENERATED, or
    REQUESTED this one. `actor` names that admin.
    """

    __tablename__ = "pollResultSnapshots"
    __table_args__ = (
        UniqueConstraint("instanceId", "version"),
        CheckConstraint("version >= 1", name="version"),
        CheckConstraint(f"reason IN {REASONS}", name="reason"),
        CheckConstraint('"totalVotes" >= 0', name="total_votes"),
        CheckConstraint('"totalBallots" >= 0', name="total_ballots"),
    )

    id: Mapped[str] = mapped_column(Id, primary_key=True, default=new_id)
    instance_id: Mapped[str] = mapped_column(
        "instanceId", Id, ForeignKey("pollInstances.id", ondelete="CASCADE")
    )
    version: Mapped[int] = mapped_column(default=1, server_default=text("1"))
    reason: Mapped[str] = mapped_column(String(16), default="CLOSED", server_default="CLOSED")
    actor: Mapped[str | None] = mapped_column(Text)
    results: Mapped[dict[str, Any]] = mapped_column("resultsJson", StoredResult)
    total_votes: Mapped[int | None] = mapped_column("totalVotes")
    total_ballots: Mapped[int | None] = mapped_column("totalBallots")
    winner_option_id: Mapped[str | None] = mapped_column("winnerOptionId", Id)
    created_at: Mapped[datetime] = mapped_column("createdAt", Instant, default=now)

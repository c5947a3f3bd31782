"""Snapshots: kept results of polls, version after version, none ever rewritten."""

from datetime import datetime
from typing import Any

from sqlalchemy import CheckConstraint, ForeignKey, String, Text, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from allthing.clock import now
from allthing.database import Base, Id, Instant, Json, new_id

REASONS = ("CLOSED", "INTERIM", "MISSING", "REGENERATED", "REQUESTED")


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
    results: Mapped[dict[str, Any]] = mapped_column("resultsJson", Json)
    total_votes: Mapped[int | None] = mapped_column("totalVotes")
    total_ballots: Mapped[int | None] = mapped_column("totalBallots")
    winner_option_id: Mapped[str | None] = mapped_column("winnerOptionId", Id)
    created_at: Mapped[datetime] = mapped_column("createdAt", Instant, default=now)

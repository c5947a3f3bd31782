"""Snapshots: the frozen result of a closed poll."""

from datetime import datetime
from typing import Any

from sqlalchemy import CheckConstraint, ForeignKey, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from allthing.clock import now
from allthing.database import Base, Id, Instant, Json, new_id


class PollResultSnapshot(Base):
    __tablename__ = "pollResultSnapshots"
    __table_args__ = (
        UniqueConstraint("instanceId"),
        CheckConstraint('"totalVotes" >= 0', name="total_votes"),
        CheckConstraint('"totalBallots" >= 0', name="total_ballots"),
    )

    id: Mapped[str] = mapped_column(Id, primary_key=True, default=new_id)
    instance_id: Mapped[str] = mapped_column(
        "instanceId", Id, ForeignKey("pollInstances.id", ondelete="CASCADE")
    )
    results: Mapped[dict[str, Any]] = mapped_column("resultsJson", Json)
    total_votes: Mapped[int | None] = mapped_column("totalVotes")
    total_ballots: Mapped[int | None] = mapped_column("totalBallots")
    winner_option_id: Mapped[str | None] = mapped_column("winnerOptionId", Id)
    created_at: Mapped[datetime] = mapped_column("createdAt", Instant, default=now)

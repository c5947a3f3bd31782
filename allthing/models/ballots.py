"""Ballots: one row per vote, its whole ranking in one column, nothing that names a voter.

Beside them stand their tallies. Triggers of the database, made by a migration, keep these exact
whoever adds or deletes ballots, and let no ballot into a poll that is not open.
"""

from datetime import datetime

from sqlalchemy import (
    CheckConstraint,
    ForeignKey,
    Index,
    SmallInteger,
    String,
    UniqueConstraint,
    text,
)
from sqlalchemy.orm import Mapped, mapped_column

from allthing.database import Base, Id, Instant, new_id
from allthing.runtime.clock import now

HAS_KEY = text('"idempotencyKeyHash" IS NOT NULL')


class VoteBallot(Base):
    """One accepted vote.

    All hashes are keyed with the server's secret and the instance, so that ballots of one
    person can't be linked across polls. `ranking` lists the chosen options' `sortOrder`, best
    first, as in `2.0.1`: compact, and `GROUP BY ranking` counts it. `id` is made by whoever casts
    the ballot, so that one whose answer got lost can be found again.
    """

    __tablename__ = "voteBallots"
    __table_args__ = (
        UniqueConstraint("instanceId", "voterTokenHash"),
        CheckConstraint("ranking <> ''", name="ranking"),
        Index(None, "instanceId", "ipHash"),
        Index(
            "uq_voteBallots_instanceId_idempotencyKeyHash",
            "instanceId",
            "idempotencyKeyHash",
            unique=True,
            postgresql_where=HAS_KEY,
            sqlite_where=HAS_KEY,
        ),
    )

    id: Mapped[str] = mapped_column(Id, primary_key=True, default=new_id)
    instance_id: Mapped[str] = mapped_column(
        "instanceId", Id, ForeignKey("pollInstances.id", ondelete="CASCADE")
    )
    voter_token_hash: Mapped[str] = mapped_column("voterTokenHash", String(64))
    ip_hash: Mapped[str] = mapped_column("ipHash", String(64))
    user_agent_hash: Mapped[str | None] = mapped_column("userAgentHash", String(64))
    idempotency_key_hash: Mapped[str | None] = mapped_column("idempotencyKeyHash", String(64))
    payload_hash: Mapped[str | None] = mapped_column("payloadHash", String(64))
    country_code: Mapped[str | None] = mapped_column("countryCode", String(2))
    region_code: Mapped[str | None] = mapped_column("regionCode", String(32))
    city_name: Mapped[str | None] = mapped_column("cityName", String(128))
    age_range: Mapped[str | None] = mapped_column("ageRange", String(20))
    gender: Mapped[str | None] = mapped_column(String(50))
    race: Mapped[str | None] = mapped_column(String(100))
    ethnicity: Mapped[str | None] = mapped_column(String(100))
    state: Mapped[str | None] = mapped_column(String(2))
    urban_rural_suburban: Mapped[str | None] = mapped_column("urbanRuralSuburban", String(20))
    political_party: Mapped[str | None] = mapped_column("politicalParty", String(50))
    political_ideology: Mapped[str | None] = mapped_column("politicalIdeology", String(50))
    religion: Mapped[str | None] = mapped_column(String(100))
    education_level: Mapped[str | None] = mapped_column("educationLevel", String(100))
    first_choice_option_id: Mapped[str | None] = mapped_column(
        "firstChoiceOptionId", Id, ForeignKey("pollInstanceOptions.id", ondelete="RESTRICT")
    )
    ranking: Mapped[str] = mapped_column(String(1000))
    created_at: Mapped[datetime] = mapped_column("createdAt", Instant, default=now)


class VoteTally(Base):
    """How many ballots of a poll hold one ranking: the sum over `shard`.

    Votes for the same at the same time update different shards, and so don't wait for each other.
    """

    __tablename__ = "voteTallies"
    __table_args__ = ({"postgresql_with": {"fillfactor": 50}},)  # room to update in place

    instance_id: Mapped[str] = mapped_column(
        "instanceId", Id, ForeignKey("pollInstances.id", ondelete="CASCADE"), primary_key=True
    )
    ranking: Mapped[str] = mapped_column(String(1000), primary_key=True)
    shard: Mapped[int] = mapped_column(SmallInteger, primary_key=True)
    votes: Mapped[int]

"""The schedule: what a date changes (plans), what it opened (instances), what ran (ledger)."""

from datetime import date, datetime

from sqlalchemy import CheckConstraint, ForeignKey, Index, String, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column, relationship

from allthing.database import Base, Id, Instant, new_id
from allthing.models.catalog import AUDIENCES, POLL_TYPES
from allthing.runtime.clock import end_of, now, start_of

STATUSES = ("OPEN", "CLOSED")
NOT_REPLACED = text('"replacedAt" IS NULL')


class PollPlan(Base):
    """What one date changes for one template: skip it, ask otherwise, or offer other options."""

    __tablename__ = "pollPlans"
    __table_args__ = (UniqueConstraint("templateId", "pollDate"),)

    id: Mapped[str] = mapped_column(Id, primary_key=True, default=new_id)
    template_id: Mapped[str] = mapped_column(
        "templateId", Id, ForeignKey("pollTemplates.id", ondelete="CASCADE")
    )
    poll_date: Mapped[date] = mapped_column("pollDate")
    is_enabled: Mapped[bool] = mapped_column("isEnabled", default=True)
    question_override: Mapped[str | None] = mapped_column("questionOverride", String(1000))

    options: Mapped[list["PollPlanOption"]] = relationship(
        cascade="all, delete-orphan", passive_deletes=True, order_by="PollPlanOption.sort_order"
    )


class PollPlanOption(Base):
    __tablename__ = "pollPlanOptions"
    __table_args__ = (UniqueConstraint("planId", "sortOrder"),)

    id: Mapped[str] = mapped_column(Id, primary_key=True, default=new_id)
    plan_id: Mapped[str] = mapped_column(
        "planId", Id, ForeignKey("pollPlans.id", ondelete="CASCADE")
    )
    label: Mapped[str] = mapped_column(String(256))
    sort_order: Mapped[int] = mapped_column("sortOrder")


class PollInstance(Base):
    """One poll that voters answer: a template's words as they stood when its day was opened."""

    __tablename__ = "pollInstances"
    __table_args__ = (
        CheckConstraint(f'"pollType" IN {POLL_TYPES}', name="poll_type"),
        CheckConstraint(f"audience IN {AUDIENCES}", name="audience"),
        CheckConstraint(f"status IN {STATUSES}", name="status"),
        CheckConstraint('"closeDate" >= "pollDate"', name="close_date"),
        CheckConstraint('"maxRank" >= 1', name="max_rank"),
        CheckConstraint("""status = 'CLOSED' OR "replacedAt" IS NULL""", name="replaced_is_closed"),
        Index(
            "uq_pollInstances_templateId_pollDate",
            "templateId",
            "pollDate",
            unique=True,
            postgresql_where=NOT_REPLACED,
            sqlite_where=NOT_REPLACED,
        ),
        Index(None, "status", "pollDate"),
        Index(None, "pollDate"),
        Index(None, "templateId", "pollDate"),
        Index(None, "categoryId"),
    )

    id: Mapped[str] = mapped_column(Id, primary_key=True, default=new_id)
    template_id: Mapped[str] = mapped_column(
        "templateId", Id, ForeignKey("pollTemplates.id", ondelete="RESTRICT")
    )
    category_id: Mapped[str] = mapped_column(
        "categoryId", Id, ForeignKey("pollCategories.id", ondelete="RESTRICT")
    )
    poll_date: Mapped[date] = mapped_column("pollDate")
    close_date: Mapped[date] = mapped_column("closeDate")
    title: Mapped[str] = mapped_column(String(256))
    question: Mapped[str | None] = mapped_column(String(1000))
    poll_type: Mapped[str] = mapped_column("pollType", String(16))
    max_rank: Mapped[int | None] = mapped_column("maxRank")
    audience: Mapped[str] = mapped_column(String(16))
    status: Mapped[str] = mapped_column(String(16), default="OPEN")
    replaced_at: Mapped[datetime | None] = mapped_column("replacedAt", Instant)

    options: Mapped[list["PollInstanceOption"]] = relationship(
        cascade="all, delete-orphan", passive_deletes=True, order_by="PollInstanceOption.sort_order"
    )

    @property
    def opens_at(self) -> datetime:
        """The instant at which its first day begins in the poll time zone."""
        return start_of(self.poll_date)

    @property
    def closes_at(self) -> datetime:
        """The first instant at which it takes no votes any more, whatever its status says."""
        return end_of(self.close_date)


class PollInstanceOption(Base):
    """An option of an instance. `sortOrder` counts from 0: ballots name options by it."""

    __tablename__ = "pollInstanceOptions"
    __table_args__ = (
        UniqueConstraint("instanceId", "sortOrder"),
        CheckConstraint('"sortOrder" >= 0', name="sort_order"),
    )

    id: Mapped[str] = mapped_column(Id, primary_key=True, default=new_id)
    instance_id: Mapped[str] = mapped_column(
        "instanceId", Id, ForeignKey("pollInstances.id", ondelete="CASCADE")
    )
    label: Mapped[str] = mapped_column(String(256))
    sort_order: Mapped[int] = mapped_column("sortOrder")


class RolloverRun(Base):
    """The ledger: a rollover that has run. A day that is in it need not be opened by a reader."""

    __tablename__ = "rolloverRuns"
    __table_args__ = (Index(None, "pollDate"),)

    id: Mapped[str] = mapped_column(Id, primary_key=True, default=new_id)
    poll_date: Mapped[date] = mapped_column("pollDate")
    ran_at: Mapped[datetime] = mapped_column("ranAt", Instant, default=now)
    created_count: Mapped[int] = mapped_column("createdCount")
    closed_count: Mapped[int] = mapped_column("closedCount")

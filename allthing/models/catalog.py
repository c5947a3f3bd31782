"""The catalog: categories, the recurring templates in them, and option presets."""

from datetime import datetime
from typing import Any

from sqlalchemy import CheckConstraint, ForeignKey, Index, String, Text, UniqueConstraint, false
from sqlalchemy.orm import Mapped, mapped_column, relationship

from allthing.database import Base, Id, Instant, Json, new_id
from allthing.runtime.clock import now

POLL_TYPES = ("SINGLE", "RANKED")
AUDIENCES = ("PUBLIC", "USER_ONLY")


class PollCategory(Base):
    __tablename__ = "pollCategories"
    __table_args__ = (
        UniqueConstraint("key"),
        CheckConstraint('"parentCategoryId" <> id', name="not_own_parent"),
        Index(None, "parentCategoryId"),
    )

    id: Mapped[str] = mapped_column(Id, primary_key=True, default=new_id)
    key: Mapped[str] = mapped_column(String(64))
    name: Mapped[str] = mapped_column(String(128))
    sort_order: Mapped[int] = mapped_column("sortOrder", default=0)
    parent_id: Mapped[str | None] = mapped_column(
        "parentCategoryId", Id, ForeignKey("pollCategories.id", ondelete="CASCADE")
    )


class PollTemplate(Base):
    """A recurring poll; each day it is active, the rollover opens an instance of it."""

    __tablename__ = "pollTemplates"
    __table_args__ = (
        UniqueConstraint("categoryId", "key"),
        CheckConstraint(f'"pollType" IN {POLL_TYPES}', name="poll_type"),
        CheckConstraint(f"audience IN {AUDIENCES}", name="audience"),
        CheckConstraint('"durationDays" BETWEEN 1 AND 365', name="duration"),
        CheckConstraint('"maxRank" >= 1', name="max_rank"),
        CheckConstraint(
            """"pollType" <> 'RANKED' OR "maxRank" IS NULL OR "maxRank" >= 2""",
            name="ranked_max_rank",
        ),
        Index(None, "isActive"),
    )

    id: Mapped[str] = mapped_column(Id, primary_key=True, default=new_id)
    category_id: Mapped[str] = mapped_column(
        "categoryId", Id, ForeignKey("pollCategories.id", ondelete="RESTRICT")
    )
    key: Mapped[str] = mapped_column(String(64))
    title: Mapped[str] = mapped_column(String(256))
    question: Mapped[str | None] = mapped_column(String(1000))
    context_text: Mapped[str | None] = mapped_column("contextText", Text)
    poll_type: Mapped[str] = mapped_column("pollType", String(16))
    max_rank: Mapped[int | None] = mapped_column("maxRank")
    audience: Mapped[str] = mapped_column(String(16), default="PUBLIC")
    duration_days: Mapped[int] = mapped_column("durationDays", default=1)
    is_active: Mapped[bool] = mapped_column("isActive", default=True)
    featured: Mapped[bool] = mapped_column(default=False, server_default=false())

    options: Mapped[list["PollTemplateOption"]] = relationship(
        cascade="all, delete-orphan", passive_deletes=True, order_by="PollTemplateOption.sort_order"
    )


class PollTemplateOption(Base):
    __tablename__ = "pollTemplateOptions"
    __table_args__ = (UniqueConstraint("templateId", "sortOrder"),)

    id: Mapped[str] = mapped_column(Id, primary_key=True, default=new_id)
    template_id: Mapped[str] = mapped_column(
        "templateId", Id, ForeignKey("pollTemplates.id", ondelete="CASCADE")
    )
    label: Mapped[str] = mapped_column(String(256))
    sort_order: Mapped[int] = mapped_column("sortOrder")


class PresetOptionSet(Base):
    """A named list of options that the template form offers to start from."""

    __tablename__ = "presetOptionSets"
    __table_args__ = (UniqueConstraint("name"),)

    id: Mapped[str] = mapped_column(Id, primary_key=True, default=new_id)
    name: Mapped[str] = mapped_column(String(128))
    description: Mapped[str | None] = mapped_column(String(500))
    options: Mapped[list[dict[str, Any]]] = mapped_column(Json)
    created_at: Mapped[datetime] = mapped_column("createdAt", Instant, default=now)
    updated_at: Mapped[datetime] = mapped_column("updatedAt", Instant, default=now, onupdate=now)

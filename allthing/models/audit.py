"""The audit log: who did what to what, and what was refused. Append only."""

from datetime import datetime
from typing import Any

from sqlalchemy import Index, String, Text, text, true
from sqlalchemy.orm import Mapped, mapped_column

from allthing.database import Base, Id, Instant, Json, new_id
from allthing.runtime.clock import now

FAILED = text("NOT success")


class AdminAuditLog(Base):
    """One admin action. Each question that the log answers has an index, newest first."""

    __tablename__ = "adminAuditLogs"

    id: Mapped[str] = mapped_column(Id, primary_key=True, default=new_id)
    action: Mapped[str] = mapped_column(String(128))
    entity_type: Mapped[str | None] = mapped_column("entityType", String(64))
    entity_id: Mapped[str | None] = mapped_column("entityId", String(36))
    admin_key_hash: Mapped[str | None] = mapped_column("adminKeyHash", String(64))
    ip_address: Mapped[str | None] = mapped_column("ipAddress", String(45))
    user_agent: Mapped[str | None] = mapped_column("userAgent", String(256))
    changes: Mapped[dict[str, Any] | None] = mapped_column(Json)
    details: Mapped[dict[str, Any] | None] = mapped_column("metadata", Json)
    success: Mapped[bool] = mapped_column(default=True, server_default=true())
    error_message: Mapped[str | None] = mapped_column("errorMessage", Text)
    created_at: Mapped[datetime] = mapped_column("createdAt", Instant, default=now)

    __table_args__ = (
        Index(None, created_at.desc(), id.desc()),
        Index(None, admin_key_hash, created_at.desc(), id.desc()),
        Index(None, entity_type, entity_id, created_at.desc(), id.desc()),
        Index(None, action, created_at.desc(), id.desc()),
        Index(
            "ix_adminAuditLogs_failed",
            created_at.desc(),
            id.desc(),
            postgresql_where=FAILED,
            sqlite_where=FAILED,
        ),
        Index(
            "ix_adminAuditLogs_failed_by_address",
            ip_address,
            created_at.desc(),
            postgresql_where=FAILED,
            sqlite_where=FAILED,
        ),
    )

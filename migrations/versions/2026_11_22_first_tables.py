"""first tables

Revision ID: fa042ffaa21c
Revises: nothing
Create Date: 2026-11-22 21:19:59.994159+00:00
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "fa042ffaa21c"
down_revision = None
branch_labels = None
depends_on = None

Instant = sa.DateTime(timezone=True)
Json = sa.JSON().with_variant(postgresql.JSONB(), "postgresql")


def upgrade() -> None:
    op.create_table(
        "adminAuditLogs",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("action", sa.String(length=128), nullable=False),
        sa.Column("entityType", sa.String(length=64), nullable=True),
        sa.Column("entityId", sa.String(length=36), nullable=True),
        sa.Column("adminKeyHash", sa.String(length=64), nullable=True),
        sa.Column("ipAddress", sa.String(length=45), nullable=True),
        sa.Column("userAgent", sa.String(length=256), nullable=True),
        sa.Column("changes", Json, nullable=True),
        sa.Column("metadata", Json, nullable=True),
        sa.Column("success", sa.Boolean(), server_default=sa.true(), nullable=False),
        sa.Column("errorMessage", sa.Text(), nullable=True),
        sa.Column("createdAt", Instant, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_adminAuditLogs"),
    )
    op.create_index(
        "ix_adminAuditLogs_action_createdAt_id",
        "adminAuditLogs",
        ["action", sa.text('"createdAt" DESC'), sa.text("id DESC")],
    )
    op.create_index(
        "ix_adminAuditLogs_adminKeyHash_createdAt_id",
        "adminAuditLogs",
        ["adminKeyHash", sa.text('"createdAt" DESC'), sa.text("id DESC")],
    )
    op.create_index(
        "ix_adminAuditLogs_createdAt_id",
        "adminAuditLogs",
        [sa.text('"createdAt" DESC'), sa.text("id DESC")],
    )
    op.create_index(
        "ix_adminAuditLogs_entityType_entityId_createdAt_id",
        "adminAuditLogs",
        ["entityType", "entityId", sa.text('"createdAt" DESC'), sa.text("id DESC")],
    )
    op.create_index(
        "ix_adminAuditLogs_failed",
        "adminAuditLogs",
        [sa.text('"createdAt" DESC'), sa.text("id DESC")],
        postgresql_where=sa.text("NOT success"),
        sqlite_where=sa.text("NOT success"),
    )
    op.create_index(
        "ix_adminAuditLogs_failed_by_address",
        "adminAuditLogs",
        ["ipAddress", sa.text('"createdAt" DESC')],
        postgresql_where=sa.text("NOT success"),
        sqlite_where=sa.text("NOT success"),
    )

    op.create_table(
        "pollCategories",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("key", sa.String(length=64), nullable=False),
        sa.Column("name", sa.String(length=128), nullable=False),
        sa.Column("sortOrder", sa.Integer(), nullable=False),
        sa.Column("parentCategoryId", sa.String(length=36), nullable=True),
        sa.CheckConstraint(
            '"parentCategoryId" <> id', name=op.f("ck_pollCategories_not_own_parent")
        ),
        sa.ForeignKeyConstraint(
            ["parentCategoryId"],
            ["pollCategories.id"],
            name="fk_pollCategories_parentCategoryId",
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name="pk_pollCategories"),
        sa.UniqueConstraint("key", name="uq_pollCategories_key"),
    )
    op.create_index("ix_pollCategories_parentCategoryId", "pollCategories", ["parentCategoryId"])

    op.create_table(
        "presetOptionSets",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("name", sa.String(length=128), nullable=False),
        sa.Column("description", sa.String(length=500), nullable=True),
        sa.Column("options", Json, nullable=False),
        sa.Column("createdAt", Instant, nullable=False),
        sa.Column("updatedAt", Instant, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_presetOptionSets"),
        sa.UniqueConstraint("name", name="uq_presetOptionSets_name"),
    )
    op.create_table(
        "rolloverRuns",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("pollDate", sa.Date(), nullable=False),
        sa.Column("ranAt", Instant, nullable=False),
        sa.Column("createdCount", sa.Integer(), nullable=False),
        sa.Column("closedCount", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_rolloverRuns"),
    )
    op.create_index("ix_rolloverRuns_pollDate", "rolloverRuns", ["pollDate"])
    op.create_table(
        "pollTemplates",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("categoryId", sa.String(length=36), nullable=False),
        sa.Column("key", sa.String(length=64), nullable=False),
        sa.Column("title", sa.String(length=256), nullable=False),
        sa.Column("question", sa.String(length=1000), nullable=True),
        sa.Column("contextText", sa.Text(), nullable=True),
        sa.Column("pollType", sa.String(length=16), nullable=False),
        sa.Column("maxRank", sa.Integer(), nullable=True),
        sa.Column("audience", sa.String(length=16), nullable=False),
        sa.Column("durationDays", sa.Integer(), nullable=False),
        sa.Column("isActive", sa.Boolean(), nullable=False),
        sa.Column("featured", sa.Boolean(), server_default=sa.false(), nullable=False),
        sa.CheckConstraint(
            "audience IN ('PUBLIC', 'USER_ONLY')", name=op.f("ck_pollTemplates_audience")
        ),
        sa.CheckConstraint(
            '"durationDays" BETWEEN 1 AND 365', name=op.f("ck_pollTemplates_duration")
        ),
        sa.CheckConstraint('"maxRank" >= 1', name=op.f("ck_pollTemplates_max_rank")),
        sa.CheckConstraint(
            '"pollType" <> \'RANKED\' OR "maxRank" IS NULL OR "maxRank" >= 2',
            name=op.f("ck_pollTemplates_ranked_max_rank"),
        ),
        sa.CheckConstraint(
            "\"pollType\" IN ('SINGLE', 'RANKED')", name=op.f("ck_pollTemplates_poll_type")
        ),
        sa.ForeignKeyConstraint(
            ["categoryId"],
            ["pollCategories.id"],
            name="fk_pollTemplates_categoryId",
            ondelete="RESTRICT",
        ),
        sa.PrimaryKeyConstraint("id", name="pk_pollTemplates"),
        sa.UniqueConstraint("categoryId", "key", name="uq_pollTemplates_categoryId_key"),
    )
    op.create_index("ix_pollTemplates_isActive", "pollTemplates", ["isActive"])

    op.create_table(
        "pollInstances",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("templateId", sa.String(length=36), nullable=False),
        sa.Column("categoryId", sa.String(length=36), nullable=False),
        sa.Column("pollDate", sa.Date(), nullable=False),
        sa.Column("closeDate", sa.Date(), nullable=False),
        sa.Column("title", sa.String(length=256), nullable=False),
        sa.Column("question", sa.String(length=1000), nullable=True),
        sa.Column("pollType", sa.String(length=16), nullable=False),
        sa.Column("maxRank", sa.Integer(), nullable=True),
        sa.Column("audience", sa.String(length=16), nullable=False),
        sa.Column("status", sa.String(length=16), nullable=False),
        sa.Column("replacedAt", Instant, nullable=True),
        sa.CheckConstraint(
            "audience IN ('PUBLIC', 'USER_ONLY')", name=op.f("ck_pollInstances_audience")
        ),
        sa.CheckConstraint("status IN ('OPEN', 'CLOSED')", name=op.f("ck_pollInstances_status")),
        sa.CheckConstraint('"closeDate" >= "pollDate"', name=op.f("ck_pollInstances_close_date")),
        sa.CheckConstraint('"maxRank" >= 1', name=op.f("ck_pollInstances_max_rank")),
        sa.CheckConstraint(
            "\"pollType\" IN ('SINGLE', 'RANKED')", name=op.f("ck_pollInstances_poll_type")
        ),
        sa.CheckConstraint(
            "status = 'CLOSED' OR \"replacedAt\" IS NULL",
            name=op.f("ck_pollInstances_replaced_is_closed"),
        ),
        sa.ForeignKeyConstraint(
            ["categoryId"],
            ["pollCategories.id"],
            name="fk_pollInstances_categoryId",
            ondelete="RESTRICT",
        ),
        sa.ForeignKeyConstraint(
            ["templateId"],
            ["pollTemplates.id"],
            name="fk_pollInstances_templateId",
            ondelete="RESTRICT",
        ),
        sa.PrimaryKeyConstraint("id", name="pk_pollInstances"),
    )
    op.create_index("ix_pollInstances_categoryId", "pollInstances", ["categoryId"])
    op.create_index("ix_pollInstances_pollDate", "pollInstances", ["pollDate"])
    op.create_index(
        "ix_pollInstances_templateId_pollDate", "pollInstances", ["templateId", "pollDate"]
    )
    op.create_index("ix_pollInstances_status_pollDate", "pollInstances", ["status", "pollDate"])
    op.create_index(
        "uq_pollInstances_templateId_pollDate",
        "pollInstances",
        ["templateId", "pollDate"],
        unique=True,
        postgresql_where=sa.text('"replacedAt" IS NULL'),
        sqlite_where=sa.text('"replacedAt" IS NULL'),
    )

    op.create_table(
        "pollPlans",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("templateId", sa.String(length=36), nullable=False),
        sa.Column("pollDate", sa.Date(), nullable=False),
        sa.Column("isEnabled", sa.Boolean(), nullable=False),
        sa.Column("questionOverride", sa.String(length=1000), nullable=True),
        sa.ForeignKeyConstraint(
            ["templateId"], ["pollTemplates.id"], name="fk_pollPlans_templateId", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_pollPlans"),
        sa.UniqueConstraint("templateId", "pollDate", name="uq_pollPlans_templateId_pollDate"),
    )
    op.create_table(
        "pollTemplateOptions",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("templateId", sa.String(length=36), nullable=False),
        sa.Column("label", sa.String(length=256), nullable=False),
        sa.Column("sortOrder", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(
            ["templateId"],
            ["pollTemplates.id"],
            name="fk_pollTemplateOptions_templateId",
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name="pk_pollTemplateOptions"),
        sa.UniqueConstraint(
            "templateId", "sortOrder", name="uq_pollTemplateOptions_templateId_sortOrder"
        ),
    )
    op.create_table(
        "pollInstanceOptions",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("instanceId", sa.String(length=36), nullable=False),
        sa.Column("label", sa.String(length=256), nullable=False),
        sa.Column("sortOrder", sa.Integer(), nullable=False),
        sa.CheckConstraint('"sortOrder" >= 0', name=op.f("ck_pollInstanceOptions_sort_order")),
        sa.ForeignKeyConstraint(
            ["instanceId"],
            ["pollInstances.id"],
            name="fk_pollInstanceOptions_instanceId",
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name="pk_pollInstanceOptions"),
        sa.UniqueConstraint(
            "instanceId", "sortOrder", name="uq_pollInstanceOptions_instanceId_sortOrder"
        ),
    )
    op.create_table(
        "pollPlanOptions",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("planId", sa.String(length=36), nullable=False),
        sa.Column("label", sa.String(length=256), nullable=False),
        sa.Column("sortOrder", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(
            ["planId"], ["pollPlans.id"], name="fk_pollPlanOptions_planId", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_pollPlanOptions"),
        sa.UniqueConstraint("planId", "sortOrder", name="uq_pollPlanOptions_planId_sortOrder"),
    )
    op.create_table(
        "pollResultSnapshots",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("instanceId", sa.String(length=36), nullable=False),
        sa.Column("resultsJson", Json, nullable=False),
        sa.Column("totalVotes", sa.Integer(), nullable=True),
        sa.Column("totalBallots", sa.Integer(), nullable=True),
        sa.Column("winnerOptionId", sa.String(length=36), nullable=True),
        sa.Column("createdAt", Instant, nullable=False),
        sa.CheckConstraint(
            '"totalBallots" >= 0', name=op.f("ck_pollResultSnapshots_total_ballots")
        ),
        sa.CheckConstraint('"totalVotes" >= 0', name=op.f("ck_pollResultSnapshots_total_votes")),
        sa.ForeignKeyConstraint(
            ["instanceId"],
            ["pollInstances.id"],
            name="fk_pollResultSnapshots_instanceId",
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name="pk_pollResultSnapshots"),
        sa.UniqueConstraint("instanceId", name="uq_pollResultSnapshots_instanceId"),
    )
    op.create_table(
        "voteBallots",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("instanceId", sa.String(length=36), nullable=False),
        sa.Column("voterTokenHash", sa.String(length=64), nullable=False),
        sa.Column("ipHash", sa.String(length=64), nullable=False),
        sa.Column("userAgentHash", sa.String(length=64), nullable=True),
        sa.Column("idempotencyKeyHash", sa.String(length=64), nullable=True),
        sa.Column("payloadHash", sa.String(length=64), nullable=True),
        sa.Column("countryCode", sa.String(length=2), nullable=True),
        sa.Column("regionCode", sa.String(length=32), nullable=True),
        sa.Column("cityName", sa.String(length=128), nullable=True),
        sa.Column("ageRange", sa.String(length=20), nullable=True),
        sa.Column("gender", sa.String(length=50), nullable=True),
        sa.Column("race", sa.String(length=100), nullable=True),
        sa.Column("ethnicity", sa.String(length=100), nullable=True),
        sa.Column("state", sa.String(length=2), nullable=True),
        sa.Column("urbanRuralSuburban", sa.String(length=20), nullable=True),
        sa.Column("politicalParty", sa.String(length=50), nullable=True),
        sa.Column("politicalIdeology", sa.String(length=50), nullable=True),
        sa.Column("religion", sa.String(length=100), nullable=True),
        sa.Column("educationLevel", sa.String(length=100), nullable=True),
        sa.Column("firstChoiceOptionId", sa.String(length=36), nullable=True),
        sa.Column("ranking", sa.String(length=1000), nullable=False),
        sa.Column("createdAt", Instant, nullable=False),
        sa.CheckConstraint("ranking <> ''", name=op.f("ck_voteBallots_ranking")),
        sa.ForeignKeyConstraint(
            ["firstChoiceOptionId"],
            ["pollInstanceOptions.id"],
            name="fk_voteBallots_firstChoiceOptionId",
            ondelete="RESTRICT",
        ),
        sa.ForeignKeyConstraint(
            ["instanceId"],
            ["pollInstances.id"],
            name="fk_voteBallots_instanceId",
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name="pk_voteBallots"),
        sa.UniqueConstraint(
            "instanceId", "voterTokenHash", name="uq_voteBallots_instanceId_voterTokenHash"
        ),
    )
    op.create_index("ix_voteBallots_instanceId_ipHash", "voteBallots", ["instanceId", "ipHash"])
    op.create_index("ix_voteBallots_instanceId_ranking", "voteBallots", ["instanceId", "ranking"])
    op.create_index(
        "uq_voteBallots_instanceId_idempotencyKeyHash",
        "voteBallots",
        ["instanceId", "idempotencyKeyHash"],
        unique=True,
        postgresql_where=sa.text('"idempotencyKeyHash" IS NOT NULL'),
        sqlite_where=sa.text('"idempotencyKeyHash" IS NOT NULL'),
    )


def downgrade() -> None:
    for table in (
        "voteBallots",
        "pollResultSnapshots",
        "pollPlanOptions",
        "pollInstanceOptions",
        "pollTemplateOptions",
        "pollPlans",
        "pollInstances",
        "pollTemplates",
        "rolloverRuns",
        "presetOptionSets",
        "pollCategories",
        "adminAuditLogs",
    ):
        op.drop_table(table)

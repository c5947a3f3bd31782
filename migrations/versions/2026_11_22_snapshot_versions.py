"""snapshot versions

Revision ID: 4c1d70b35e92
Revises: fa042ffaa21c
Create Date: 2026-11-22 21:40:00+00:00
"""

import sqlalchemy as sa
from alembic import op

revision = "4c1d70b35e92"
down_revision = "fa042ffaa21c"
branch_labels = None
depends_on = None

TABLE = "pollResultSnapshots"


def upgrade() -> None:
    with op.batch_alter_table(TABLE) as table:
        table.add_column(
            sa.Column("version", sa.Integer(), server_default=sa.text("1"), nullable=False)
        )
        table.add_column(
            sa.Column("reason", sa.String(length=16), server_default="CLOSED", nullable=False)
        )
        table.add_column(sa.Column("actor", sa.Text(), nullable=True))
        table.drop_constraint("uq_pollResultSnapshots_instanceId", type_="unique")
        table.create_unique_constraint(
            "uq_pollResultSnapshots_instanceId_version", ["instanceId", "version"]
        )
        table.create_check_constraint(op.f("ck_pollResultSnapshots_version"), "version >= 1")
        table.create_check_constraint(
            op.f("ck_pollResultSnapshots_reason"),
            "reason IN ('CLOSED', 'INTERIM', 'MISSING', 'REGENERATED', 'REQUESTED')",
        )


def downgrade() -> None:
    """Keep what the older release can: one snapshot of each poll, the newest, none of open ones."""
    op.execute("""DELETE FROM "pollResultSnapshots" WHERE reason = 'INTERIM'""")
    op.execute(
        """DELETE FROM "pollResultSnapshots" WHERE version < (
            SELECT max(newer.version) FROM "pollResultSnapshots" newer
            WHERE newer."instanceId" = "pollResultSnapshots"."instanceId"
        )"""
    )
    with op.batch_alter_table(TABLE) as table:
        table.drop_constraint(op.f("ck_pollResultSnapshots_reason"), type_="check")
        table.drop_constraint(op.f("ck_pollResultSnapshots_version"), type_="check")
        table.drop_constraint("uq_pollResultSnapshots_instanceId_version", type_="unique")
        table.create_unique_constraint("uq_pollResultSnapshots_instanceId", ["instanceId"])
        table.drop_column("actor")
        table.drop_column("reason")
        table.drop_column("version")

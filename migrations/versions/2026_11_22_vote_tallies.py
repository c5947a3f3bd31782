"""vote tallies, kept by triggers; no ballot enters a poll that is not open

Revision ID: 8b6f0a92d417
Revises: 4c1d70b35e92
Create Date: 2026-11-22 23:50:00+00:00

SQLite drops a table's triggers with the table, which `batch_alter_table` makes anew: a migration
that alters voteBallots there has to create them again.
"""

import sqlalchemy as sa
from alembic import op

revision = "8b6f0a92d417"
down_revision = "4c1d70b35e92"
branch_labels = None
depends_on = None

# A ballot locks its poll's row, which whoever closes the poll locks alone: so it is counted by
# the closing, or refused. The lock comes before any other, and the state is read again after it.
REFUSE_LATE_BALLOTS = """
CREATE FUNCTION refuse_ballot_unless_open() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM 1 FROM "pollInstances"
    WHERE id = NEW."instanceId" AND status = 'OPEN' FOR KEY SHARE;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'a ballot was refused: its poll is not open'
        USING ERRCODE = 'check_violation', TABLE = TG_TABLE_NAME, CONSTRAINT = TG_NAME;
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER "voteBallots_open" BEFORE INSERT ON "voteBallots"
FOR EACH ROW EXECUTE FUNCTION refuse_ballot_unless_open();
"""

# A statement's ballots are counted together: to update one row again and again in a transaction
# takes quadratic time. They are sorted, so that two statements lock tallies in one order.
# The first ranks of a poll are few and busy, longer rankings are many: they need fewer shards.
COUNT_NEW_BALLOTS = """
CREATE FUNCTION count_new_ballots() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO "voteTallies" AS tally ("instanceId", ranking, shard, votes)
    SELECT "instanceId", ranking, pg_backend_pid() % CASE
            WHEN ranking LIKE '%.%.%' THEN 1
            WHEN ranking LIKE '%.%' THEN 4
            ELSE 16
        END, count(*)
    FROM new_ballots GROUP BY "instanceId", ranking ORDER BY "instanceId", ranking
    ON CONFLICT ("instanceId", ranking, shard)
    DO UPDATE SET votes = tally.votes + excluded.votes;
    RETURN NULL;
END $$;
CREATE TRIGGER "voteBallots_counted" AFTER INSERT ON "voteBallots"
REFERENCING NEW TABLE AS new_ballots
FOR EACH STATEMENT EXECUTE FUNCTION count_new_ballots();
"""

# Any one shard will do; it may fall below zero, their sum does not. Where the poll goes as well,
# its tallies may be gone already.
DISCOUNT_OLD_BALLOTS = """
CREATE FUNCTION discount_old_ballots() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    UPDATE "voteTallies" AS tally SET votes = tally.votes - gone.votes
    FROM (
        SELECT old_ballots."instanceId", old_ballots.ranking,
            count(*) AS votes,
            (
                SELECT min(shard) FROM "voteTallies" AS each
                WHERE each."instanceId" = old_ballots."instanceId"
                AND each.ranking = old_ballots.ranking
            ) AS shard
        FROM old_ballots GROUP BY 1, 2
    ) AS gone
    WHERE tally."instanceId" = gone."instanceId"
    AND tally.ranking = gone.ranking AND tally.shard = gone.shard;
    RETURN NULL;
END $$;
CREATE TRIGGER "voteBallots_discounted" AFTER DELETE ON "voteBallots"
REFERENCING OLD TABLE AS old_ballots
FOR EACH STATEMENT EXECUTE FUNCTION discount_old_ballots();
"""

POSTGRESQL = (REFUSE_LATE_BALLOTS, COUNT_NEW_BALLOTS, DISCOUNT_OLD_BALLOTS)

SQLITE = (
    """
    CREATE TRIGGER "voteBallots_open" BEFORE INSERT ON "voteBallots"
    WHEN NOT EXISTS (
        SELECT 1 FROM "pollInstances" WHERE id = NEW."instanceId" AND status = 'OPEN'
    )
    BEGIN SELECT RAISE(ABORT, 'a ballot was refused: its poll is not open'); END
    """,
    """
    CREATE TRIGGER "voteBallots_counted" AFTER INSERT ON "voteBallots" BEGIN
        INSERT INTO "voteTallies" ("instanceId", ranking, shard, votes)
        VALUES (NEW."instanceId", NEW.ranking, 0, 1)
        ON CONFLICT ("instanceId", ranking, shard) DO UPDATE SET votes = votes + 1;
    END
    """,
    """
    CREATE TRIGGER "voteBallots_discounted" AFTER DELETE ON "voteBallots" BEGIN
        UPDATE "voteTallies" SET votes = votes - 1
        WHERE "instanceId" = OLD."instanceId" AND ranking = OLD.ranking AND shard = 0;
    END
    """,
)
NAMES = {
    "voteBallots_open": "refuse_ballot_unless_open",
    "voteBallots_counted": "count_new_ballots",
    "voteBallots_discounted": "discount_old_ballots",
}


def upgrade() -> None:
    op.create_table(
        "voteTallies",
        sa.Column("instanceId", sa.String(length=36), nullable=False),
        sa.Column("ranking", sa.String(length=1000), nullable=False),
        sa.Column("shard", sa.SmallInteger(), nullable=False),
        sa.Column("votes", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(
            ["instanceId"],
            ["pollInstances.id"],
            name="fk_voteTallies_instanceId",
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("instanceId", "ranking", "shard", name="pk_voteTallies"),
        postgresql_with={"fillfactor": 50},
    )
    for statement in POSTGRESQL if op.get_bind().dialect.name == "postgresql" else SQLITE:
        op.execute(statement)
    # The triggers have locked out all writers, so that this misses no ballot and counts none twice.
    op.execute(
        """INSERT INTO "voteTallies" ("instanceId", ranking, shard, votes)
        SELECT "instanceId", ranking, 0, count(*) FROM "voteBallots" GROUP BY 1, 2"""
    )
    op.drop_index("ix_voteBallots_instanceId_ranking", "voteBallots")


def downgrade() -> None:
    op.create_index("ix_voteBallots_instanceId_ranking", "voteBallots", ["instanceId", "ranking"])
    for trigger, function in NAMES.items():
        if op.get_bind().dialect.name == "postgresql":
            op.execute(f'DROP TRIGGER "{trigger}" ON "voteBallots"')
            op.execute(f"DROP FUNCTION {function}()")
        else:
            op.execute(f'DROP TRIGGER "{trigger}"')
    op.drop_table("voteTallies")

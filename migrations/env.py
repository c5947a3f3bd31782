"""How Alembic runs our migrations: on the app's own engine, one transaction, no time limit."""

from alembic import context
from flask import current_app

from allthing.database import db


def run_migrations() -> None:
    with db.engine.connect() as connection:
        if connection.dialect.name == "postgresql":
            # A request's statement timeout would end the build of a large index.
            connection.exec_driver_sql("SET statement_timeout = 0")
            # Two replicas may start at once: the second waits, then finds nothing to do.
            connection.exec_driver_sql("SELECT pg_advisory_lock(hashtext('allthing-migrations'))")
            connection.commit()
        else:
            # SQLite alters a table by making it anew: dropping the old one must not cascade.
            connection.connection.driver_connection.execute("PRAGMA foreign_keys = OFF")
        context.configure(
            connection=connection,
            target_metadata=db.metadata,
            **current_app.extensions["migrate"].configure_args,
        )
        with context.begin_transaction():
            context.run_migrations()
        connection.invalidate()  # with its lock and its settings


if context.is_offline_mode():
    raise SystemExit("migrations need a database: they run on PostgreSQL and SQLite alike")
run_migrations()

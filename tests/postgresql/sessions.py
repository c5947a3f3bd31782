"""The app's connections as PostgreSQL sees them, by a connection of the test's own."""

from typing import Any

from psycopg2.extensions import connection as Connection  # noqa: N812  # it is a class

AT_WORK = "query LIKE '%pg_sleep%' AND state = 'active'"
WAITING = "wait_event_type = 'Lock'"


def execute(connection: Connection, statement: str) -> Any:
    with connection.cursor() as cursor:
        cursor.execute(statement)
        return cursor.fetchone()[0] if cursor.description else None


def ours(connection: Connection, condition: str = "true", *, count: str = "count(*)") -> Any:
    """Count the app's connections of which `condition` holds, or end them."""
    connection.rollback()
    return execute(
        connection,
        f"SELECT {count} FROM pg_stat_activity WHERE datname = current_database()"
        f" AND application_name = 'allthing-api' AND pid <> pg_backend_pid() AND {condition}",
    )


def terminate(connection: Connection, condition: str = "true") -> None:
    ours(connection, condition, count="count(pg_terminate_backend(pid, 5000))")

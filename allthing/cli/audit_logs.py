"""The audit log, to be read in a terminal."""

from typing import Any

import click

from allthing.admin.audit_logs import AuditLogOut, AuditLogQuery, find_audit_logs
from allthing.cli.commands import command
from allthing.cli.output import Output, table


@command("audit-logs")
@click.option("--limit", default=20, show_default=True, type=click.IntRange(1, 200))
@click.option("--action", default=None)
@click.option("--entity-type", default=None)
@click.option("--entity-id", default=None)
@click.option("--admin-key-hash", default=None)
@click.option("--failed", is_flag=True, help="Only actions that failed.")
def audit_logs(failed: bool, **filters: Any) -> Output:
    """Show who did what, newest first.

    Columns: UTC time, who, action, entity id, result.
    """
    query = AuditLogQuery.model_construct(**filters, success=False if failed else None)
    rows = [AuditLogOut.model_validate(row) for row in find_audit_logs(query)[0]]
    return table(rows, columns)


def columns(row: AuditLogOut) -> tuple[object, ...]:
    """Lay out a row; the widths don't depend on its neighbours, so that logs can be compared."""
    who = (row.details or {}).get("admin") or (row.admin_key_hash or "nobody")[:12]
    result = "ok" if row.success else row.error_message
    return row.created_at, f"{who:8}", f"{row.action:27}", f"{row.entity_id or '-':36}", result

"""The operator's door: `flask rollover`, `close`, `audit-logs`, … Same rules, same audit."""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import date, datetime, timedelta
from typing import Any

import click
from flask import Flask
from flask.cli import with_appcontext
from sqlalchemy.exc import SQLAlchemyError

from allthing import catalog, clock, demo, rollover
from allthing.admin.audit import Audited, Description, log_admin_action
from allthing.admin.audit_logs import AuditLogQuery, find_audit_logs
from allthing.admin.auth import AdminContext
from allthing.admin.schemas import CategoryIn, CategoryOut, to_json
from allthing.database import db
from allthing.inputs import validate
from allthing.problems import Problem, as_problem


@contextmanager
def audited_run(action: str, entity_type: str | None = None) -> Iterator[Description]:
    """Commit what the block does and its audit row together; on failure the row alone.

    Whatever the rules refuse, or a database that is away, ends the command with exit code 1.
    """
    what, description = Audited(action, entity_type), Description()
    operator = AdminContext(f"uid {os.getuid()}", None, None, None, door="cli")
    try:
        try:
            yield description
            log_admin_action(operator, what, description)
            db.session.commit()
        except Problem as refusal:
            db.session.rollback()
            log_admin_action(operator, what, Description(description.entity_id), refusal.detail)
            db.session.commit()
            raise click.ClickException(refusal.detail) from refusal
    except SQLAlchemyError as error:
        problem = as_problem(error)
        if problem is None:
            raise
        raise click.ClickException(problem.detail) from error


def day_option(help_text: str) -> Callable[[Callable[..., None]], Callable[..., None]]:
    return click.option("--date", "moment", type=click.DateTime(["%Y-%m-%d"]), help=help_text)


def given_day(moment: datetime | None, otherwise: date) -> date:
    return moment.date() if moment else otherwise


@click.command("rollover")
@day_option("The poll day to open.  [default: today in the poll time zone]")
@with_appcontext
def rollover_command(moment: datetime | None) -> None:
    """Close the polls that have ended and open those of a day. Safe to repeat."""
    day = given_day(moment, clock.today())
    with audited_run("rollover_run", "instance") as description:
        done = rollover.roll_over(day, clock.today())
        counts = {"createdCount": done.created, "closedCount": done.closing.closed}
        description.details = {"pollDate": day.isoformat()} | counts
    click.echo(f"{day}: {done.created} polls opened, {done.closing.closed} closed")


@click.command("close")
@day_option("Close what ends on this day or before.  [default: yesterday]")
@with_appcontext
def close_command(moment: datetime | None) -> None:
    """Close all polls that ended by a day and freeze their results. Safe to repeat."""
    day = given_day(moment, clock.today() - timedelta(days=1))
    with audited_run("polls_closed", "instance") as description:
        closing = rollover.close_ended(day)
        counts = {"closedCount": closing.closed, "snapshotCount": closing.snapshots}
        description.details = {"pollDate": day.isoformat()} | counts
    click.echo(f"{day}: {closing.closed} polls closed, {closing.snapshots} snapshots")


@click.command("create-category")
@click.option("--key", required=True, help="Lower-case letters, digits and dashes.")
@click.option("--name", required=True)
@click.option("--sort-order", default=0, show_default=True)
@click.option("--parent-category-id", default=None, help="Leave out for a top-level category.")
@with_appcontext
def create_category_command(
    key: str, name: str, sort_order: int, parent_category_id: str | None
) -> None:
    """Add a category."""
    fields = {"key": key, "name": name, "sortOrder": sort_order}
    with audited_run("category_created", "category") as description:
        body = validate(CategoryIn, fields | {"parentCategoryId": parent_category_id})
        category = catalog.create_category(**body.model_dump())
        description.entity_id = category.id
        description.changes = {"before": None, "after": to_json(CategoryOut, category)}
        category_id = category.id
    click.echo(f"category {key} created: {category_id}")


@click.command("audit-logs")
@click.option("--limit", default=20, show_default=True, type=click.IntRange(1, 200))
@click.option("--action", default=None)
@click.option("--entity-type", default=None)
@click.option("--entity-id", default=None)
@click.option("--admin-key-hash", default=None)
@click.option("--failed", is_flag=True, help="Only actions that failed.")
@with_appcontext
def audit_logs_command(failed: bool, **filters: Any) -> None:
    """Show who did what, newest first, a line each."""
    query = AuditLogQuery.model_construct(**filters, success=False if failed else None)
    for row in find_audit_logs(query)[0]:
        who = (row.details or {}).get("admin") or (row.admin_key_hash or "nobody")[:12]
        entity = f"{row.entity_type or '-'} {row.entity_id or '-'}"
        result = "ok" if row.success else row.error_message
        click.echo(f"{row.created_at:%Y-%m-%d %H:%M:%S}Z  {row.action}  {entity}  {who}  {result}")


@click.command("seed-demo")
@with_appcontext
def seed_demo_command() -> None:
    """Load a few categories and templates into an empty database."""
    with audited_run("demo_seeded") as description:
        loaded = demo.seed_demo()
        description.details = {"categories": loaded.categories, "templates": loaded.templates}
    click.echo(
        f"demo loaded: {loaded.categories} categories, {loaded.templates} templates"
        if loaded.categories
        else "the database has categories already: demo left out"
    )


@click.command("try-it")
@click.option("--url", required=True, help="Where the service is reached.")
@click.option("--admin-key", required=True)
@with_appcontext
def try_it_command(url: str, admin_key: str) -> None:
    """Print commands to paste: today's polls, a vote, an admin call."""
    for line in demo.commands_to_try(url, admin_key):
        click.echo(line)


def init_app(app: Flask) -> None:
    for command in (
        rollover_command,
        close_command,
        create_category_command,
        audit_logs_command,
        seed_demo_command,
        try_it_command,
    ):
        app.cli.add_command(command)

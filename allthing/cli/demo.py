"""The demo's catalog, and commands to paste."""

import click

from allthing.catalog import demo
from allthing.cli.commands import audited_command, command
from allthing.cli.output import Output


@audited_command("seed-demo", "demo_seeded")
def seed_demo() -> Output:
    """Load a few categories and templates into an empty database."""
    loaded = demo.seed_demo()
    counts = {"categories": loaded.categories, "templates": loaded.templates}
    line = (
        f"demo loaded: {loaded.categories} categories, {loaded.templates} templates"
        if loaded.categories
        else "the database has categories already: demo left out"
    )
    return Output(counts, [line])


@command("try-it")
@click.option("--url", required=True, help="Where the service is reached.")
@click.option("--admin-key", required=True)
def try_it(url: str, admin_key: str) -> Output:
    """Print commands to paste: today's polls, a vote, an admin call."""
    lines = demo.commands_to_try(url, admin_key)
    return Output(lines, lines)

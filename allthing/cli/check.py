"""A look at the database, as the server takes one when it starts."""

from allthing.cli.commands import command
from allthing.cli.output import Output
from allthing.database.startup_checks import find_problems


@command("check")
def check() -> Output:
    """Look for what would lose votes or stop the server; exit with 1 if there is anything.

    A sentence for each: settings of PostgreSQL, its connections, missing migrations.
    """
    found = find_problems()
    return Output(found, found or ["nothing to mend"], bool(found))

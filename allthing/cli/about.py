"""What is running here: for a bug report, or to see that all replicas are the same."""

import platform
from importlib.metadata import version

from sqlalchemy import make_url

from allthing.cli.commands import command
from allthing.cli.output import Output
from allthing.config import settings
from allthing.config.version import __version__
from allthing.database.startup_checks import schema_head

LIBRARIES = ("flask", "sqlalchemy", "psycopg2-binary", "redis", "gunicorn")


@command("about")
def about() -> Output:
    """Say which version this is and what it runs on. Asks neither the database nor Redis."""
    facts = {
        "version": __version__,
        "migrationHead": schema_head(),
        "python": platform.python_version(),
        **{library: version(library) for library in LIBRARIES},
        "database": make_url(settings().sqlalchemy_url).get_backend_name(),
        "redisConfigured": bool(settings().redis_url),
        "pollTimezone": settings().poll_timezone,
    }
    return Output(facts, [f"{name}: {value}" for name, value in facts.items()])

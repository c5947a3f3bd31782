"""A migrated database for an app that is served, and the same app in this process."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import flask_migrate
from flask import Flask

from allthing import create_app
from allthing.config import Settings
from tests.conftest import ADMIN_KEY, ROOT, SECRET_KEY, UNLIMITED, dispose


def settings_for(database_url: str, **settings: Any) -> dict[str, Any]:
    """Return settings without Redis, under which no limit refuses a request."""
    return {
        "database_url": database_url,
        "secret_key": SECRET_KEY,
        "admin_key": ADMIN_KEY,
        "global_rate_limit": UNLIMITED,
        "vote_rate_limit": UNLIMITED,
    } | settings


@contextmanager
def prepared(settings: dict[str, Any]) -> Iterator[Flask]:
    """Migrate the database; lend the app, for what a test prepares and looks up."""
    app = create_app(Settings(**settings, _env_file=None))
    with app.app_context():
        flask_migrate.upgrade(directory=str(ROOT / "migrations"))
    dispose(app)
    try:
        yield app
    finally:
        dispose(app)

"""allthing: a self-hosted backend for daily polls."""

from collections.abc import Callable
from typing import Any

from flask import Flask
from flask_migrate import Migrate

from allthing import admin, cache, cli, errors, polls, redis_client
from allthing.config import Settings, load_settings
from allthing.config.version import __version__ as __version__
from allthing.database import db, engine
from allthing.runtime import logs
from allthing.web import client_address, cors, health, openapi, rate_limits

migrate = Migrate(db=db, render_as_batch=True)


class App(Flask):
    """Flask, but for asking before every hook and view whether it is a coroutine: none is."""

    def ensure_sync(self, func: Callable[..., Any]) -> Callable[..., Any]:
        return func


def create_app(settings: Settings | None = None) -> Flask:
    """Wire the app from `settings`, or from the environment. Hooks run in the order given here."""
    settings = settings or load_settings()
    app = App(__name__, static_folder=None)
    app.extensions["settings"] = settings
    app.json.sort_keys = False  # type: ignore[attr-defined]  # the default provider has it

    client_address.init_app(app)
    errors.init_app(app)
    logs.init_app(app)
    cors.init_app(app)
    redis_client.init_app(app)
    cache.init_app(app)
    rate_limits.init_app(app)
    engine.init_app(app)
    migrate.init_app(app)

    app.register_blueprint(health.bp)
    polls.init_app(app)
    admin.init_app(app)
    openapi.init_app(app)
    cli.init_app(app)
    return app

"""Real servers, one migrated database, and an empty one of everything for each test."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import flask_migrate
import hypothesis
import pytest
from flask import Flask
from flask.testing import FlaskClient, FlaskCliRunner

from allthing import cache, create_app, redis_client
from allthing.config import Settings
from allthing.database import Base, db
from tests.support.api import POLL_ZONE, Admin, Polls
from tests.support.redis_server import client as redis_connection
from tests.support.servers import postgres_server, redis_server

ROOT = Path(__file__).parent.parent
ADMIN_KEY = "tests-admin-key-0123456789"
UNLIMITED = "1000000 per minute"
SECRET_KEY = "tests-secret-key-0123456789-0123456789"

AppFactory = Callable[..., Flask]

# Speed is shown by bench/: a machine that is busy with other things is no fault of ours.
hypothesis.settings.register_profile(
    "untimed", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow]
)
hypothesis.settings.load_profile("untimed")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--database", choices=["postgresql", "sqlite"], default="postgresql")
    parser.addoption("--soak", action="store_true", help="let faults last long")
    parser.addoption("--write-faults", action="store_true", help="write docs/faults.md")


def pytest_configure() -> None:
    """Let no setting of the developer's shell reach the tests, but a zone that suits the hour."""
    for name in Settings.model_fields:
        os.environ.pop(name.upper(), None)
    os.environ["POLL_TIMEZONE"] = POLL_ZONE.key


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Begin with what takes longest; on SQLite, run what is portable, the rest is deselected."""
    items.sort(key=lambda item: item.get_closest_marker("long") is None)
    if config.option.database == "postgresql":
        return
    left_out = [item for item in items if item.get_closest_marker("postgresql")]
    config.hook.pytest_deselected(items=left_out)
    items[:] = [item for item in items if item not in left_out]


@pytest.fixture(scope="session")
def database_url(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[str]:
    if request.config.option.database == "sqlite":
        yield f"sqlite:///{tmp_path_factory.mktemp('sqlite') / 'tests.db'}"
        return
    with postgres_server() as server:
        yield server.create_database("tests")


@pytest.fixture(scope="session")
def redis_url() -> Iterator[str]:
    with redis_server() as server:
        yield server.url


@pytest.fixture(scope="session")
def settings_of_tests(database_url: str, redis_url: str) -> dict[str, Any]:
    """Settings under which nothing but the test's own subject refuses a request."""
    return {
        "database_url": database_url,
        "redis_url": redis_url,
        "secret_key": SECRET_KEY,
        "admin_key": ADMIN_KEY,
        "global_rate_limit": UNLIMITED,
        "vote_rate_limit": UNLIMITED,
        "admin_rate_limit": UNLIMITED,
        "export_min_ballots": 1,
        "redis_timeout": 1.0,  # a busy machine is not a sick Redis
    }


@pytest.fixture(scope="session")
def app(settings_of_tests: dict[str, Any]) -> Iterator[Flask]:
    app = create_app(Settings(**settings_of_tests, _env_file=None))
    with app.app_context():
        flask_migrate.upgrade(directory=str(ROOT / "migrations"))
    yield app
    dispose(app)


@pytest.fixture
def make_app(app: Flask, settings_of_tests: dict[str, Any]) -> Iterator[AppFactory]:
    """Return a function that builds another app on the same servers with other settings."""
    made: list[Flask] = []

    def make(**settings: Any) -> Flask:
        made.append(create_app(Settings(**settings_of_tests | settings, _env_file=None)))
        return made[-1]

    yield make
    for other in made:
        dispose(other)


def dispose(app: Flask) -> None:
    with app.app_context():
        db.engine.dispose()
    redis_client.close(app)


@pytest.fixture(autouse=True)
def empty_stores(request: pytest.FixtureRequest) -> None:
    """Begin each test that uses the app with nothing stored anywhere."""
    if "app" not in request.fixturenames:
        return
    app: Flask = request.getfixturevalue("app")
    with redis_connection(request.getfixturevalue("redis_url")) as redis:
        redis.flushdb()
    with app.app_context():
        for table in reversed(Base.metadata.sorted_tables):
            db.session.execute(table.delete())
        cache.invalidate_on_commit(cache.POLLS_TOPIC)
        db.session.commit()


@pytest.fixture
def client(app: Flask) -> FlaskClient:
    """A voter's browser: it keeps cookies, also those marked for HTTPS."""
    return app.test_client()


@pytest.fixture
def admin(app: Flask) -> Admin:
    return Admin(app.test_client(use_cookies=False), ADMIN_KEY)


@pytest.fixture
def polls(app: Flask, admin: Admin) -> Polls:
    return Polls(app, admin)


@pytest.fixture
def runner(app: Flask) -> FlaskCliRunner:
    """An operator's terminal."""
    return app.test_cli_runner()

"""For each file of tests: a PostgreSQL of its own, to do anything to, and the app served on it."""

from collections.abc import Iterator
from contextlib import closing
from typing import Any

import psycopg2
import pytest
from flask import Flask
from psycopg2.extensions import connection as Connection  # noqa: N812  # it is a class

from tests.conftest import ADMIN_KEY
from tests.support.api import Admin, Polls
from tests.support.postgres import PostgresServer
from tests.support.prepared import prepared, settings_for
from tests.support.served import ServedApp, served
from tests.support.servers import postgres_server


@pytest.fixture(scope="module")
def postgres() -> Iterator[PostgresServer]:
    # The app waits 3 s for a lock; a deadlock is looked for once, when this has passed, so that a
    # test on a busy machine has time to make one.
    with postgres_server(private=True, deadlock_timeout="2s") as server:
        yield server


@pytest.fixture(scope="module")
def settings(postgres: PostgresServer) -> dict[str, Any]:
    return settings_for(postgres.create_database("served"), cache_ttl=1)


@pytest.fixture(scope="module")
def home(settings: dict[str, Any]) -> Iterator[Flask]:
    """An app in this process, for what a test prepares and looks up."""
    with prepared(settings) as app:
        yield app


@pytest.fixture
def admin(home: Flask) -> Admin:
    return Admin(home.test_client(use_cookies=False), ADMIN_KEY)


@pytest.fixture
def polls(home: Flask, admin: Admin) -> Polls:
    return Polls(home, admin)


@pytest.fixture(scope="module")
def server(home: Flask, settings: dict[str, Any]) -> Iterator[ServedApp]:
    with served("tests.support.holding_app:app", **settings) as server:
        server.workers()
        yield server


@pytest.fixture
def observer(settings: dict[str, Any]) -> Iterator[Connection]:
    """A connection of the test's own."""
    with closing(psycopg2.connect(settings["database_url"])) as connection:
        yield connection

"""The deployment of the crash suite: durable PostgreSQL, Redis, and two replicas of the app."""

import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import psycopg2
from flask import Flask

from tests.conftest import SECRET_KEY, UNLIMITED
from tests.crash.http_client import HTTPClient
from tests.crash.zone import write_zone
from tests.support.postgres import PostgresServer
from tests.support.prepared import prepared, settings_for
from tests.support.redis_server import RedisServer
from tests.support.served import ServedApp, served
from tests.support.servers import postgres_server, redis_server

OTHER_SECRET_KEY = "crash-secret-key-0123456789-0123456789"
ONE_SECRET = [{"secret_key": SECRET_KEY}, {"secret_key": SECRET_KEY}]  # one dict per replica
SECRETS_BEING_ROTATED = [
    {"secret_key": SECRET_KEY, "secret_key_fallbacks": OTHER_SECRET_KEY},
    {"secret_key": OTHER_SECRET_KEY, "secret_key_fallbacks": SECRET_KEY},
]
DURABLE = {"fsync": "on", "synchronous_commit": "on", "full_page_writes": "on"}


@dataclass(frozen=True)
class Deployment:
    """All servers, and the database that they share."""

    postgres: PostgresServer
    redis: RedisServer
    replicas: list[ServedApp]
    database_url: str
    client: HTTPClient
    local_app: Flask  # the same app in this process, for what is looked up afterwards
    zone: ZoneInfo  # of the polls

    @property
    def ports(self) -> list[int]:
        return [replica.port for replica in self.replicas]

    def today(self) -> date:
        return datetime.now(self.zone).date()

    def query(self, statement: str, *parameters: object) -> list[tuple[Any, ...]]:
        """Ask the database, past the app; return the rows, none for what gives none."""
        with closing(psycopg2.connect(self.database_url)) as connection:
            connection.autocommit = True
            cursor = connection.cursor()
            cursor.execute(statement, parameters)
            return cursor.fetchall() if cursor.description else []


@contextmanager
def servers() -> Iterator[tuple[PostgresServer, RedisServer]]:
    """Start a PostgreSQL that keeps what it says it has, and a Redis, both ours to break."""
    with (
        postgres_server(private=True, max_connections=200, **DURABLE) as postgres,
        redis_server(private=True) as redis,
    ):
        yield postgres, redis


@contextmanager
def deploy(
    postgres: PostgresServer,
    redis: RedisServer,
    folder: Path,
    *,
    midnights: tuple[float, float],
    replicas: Sequence[dict[str, str]] = ONE_SECRET,
    app: str = "wsgi:app",
) -> Iterator[Deployment]:
    """Serve the app on a database of its own; its days turn so many seconds from now.

    `replicas` are the settings in which they differ; `app` is what gunicorn serves.
    """
    database_url = postgres.create_database("crash")
    settings = settings_for(
        database_url, redis_url=redis.url, admin_rate_limit=UNLIMITED, cache_ttl=1
    )
    with ExitStack() as stack:
        local_app = stack.enter_context(prepared(settings))
        now = time.time()
        zone, days = write_zone(folder, *(round(now + seconds) for seconds in midnights))
        apps = [stack.enter_context(served(app, **settings | days | each)) for each in replicas]
        client = HTTPClient()
        stack.callback(client.close)
        yield Deployment(postgres, redis, apps, database_url, client, local_app, zone)

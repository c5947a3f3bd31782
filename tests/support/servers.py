"""Real servers for tests. `python -m tests.support.servers` makes sure that they can be had.

TEST_DATABASE_URL and TEST_REDIS_URL name servers that run already. Without them, and for tests
that stop or freeze a server, throw-away ones are started on free ports of 127.0.0.1, from programs
that are installed, in a wheel, or fetched by apt-get; a server on 5432 or 6379 is never touched.
Nothing is ever skipped: without a server, the tests fail and say what to install.
"""

import os
import platform
import sys
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager

from tests.support.binaries import POSTGRESQL, REDIS, ServerMissing, Service, obtain
from tests.support.postgres import PostgresServer
from tests.support.redis_server import RedisServer


@contextmanager
def postgres_server(*, private: bool = False, **settings: object) -> Iterator[PostgresServer]:
    """Lend a PostgreSQL server; what was made on it is gone afterwards.

    It is the given one, unless a test needs it `private`, to stop or freeze it, or needs its own
    `settings`, such as `max_connections=20`. By default `fsync` is off in a private server.
    """
    given = os.environ.get(POSTGRESQL.url_variable)
    if given and not private and not settings:
        server = PostgresServer.given(given)
    else:
        server = PostgresServer.private(obtain(POSTGRESQL), settings)
    with closing(server):
        yield server


@contextmanager
def redis_server(*, private: bool = False, **settings: object) -> Iterator[RedisServer]:
    """Lend a Redis server: the given one, as it is, or a private, empty one.

    `settings` are those of redis.conf, with `_` for `-`, such as `maxmemory="2mb"`; a server with
    any is private.
    """
    given = os.environ.get(REDIS.url_variable)
    if given and not private and not settings:
        server = RedisServer.given(given)
    else:
        server = RedisServer.private(obtain(REDIS), settings)
    with closing(server):
        yield server


def describe(service: Service, version_at: Callable[[str], str]) -> str:
    """Say what the tests will use for a service; raise ServerMissing if there is nothing."""
    binaries = obtain(service)
    given = os.environ.get(service.url_variable)
    if not given:
        return f"{service.name} {binaries}"
    version = version_at(given)
    return f"{service.name} {version} at {service.url_variable}; {binaries} where it is stopped"


def main() -> None:
    """Print a line for Python and each service; exit with a sentence if one can't be had."""
    print(f"python {platform.python_version()} from {sys.executable}", flush=True)
    try:
        print(describe(POSTGRESQL, PostgresServer.version_at), flush=True)
        print(describe(REDIS, RedisServer.version_at), flush=True)
    except ServerMissing as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()

"""The servers that the other tests rely on do what they promise, and end when they should."""

import os
import platform
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import psycopg2
import pytest
import redis

from tests.support.daemon import ServerFailed, ServerNotOurs, StopMode
from tests.support.postgres import PostgresServer
from tests.support.redis_server import RedisServer, client
from tests.support.servers import postgres_server, redis_server

ROOT = Path(__file__).parents[2]
ABANDONED_RUN = """
import signal
from tests.support.servers import postgres_server, redis_server
from tests.support.test_servers import folders
with postgres_server(private=True) as postgres, redis_server(private=True) as redis:
    left = folders(postgres.url, redis.url)
    postgres.freeze()
    print(postgres.url, redis.url, *left, flush=True)
    signal.pause()
"""


@pytest.fixture(scope="module")
def postgres() -> Iterator[PostgresServer]:
    with postgres_server(private=True, max_connections=17) as server:
        yield server


@pytest.fixture(scope="module")
def redis_() -> Iterator[RedisServer]:
    with redis_server(private=True, maxmemory="3mb", maxmemory_policy="allkeys-lru") as server:
        yield server


def ask(url: str, query: str) -> list[tuple[object, ...]]:
    """Run a query by itself and return its rows, if it has any."""
    with closing(psycopg2.connect(url, connect_timeout=5)) as connection:
        connection.autocommit = True
        with connection.cursor() as cursor:
            cursor.execute(query)
            return cursor.fetchall() if cursor.description else []


def ask_one(url: str, query: str) -> object:
    """Run a query that has one answer."""
    return ask(url, query)[0][0]


def folders(postgres_url: str, redis_url: str) -> list[str]:
    """Return the folders in which two servers of ours keep their data."""
    data = str(ask_one(postgres_url, "SHOW data_directory"))
    with closing(client(redis_url)) as connection:
        return [data, str(connection.config_get("dir")["dir"])]


def are_gone(postgres_url: str, redis_url: str) -> bool:
    """Tell whether both servers refuse connections."""
    with closing(client(redis_url)) as connection:
        try:
            connection.ping()
            return False
        except redis.ConnectionError:
            pass
    try:
        ask(postgres_url, "SELECT 1")
        return False
    except psycopg2.OperationalError as error:
        return "refused" in str(error)


def check(**environment: str) -> "subprocess.CompletedProcess[str]":
    """Run `python -m tests.support.servers` as `make test` does, installing nothing."""
    return subprocess.run(
        [sys.executable, "-m", "tests.support.servers"],
        capture_output=True,
        text=True,
        cwd=ROOT,
        env=os.environ | {"TEST_SERVERS_FROM": "installed,wheel"} | environment,
    )


def test_postgres_runs_with_the_asked_settings(postgres: PostgresServer) -> None:
    assert ask_one(postgres.url, "SHOW max_connections") == "17"
    assert ask_one(postgres.url, "SELECT lower('Ä')") == "ä"


def test_databases_of_one_name_are_two(postgres: PostgresServer) -> None:
    first, second = postgres.create_database("polls"), postgres.create_database("polls")
    ask(first, "CREATE TABLE poll ()")
    assert ask_one(second, "SELECT to_regclass('poll')") is None


@pytest.mark.parametrize("mode", ["fast", "immediate"])
def test_postgres_comes_back_with_its_data(postgres: PostgresServer, mode: StopMode) -> None:
    database = postgres.create_database("polls")
    ask(database, "CREATE TABLE poll AS SELECT 7 AS id")
    postgres.stop(mode)
    with pytest.raises(psycopg2.OperationalError, match="refused"):
        ask(database, "SELECT 1")
    postgres.start()
    assert ask_one(database, "SELECT id FROM poll") == 7


def test_frozen_postgres_answers_after_thawing(postgres: PostgresServer) -> None:
    with closing(psycopg2.connect(postgres.url)) as connection, ThreadPoolExecutor(1) as thread:
        postgres.freeze()
        query = thread.submit(connection.cursor().execute, "SELECT 1")
        with pytest.raises(TimeoutError):
            query.result(timeout=0.5)
        postgres.thaw()
        query.result(timeout=10)


def test_redis_runs_with_the_asked_settings(redis_: RedisServer) -> None:
    with closing(client(redis_.url)) as connection:
        assert connection.config_get("maxmemory*")["maxmemory"] == str(3 * 1024**2)
        assert connection.config_get("maxmemory*")["maxmemory-policy"] == "allkeys-lru"


@pytest.mark.parametrize("mode", ["fast", "immediate"])
def test_redis_comes_back_empty(redis_: RedisServer, mode: StopMode) -> None:
    with closing(client(redis_.url)) as connection:
        connection.set("poll", 7)
        redis_.stop(mode)
        with pytest.raises(redis.ConnectionError):
            connection.get("poll")
        redis_.start()
        assert connection.get("poll") is None


def test_frozen_redis_answers_after_thawing(redis_: RedisServer) -> None:
    with closing(client(redis_.url)) as connection:
        redis_.freeze()
        with pytest.raises(redis.TimeoutError):
            connection.ping()
        redis_.thaw()
        assert connection.ping()


def test_closed_servers_leave_nothing() -> None:
    with postgres_server(private=True) as postgres, redis_server(private=True) as redis_:
        left = folders(postgres.url, redis_.url)
        postgres.freeze()
    assert are_gone(postgres.url, redis_.url)
    assert not any(map(os.path.exists, left))


def test_a_killed_run_leaves_nothing() -> None:
    script = [sys.executable, "-c", ABANDONED_RUN]
    with subprocess.Popen(script, stdout=subprocess.PIPE, text=True, cwd=ROOT) as run:
        assert run.stdout
        postgres_url, redis_url, *left = run.stdout.readline().split()
        run.kill()
    deadline = time.monotonic() + 20
    while any(map(os.path.exists, left)) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not any(map(os.path.exists, left))
    assert are_gone(postgres_url, redis_url)


def test_a_server_that_cannot_start_says_why() -> None:
    with (
        pytest.raises(ServerFailed, match="max_connections"),
        postgres_server(max_connections="many"),
    ):
        pass


def test_given_postgres_is_left_as_it_was(
    postgres: PostgresServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TEST_DATABASE_URL", postgres.url.replace("://", "+psycopg2://"))
    databases = "SELECT datname FROM pg_database ORDER BY 1"
    before = ask(postgres.url, databases)
    with postgres_server() as given:
        ask(given.url, "CREATE TABLE poll ()")
        given.create_database("polls")
        with pytest.raises(ServerNotOurs, match="private=True"):
            given.stop()
    assert ask(postgres.url, databases) == before


def test_given_redis_is_used_as_it_is(redis_: RedisServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TEST_REDIS_URL", redis_.url)
    monkeypatch.setenv("PYTEST_XDIST_WORKER", "gw0")
    with redis_server() as given:
        assert given.url == redis_.url
        with pytest.raises(ServerNotOurs, match="private=True"):
            given.freeze()
    with redis_server(private=True) as private:
        assert private.url != redis_.url


def test_given_redis_has_a_database_for_each_worker(
    redis_: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TEST_REDIS_URL", redis_.url)
    with closing(client(redis_.url)) as connection:
        connection.set("poll", 7)
    monkeypatch.setenv("PYTEST_XDIST_WORKER", "gw2")
    with redis_server() as given, closing(client(given.url)) as connection:
        assert connection.client_info()["db"] == 2
        assert connection.get("poll") is None


def test_check_says_what_will_be_used(postgres: PostgresServer, redis_: RedisServer) -> None:
    done = check(TEST_DATABASE_URL=postgres.url, TEST_REDIS_URL=redis_.url)
    assert done.returncode == 0, done.stderr
    python, first, second = done.stdout.splitlines()
    assert python == f"python {platform.python_version()} from {sys.executable}"
    assert first.startswith("postgresql ")
    assert " at TEST_DATABASE_URL" in first
    assert second.startswith("redis ")
    assert " at TEST_REDIS_URL" in second


def test_check_fails_without_any_server() -> None:
    done = check(TEST_SERVERS_FROM="")
    assert done.returncode != 0
    assert done.stderr.startswith("The tests need a postgresql server: install one")
    assert len(done.stderr.splitlines()) == 1


def test_check_fails_if_the_given_server_does_not_answer() -> None:
    done = check(TEST_DATABASE_URL="postgresql://me:secret@127.0.0.1:1/postgres")
    assert done.returncode != 0
    assert done.stderr.startswith("TEST_DATABASE_URL is set, but there it says: ")
    assert "secret" not in done.stderr

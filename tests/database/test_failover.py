"""Two PostgreSQL servers in DATABASE_URL: the app is with the one that can be written to."""

import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from typing import Any
from urllib.parse import urlsplit

import psycopg2
import pytest
import requests

from tests.conftest import ADMIN_KEY
from tests.support.daemon import free_port
from tests.support.postgres import PostgresServer
from tests.support.prepared import prepared, settings_for
from tests.support.served import ServedApp, served
from tests.support.servers import postgres_server

pytestmark = [pytest.mark.postgresql, pytest.mark.timing]

CROWD = 8
LEAVING_SECONDS = 4.0  # that it may take to leave a frozen server; 1.6 s where nothing else runs
KEY = {"x-admin-key": ADMIN_KEY}
ASK = "/connection?setting=port"

Pair = tuple[PostgresServer, PostgresServer]


@pytest.fixture(scope="module")
def servers() -> Iterator[Pair]:
    with postgres_server(private=True) as one, postgres_server(private=True) as other:
        yield one, other


@pytest.fixture
def pair(servers: Pair) -> Iterator[Pair]:
    """Lend two servers at work, whatever the test does to them."""
    yield servers
    for server in servers:
        server.thaw()
        server.start()
        execute(server.url, "ALTER SYSTEM RESET default_transaction_read_only")
        execute(server.url, "SELECT pg_reload_conf()")


@pytest.fixture(scope="module")
def settings(servers: Pair) -> dict[str, Any]:
    """Make one database on both, with one password, as a primary and its standby have it."""
    for server in servers:
        execute(server.url, "CREATE ROLE twin SUPERUSER LOGIN PASSWORD 'twin'")
        execute(server.url, "CREATE DATABASE twin OWNER twin")
        with prepared(settings_for(f"postgresql://twin:twin@127.0.0.1:{port_of(server)}/twin")):
            pass
    hosts = ",".join(f"127.0.0.1:{port_of(server)}" for server in servers)
    both = f"postgresql://twin:twin@{hosts}/twin?target_session_attrs=read-write"
    return settings_for(both, web_concurrency=1)


@pytest.fixture
def server(settings: dict[str, Any], pair: Pair) -> Iterator[ServedApp]:
    with served("tests.support.holding_app:app", **settings) as server:
        yield server


def execute(url: str, statement: str) -> None:
    with closing(psycopg2.connect(url)) as connection, connection.cursor() as cursor:
        connection.autocommit = True
        cursor.execute(statement)


def make_read_only(server: PostgresServer) -> None:
    execute(server.url, "ALTER SYSTEM SET default_transaction_read_only = on")
    execute(server.url, "SELECT pg_reload_conf()")
    time.sleep(0.2)  # until every session has read it


def port_of(server: PostgresServer) -> str:
    return str(urlsplit(server.url).port)


def port_used(server: ServedApp) -> str:
    return str(server.get(ASK).json()["port"])


def crowd(call: Callable[[], requests.Response]) -> list[requests.Response]:
    with ThreadPoolExecutor(CROWD) as pool:
        return list(pool.map(lambda _: call(), range(CROWD)))


def new_category(server: ServedApp, key: str) -> requests.Response:
    body = {"key": key, "name": "Twin"}
    return server.post("/admin/categories", json=body, headers=KEY)


def test_a_stopped_server_is_left_for_the_other_one(server: ServedApp, pair: Pair) -> None:
    one, other = pair
    assert port_used(server) == port_of(one)
    crowd(lambda: server.get("/hold?seconds=0.2"))  # so that there are idle connections

    one.stop("immediate")

    assert {answer.json()["port"] for answer in crowd(lambda: server.get(ASK))} == {port_of(other)}
    assert new_category(server, "after-stop").status_code == 200


def test_a_frozen_server_is_left_for_the_other_one(server: ServedApp, pair: Pair) -> None:
    one, other = pair
    crowd(lambda: server.get("/hold?seconds=0.2"))
    one.freeze()
    begun = time.monotonic()

    answers = crowd(lambda: server.get("/admin/categories", headers=KEY))

    assert {answer.status_code for answer in answers} == {200}
    assert time.monotonic() - begun < LEAVING_SECONDS
    begun = time.monotonic()
    assert {answer.json()["port"] for answer in crowd(lambda: server.get(ASK))} == {port_of(other)}
    assert server.get("/readyz").status_code == 200
    assert time.monotonic() - begun < 1


def test_a_server_that_is_frozen_from_the_start_is_passed_over(
    settings: dict[str, Any], pair: Pair
) -> None:
    one, other = pair
    one.freeze()
    with served("tests.support.holding_app:app", **settings) as server:
        begun = time.monotonic()
        assert port_used(server) == port_of(other)
        assert time.monotonic() - begun < LEAVING_SECONDS


def test_a_server_that_became_read_only_is_left_without_an_error(
    server: ServedApp, pair: Pair
) -> None:
    one, other = pair
    crowd(lambda: server.get("/hold?seconds=0.2"))

    make_read_only(one)

    assert new_category(server, "after-demotion").status_code == 200
    assert {answer.json()["port"] for answer in crowd(lambda: server.get(ASK))} == {port_of(other)}


def test_without_any_server_the_answer_is_503(server: ServedApp, pair: Pair) -> None:
    for each in pair:
        each.stop("immediate")
    assert {answer.status_code for answer in crowd(lambda: server.get(ASK))} == {503}
    pair[1].start()
    assert {answer.status_code for answer in crowd(lambda: server.get(ASK))} == {200}


def test_one_server_that_is_read_only_answers_503_to_writes(pair: Pair) -> None:
    settings = settings_for(pair[0].create_database("single"), web_concurrency=1)
    with prepared(settings), served("tests.support.holding_app:app", **settings) as server:
        assert port_used(server) == port_of(pair[0])
        make_read_only(pair[0])
        answer = new_category(server, "read-only")
        assert (answer.status_code, "Retry-After" in answer.headers) == (503, True)
        assert server.get(ASK).status_code == 200


def test_a_port_may_be_missing_and_an_address_may_be_of_ipv6(pair: Pair) -> None:
    url = pair[0].create_database("forms")
    forms = url.replace("127.0.0.1:", f"[::1]:{free_port()},127.0.0.1:")
    settings = settings_for(forms, web_concurrency=1)
    with prepared(settings), served("tests.support.holding_app:app", **settings) as server:
        assert port_used(server) == port_of(pair[0])

"""Deadlines of a thread: one within another never lasts longer, and no server can stretch one."""

import select
import socket
import ssl
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from urllib.parse import urlsplit

import pytest

from allthing.redis_client.servers import client_for, options_in
from allthing.runtime.deadlines import (
    MAX_LATE_READS,
    NO_DEADLINE,
    DeadlineExceeded,
    DeadlineSocket,
    deadline,
    set_deadline,
    time_left,
)
from tests.support.fake_redis import dripping, fake_redis, silent
from tests.support.stopwatch import timed

BUDGET = 0.1
TOLERANCE = 0.015  # of a busy machine, at its best of RUNS
RUNS = 5

Pair = tuple[DeadlineSocket, socket.socket]


@pytest.fixture(params=["plain", "TLS"])
def pair(request: pytest.FixtureRequest) -> Iterator[Pair]:
    """Connect our end, which keeps to deadlines, with a server's."""
    ours, theirs = socket.socketpair()
    if request.param == "TLS":
        ours, theirs = with_tls(ours, theirs)
    with ours, theirs:
        yield DeadlineSocket(ours), theirs


def with_tls(client: socket.socket, server: socket.socket) -> tuple[ssl.SSLSocket, ssl.SSLSocket]:
    """Encrypt both ends, by ciphers that need no certificate."""
    to_server = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    to_server.check_hostname, to_server.verify_mode = False, ssl.CERT_NONE
    to_client = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    for context in (to_server, to_client):
        context.maximum_version = ssl.TLSVersion.TLSv1_2
        context.set_ciphers("aNULL:@SECLEVEL=0")
    with ThreadPoolExecutor() as pool:
        accepted = pool.submit(to_client.wrap_socket, server, server_side=True)
        return to_server.wrap_socket(client), accepted.result()


def test_the_nearer_of_two_deadlines_counts_and_the_outer_one_comes_back() -> None:
    with deadline(10):
        with deadline(1):
            assert time_left() <= 1
        assert 1 < time_left() <= 10
        with deadline(100):
            assert time_left() <= 10
    assert time_left() == NO_DEADLINE


def test_a_door_may_give_more_time() -> None:
    with deadline(1):
        set_deadline(10)
        assert time_left() > 1
    assert time_left() == NO_DEADLINE


def test_a_server_that_drips_holds_nobody_beyond_the_deadline() -> None:
    def read_with_a_timeout() -> None:
        with socket.create_connection(("127.0.0.1", port)) as connected:
            ours = DeadlineSocket(connected)
            ours.sendall(b"PING\r\n")
            with deadline(BUDGET), pytest.raises(TimeoutError):
                read_on(ours)

    with fake_redis(dripping) as url:
        port = urlsplit(url).port
        seconds = at_best(read_with_a_timeout)

    assert BUDGET <= seconds < BUDGET + TOLERANCE


def test_what_came_in_time_is_read_by_a_thread_that_is_late(pair: Pair) -> None:
    ours, theirs = pair
    theirs.sendall(b"+OK\r\n")

    with deadline(0):
        assert ours.recv(100) == b"+OK\r\n"


def test_where_nothing_came_in_time_nobody_waits_any_more(pair: Pair) -> None:
    ours, _ = pair

    def read_late() -> None:
        with deadline(0), pytest.raises(TimeoutError):
            ours.recv(100)

    assert at_best(read_late) < TOLERANCE


def test_late_thread_does_not_read_on_without_an_end(pair: Pair) -> None:
    ours, theirs = pair
    theirs.sendall(b"+" * (MAX_LATE_READS + 1))

    with deadline(0), pytest.raises(TimeoutError):
        read_on(ours)

    with deadline(BUDGET):
        assert ours.recv(100) == b"+"


def test_late_thread_sends_nothing_and_blames_nobody(pair: Pair) -> None:
    ours, theirs = pair

    with deadline(0), pytest.raises(DeadlineExceeded):
        ours.sendall(b"PING\r\n")

    assert select.select([theirs], [], [], 0) == ([], [], [])


def test_server_that_takes_nothing_holds_nobody_beyond_the_deadline(pair: Pair) -> None:
    ours, _ = pair
    too_much = bytes(1_000_000)

    def send_with_a_timeout() -> None:
        with deadline(BUDGET), pytest.raises(TimeoutError):
            ours.sendall(too_much)

    assert BUDGET <= at_best(send_with_a_timeout) < BUDGET + TOLERANCE


@pytest.mark.parametrize("scheme", ["redis", "rediss"])
def test_late_thread_that_connects_blames_nobody_and_leaves_nothing_open(
    monkeypatch: pytest.MonkeyPatch, scheme: str
) -> None:
    connect = socket.socket.connect

    def connect_and_lose_time(connecting: socket.socket, address: Any) -> None:
        connect(connecting, address)
        time.sleep(BUDGET)

    monkeypatch.setattr(socket.socket, "connect", connect_and_lose_time)
    with fake_redis(silent) as url:
        client = client_for(options_in(url.replace("redis", scheme, 1) + "?password=secret"))
        with deadline(BUDGET), pytest.raises(DeadlineExceeded):
            client.get("key")


def read_on(ours: DeadlineSocket) -> None:
    while True:
        ours.recv(1)


def at_best(action: Callable[[], None]) -> float:
    """Return how many seconds it takes at its best: a busy machine may hold it up now and then."""
    return min(timed(action) for _ in range(RUNS))

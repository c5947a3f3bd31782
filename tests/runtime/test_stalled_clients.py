"""Clients that stall, or never stop, hold up nobody: the app under gunicorn gets rid of them."""

import socket
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, closing, suppress
from threading import Event
from typing import Any

import pytest

from tests.support.raw_http import CHUNKED, HOST, VOTE, Answer, get, post, send
from tests.support.served import ServedApp, served

pytestmark = pytest.mark.timing

STALL_SECONDS = 12  # after that a client that stalls must be rid of
FEW_THREADS = 4


@pytest.fixture(scope="module")
def server(app: object, settings_of_tests: dict[str, Any]) -> Iterator[ServedApp]:
    with served("tests.support.holding_app:app", **settings_of_tests) as server:
        yield server


@pytest.fixture(scope="module")
def small_server(app: object, settings_of_tests: dict[str, Any]) -> Iterator[ServedApp]:
    """Serve by so few threads that it takes few clients to hold them all."""
    few = {"web_concurrency": 1, "web_threads": FEW_THREADS}
    with served("tests.support.holding_app:app", **settings_of_tests | few) as server:
        yield server


def read_late(server: ServedApp) -> Answer:
    """Ask for more than the system keeps for us, and read it when the server must have lost us."""
    with socket.create_connection(("127.0.0.1", server.port), 15) as client:
        client.sendall(get(HOST, target=b"/large"))
        time.sleep(STALL_SECONDS + 2)
        received = bytearray()
        with suppress(ConnectionError):
            while part := client.recv(1024 * 1024):
                received += part
    return Answer(bytes(received), closed=True, seconds=0)


@pytest.fixture(scope="module")
def stalled(server: ServedApp) -> Iterator[dict[str, "Future[Answer]"]]:
    """Clients that stall in all the ways at once, since each takes as long as it is let."""
    drip = [b"x"] * STALL_SECONDS
    ways: dict[str, Callable[[], Answer]] = {
        "silent": lambda: send(server, timeout=15),
        "half a head": lambda: send(server, VOTE, timeout=15),
        "a head in drips": lambda: send(server, VOTE + b"X-A: ", *drip, pause=1, timeout=15),
        "half a body": lambda: send(server, post(b"Content-Length: 9"), b"{", timeout=15),
        "a body in drips": lambda: send(
            server, post(b"Content-Length: 99"), *drip, pause=1, timeout=15
        ),
        "no body as expected": lambda: send(
            server, post(b"Content-Length: 9", b"Expect: 100-continue"), timeout=15
        ),
        "half a chunk": lambda: send(server, post(CHUNKED, body=b"9\r\n{"), timeout=15),
        "an answer unread": lambda: read_late(server),
    }
    with ThreadPoolExecutor(len(ways)) as pool:
        yield {name: pool.submit(way) for name, way in ways.items()}


@pytest.mark.parametrize("way", ["silent", "half a head", "a head in drips"])
def test_request_without_a_head_is_dropped_in_time(
    stalled: dict[str, "Future[Answer]"], way: str
) -> None:
    answer = stalled[way].result()

    assert answer.raw == b""
    assert answer.seconds < STALL_SECONDS + 2  # the drips take as long to be sent


@pytest.mark.parametrize(
    ("way", "status"), [("half a body", 408), ("a body in drips", 408), ("half a chunk", 400)]
)
def test_request_without_its_body_is_refused_in_time(
    stalled: dict[str, "Future[Answer]"], way: str, status: int
) -> None:
    answer = stalled[way].result()

    assert answer.status == status
    assert answer.detail
    assert answer.closed
    assert answer.seconds < STALL_SECONDS + 2


def test_body_asked_for_that_never_comes_ends_the_connection(
    stalled: dict[str, "Future[Answer]"],
) -> None:
    answer = stalled["no body as expected"].result()

    assert answer.raw.startswith(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 408 ")
    assert answer.closed
    assert answer.seconds < STALL_SECONDS


def test_answer_that_is_not_read_holds_no_thread_for_ever(
    stalled: dict[str, "Future[Answer]"],
) -> None:
    answer = stalled["an answer unread"].result()

    assert answer.status == 200
    assert len(answer.raw) < int(answer.head.partition("content-length: ")[2].split()[0])


def test_endless_body_that_nobody_reads_ends_the_connection(server: ServedApp) -> None:
    answer = send(server, get(HOST, b"Content-Length: 9000000"), b"G" * 500_000)

    assert answer.status == 200
    assert answer.seconds < STALL_SECONDS
    assert answer.raw.count(b"HTTP/1.1 ") == 1


LAZY: dict[str, bytes] = {
    "silent": b"",
    "half a head": VOTE,
    "half a body": post(b"Content-Length: 9", body=b"{"),
    "an answer that is not closed": get(HOST, b"Connection: close"),
    "a refusal that is not closed": b"GARBAGE\r\n\r\n",
}


@pytest.mark.parametrize("request_", LAZY.values(), ids=LAZY)
def test_more_stalled_clients_than_threads_hold_up_nobody(
    small_server: ServedApp, request_: bytes
) -> None:
    with ExitStack() as clients:
        for _ in range(FEW_THREADS * 4):
            client = socket.create_connection(("127.0.0.1", small_server.port))
            clients.enter_context(closing(client)).sendall(request_)
        time.sleep(0.2)

        begun = time.monotonic()
        answer = small_server.get("/healthz")

        assert answer.status_code == 200
        assert time.monotonic() - begun < 5


def test_more_tireless_clients_than_threads_hold_up_nobody(small_server: ServedApp) -> None:
    """A thread stays with who asks again at once, as long as there is another for the next."""
    stopped = Event()

    def ask_on() -> int:
        answers = 0
        with socket.create_connection(("127.0.0.1", small_server.port), 10) as client:
            while not stopped.is_set():
                client.sendall(get(HOST) * 10)  # always ahead of the answers
                answers += client.recv(65536).count(b"HTTP/1.1 200")
        return answers

    with ThreadPoolExecutor(FEW_THREADS * 2) as pool:
        tireless = [pool.submit(ask_on) for _ in range(FEW_THREADS * 2)]
        time.sleep(0.2)
        try:
            answer = small_server.get("/healthz", timeout=5)
        finally:
            stopped.set()

    assert answer.status_code == 200
    assert all(client.result() > 1 for client in tireless)

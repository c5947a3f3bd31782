"""Bytes that no client of good will sends, to the app under gunicorn.

What is not HTTP is answered with an error in our shape, and the connection is closed: whatever
follows on it might be somebody else's request. Clients that stall hold up nobody.
"""

import json
import re
import select
import socket
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, closing, suppress
from dataclasses import dataclass
from http.client import HTTPConnection
from threading import Event
from typing import Any

import pytest

from tests.api import Polls
from tests.bodies import VOTE_LIMIT
from tests.served import ServedApp, served
from tests.test_bodies import MALFORMED

STALL_SECONDS = 12  # after that a client that stalls must be rid of
FEW_THREADS = 4
HEAD = b"Host: api.example\r\n"
VOTE = b"POST /polls/some/vote HTTP/1.1\r\n" + HEAD + b"Content-Type: application/json\r\n"


@dataclass(frozen=True)
class Answer:
    """What came back until the server closed the connection, or until we lost patience."""

    raw: bytes
    closed: bool
    seconds: float

    @property
    def head(self) -> str:
        return self.raw.partition(b"\r\n\r\n")[0].decode("latin-1").lower()

    @property
    def status(self) -> int:
        return int(self.raw.split(b" ", 2)[1]) if self.raw else 0

    @property
    def detail(self) -> str:
        """The `detail` of a problem; anything else is no answer of ours."""
        assert "content-type: application/problem+json" in self.head
        detail = json.loads(self.raw.partition(b"\r\n\r\n")[2])["detail"]
        assert isinstance(detail, str)
        return detail


def send(server: ServedApp, *parts: bytes, pause: float = 0, patience: float = 5) -> Answer:
    """Send bytes on one connection, then read until it is closed."""
    begun = time.monotonic()
    received, closed = bytearray(), False
    with (
        socket.create_connection(("127.0.0.1", server.port), patience) as client,
        suppress(ConnectionError, TimeoutError),
    ):
        for part in parts:
            client.sendall(part)
            if pause and select.select([client], [], [], pause)[0]:
                break
        while not closed:
            received += (part := client.recv(65536))
            closed = not part
    return Answer(bytes(received), closed, time.monotonic() - begun)


@pytest.fixture(scope="module")
def server(app: object, settings_of_tests: dict[str, Any]) -> Iterator[ServedApp]:
    with served("tests.holding_app:app", **settings_of_tests) as server:
        yield server


@pytest.fixture(scope="module")
def small_server(app: object, settings_of_tests: dict[str, Any]) -> Iterator[ServedApp]:
    """Serve by so few threads that it takes few clients to hold them all."""
    few = {"web_concurrency": 1, "web_threads": FEW_THREADS}
    with served("tests.holding_app:app", **settings_of_tests | few) as server:
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


def get(*headers: bytes, target: bytes = b"/healthz", version: bytes = b"HTTP/1.1") -> bytes:
    return b"\r\n".join((b"GET " + target + b" " + version, *headers, b"", b""))


def post(*headers: bytes, body: bytes = b"") -> bytes:
    return VOTE + b"\r\n".join((*headers, b"", body))


CHUNKED = b"Transfer-Encoding: chunked"
SMUGGLED = b"0\r\n\r\nGET /readyz HTTP/1.1\r\nHost: a\r\n\r\n"
HOST = b"Host: a"
REFUSED: dict[str, tuple[int, bytes]] = {
    "two content lengths": (400, post(b"Content-Length: 5", b"Content-Length: 6", body=SMUGGLED)),
    "a list of content lengths": (400, post(b"Content-Length: 5, 5", body=SMUGGLED)),
    "a negative content length": (400, post(b"Content-Length: -1", body=SMUGGLED)),
    "a signed content length": (400, post(b"Content-Length: +5", body=SMUGGLED)),
    "a hexadecimal content length": (400, post(b"Content-Length: 0x5", body=SMUGGLED)),
    "length and chunks": (400, post(b"Content-Length: 5", CHUNKED, body=SMUGGLED)),
    "chunks and length": (400, post(CHUNKED, b"Content-Length: 5", body=SMUGGLED)),
    "an unknown coding": (501, post(b"Transfer-Encoding: xchunked", body=SMUGGLED)),
    "a coding hidden by a tab": (400, post(b"Transfer-Encoding: \x0bchunked", body=SMUGGLED)),
    "chunks of chunks": (400, post(CHUNKED, CHUNKED, body=SMUGGLED)),
    "a coding without chunks": (400, post(b"Transfer-Encoding: gzip", body=SMUGGLED)),
    "chunks in HTTP/1.0": (400, VOTE.replace(b"1.1", b"1.0") + CHUNKED + b"\r\n\r\n" + SMUGGLED),
    "a space before the colon": (400, post(b"Content-Length : 5", body=SMUGGLED)),
    "bare line feeds": (400, b"GET /healthz HTTP/1.1\nHost: a\n\n"),
    "a bare line feed in the head": (400, get(HOST, b"X-A: b\nX-C: d")),
    "a bare carriage return": (400, get(HOST, b"X-A: b\rX-C: d")),
    "a folded header": (400, get(HOST, b"X-A: b", b" c")),
    "NUL in a header": (400, get(HOST, b"X-A: b\0c")),
    "NUL in a header's name": (400, get(HOST, b"X-A\0: b")),
    "a header without a colon": (400, get(HOST, b"x-admin-key tests-admin-key-0123456789")),
    "HTTP/0.9": (400, b"GET /healthz\r\n\r\n"),
    "HTTP/2.7": (400, get(HOST, version=b"HTTP/2.7")),
    "a lower-case method": (400, get(HOST).replace(b"GET", b"get")),
    "two hosts": (400, get(HOST, b"Host: b")),
    "a control character in the target": (400, get(HOST, target=b"/healthz\x01")),
    "raw UTF-8 in the target": (400, get(HOST, target="/pölls".encode())),
    "no HTTP at all": (400, b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n"),
    "a target of 5 KB": (414, get(HOST, target=b"/healthz?" + b"x" * 5000)),
    "120 headers": (431, get(HOST, *(b"X-%d: y" % number for number in range(120)))),
    "a header of 9 KB": (431, get(HOST, b"X-A: " + b"y" * 9000)),
    "an admin key of 100 KB": (431, get(HOST, b"x-admin-key: " + b"y" * 100_000)),
    "an expectation nobody can meet": (417, get(HOST, b"Expect: miracles")),
    "a chunk without a size": (400, post(CHUNKED, body=b"xyz\r\n{}\r\n0\r\n\r\n")),
    "a chunk of a negative size": (400, post(CHUNKED, body=b"-2\r\n{}\r\n0\r\n\r\n")),
    "a chunk longer than it says": (400, post(CHUNKED, body=b"1\r\n{}\r\n0\r\n\r\n")),
}


@pytest.mark.parametrize(("status", "request_"), REFUSED.values(), ids=REFUSED)
def test_what_is_not_http_is_refused_and_the_connection_closed(
    server: ServedApp, status: int, request_: bytes
) -> None:
    """The client keeps its end open: only the server's closing ends the test in time."""
    answer = send(server, request_)

    assert answer.status == status
    assert answer.detail
    assert answer.closed
    assert answer.raw.count(b"HTTP/1.1 ") == 1, "what came behind was taken for a request"


def test_log_of_refused_bytes_names_neither_their_content_nor_their_sender(
    server: ServedApp,
) -> None:
    send(server, REFUSED["a header without a colon"][1])

    line = server.logged("not a request")[-1]

    assert (line["level"], line["error"], line["status"]) == ("WARNING", "InvalidHeader", 400)
    assert "tests-admin-key" not in json.dumps(line)
    assert "127.0.0.1" not in json.dumps(line)


@pytest.mark.parametrize(
    "request_", [get(), get(b"Host:"), get(target=b"http://evil.example/healthz")]
)
def test_host_is_nothing_to_us(server: ServedApp, request_: bytes) -> None:
    answer = send(server, request_.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n"))

    assert answer.status == 200
    assert b"evil" not in answer.raw


def test_header_with_an_underscore_is_not_the_one_with_a_dash(server: ServedApp) -> None:
    key = b"x_admin_key: tests-admin-key-0123456789"

    answer = send(server, get(HOST, key, b"Connection: close", target=b"/admin/categories"))

    assert answer.status == 401


@pytest.mark.parametrize(
    "request_",
    [
        get(HOST, target=b"/polls/%0d%0aSet-Cookie:%20vt=mine/results"),
        get(HOST, target=b"/polls/today/%0d%0aSet-Cookie:%20vt=mine"),
        get(HOST, b"Origin: http://localhost:3000%0d%0aSet-Cookie: vt=mine", target=b"/polls"),
    ],
)
def test_line_breaks_are_never_echoed_in_a_header(server: ServedApp, request_: bytes) -> None:
    answer = send(server, request_.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n"))

    assert 400 <= answer.status < 500
    assert "set-cookie" not in answer.head


def test_pipelined_requests_are_answered_in_order(server: ServedApp) -> None:
    requests = (
        get(HOST, target=b"/") + get(HOST, target=b"/nowhere") + get(HOST, b"Connection: close")
    )

    answer = send(server, requests)

    statuses = re.findall(rb"HTTP/1\.1 (\d+) ", answer.raw)
    assert statuses == [b"200", b"404", b"200"]
    assert answer.raw.index(b'"service"') < answer.raw.index(b'"healthy"')


def test_refused_body_leaves_its_connection_to_the_next_request(server: ServedApp) -> None:
    too_large = b" " * (VOTE_LIMIT + 1), 413
    with closing(HTTPConnection("127.0.0.1", server.port, timeout=5)) as client:
        client.connect()
        connected = client.sock

        for data, status in [*MALFORMED.values(), too_large]:
            client.request("POST", "/polls/some/vote", data, {"Content-Type": "application/json"})
            refused = client.getresponse()
            detail = json.loads(refused.read())["detail"]
            client.request("GET", "/healthz")
            answer = client.getresponse()
            answer.read()

            assert (refused.status, answer.status) == (status, 200), data[:40]
            assert isinstance(detail, str)
        assert client.sock is connected


@pytest.mark.parametrize("size", [9_000, 60_000])
def test_body_that_nobody_reads_is_not_taken_for_the_next_request(
    server: ServedApp, size: int
) -> None:
    unread = get(HOST, b"Content-Length: %d" % size) + b"G" * size

    answer = send(server, unread + get(HOST, b"Connection: close"))

    assert answer.raw.count(b"HTTP/1.1 200") == 2


def test_endless_body_that_nobody_reads_ends_the_connection(server: ServedApp) -> None:
    answer = send(server, get(HOST, b"Content-Length: 9000000"), b"G" * 500_000)

    assert answer.status == 200
    assert answer.seconds < STALL_SECONDS
    assert answer.raw.count(b"HTTP/1.1 ") == 1


class TestVoteThatBreaksOff:
    """Half a body may be a whole ballot: the voter has not asked for that one."""

    def ballot(self, poll: dict[str, Any]) -> bytes:
        return json.dumps({"rankedChoices": [poll["options"][0]["optionId"]]}).encode()

    def broken_off(self, server: ServedApp, path: str, *lines: bytes) -> Answer:
        head = VOTE.replace(b"/polls/some/vote", path.encode())
        with socket.create_connection(("127.0.0.1", server.port), 5) as client:
            client.sendall(head + b"\r\n".join(lines))
            client.shutdown(socket.SHUT_WR)
            answer = client.makefile("rb").read()
        return Answer(answer, closed=True, seconds=0)

    def test_is_refused_if_shorter_than_announced(self, server: ServedApp, polls: Polls) -> None:
        poll = polls.open()
        ballot = self.ballot(poll)
        length = b"Content-Length: %d" % (len(ballot) + 1)

        answer = self.broken_off(server, f"/polls/{poll['pollId']}/vote", length, b"", ballot)

        assert answer.status == 408
        assert answer.detail
        assert polls.results(poll)["totalVotes"] == 0

    def test_is_refused_if_the_last_chunk_is_missing(self, server: ServedApp, polls: Polls) -> None:
        poll = polls.open()
        ballot = self.ballot(poll)
        chunk = b"%x\r\n%b\r\n" % (len(ballot), ballot)

        answer = self.broken_off(server, f"/polls/{poll['pollId']}/vote", CHUNKED, b"", chunk)

        assert answer.status == 400
        assert answer.detail
        assert polls.results(poll)["totalVotes"] == 0

    def test_counts_in_chunks_if_whole(self, server: ServedApp, polls: Polls) -> None:
        poll = polls.open()
        ballot = self.ballot(poll)
        chunks = b"%x\r\n%b\r\n0\r\n\r\n" % (len(ballot), ballot)

        answer = self.broken_off(server, f"/polls/{poll['pollId']}/vote", CHUNKED, b"", chunks)

        assert answer.status == 200


@pytest.fixture(scope="module")
def stalled(server: ServedApp) -> Iterator[dict[str, "Future[Answer]"]]:
    """Clients that stall in all the ways at once, since each takes as long as it is let."""
    drip = [b"x"] * STALL_SECONDS
    ways: dict[str, Callable[[], Answer]] = {
        "silent": lambda: send(server, patience=15),
        "half a head": lambda: send(server, VOTE, patience=15),
        "a head in drips": lambda: send(server, VOTE + b"X-A: ", *drip, pause=1, patience=15),
        "half a body": lambda: send(server, post(b"Content-Length: 9"), b"{", patience=15),
        "a body in drips": lambda: send(
            server, post(b"Content-Length: 99"), *drip, pause=1, patience=15
        ),
        "no body as expected": lambda: send(
            server, post(b"Content-Length: 9", b"Expect: 100-continue"), patience=15
        ),
        "half a chunk": lambda: send(server, post(CHUNKED, body=b"9\r\n{"), patience=15),
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


def test_body_that_is_asked_for_and_never_comes_ends_the_connection(
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

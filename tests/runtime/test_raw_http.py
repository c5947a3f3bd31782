"""Bytes that no client of good will sends, to the app under gunicorn.

What is not HTTP is answered with an error in our shape, and the connection is closed: whatever
follows on it might be somebody else's request.
"""

import json
import re
import socket
from collections.abc import Iterator
from contextlib import closing
from http.client import HTTPConnection
from typing import Any

import pytest

from tests.support.api import Polls
from tests.support.bodies import VOTE_LIMIT
from tests.support.raw_http import CHUNKED, HOST, VOTE, Answer, get, post, send
from tests.support.served import ServedApp, served
from tests.web.test_bodies import MALFORMED


@pytest.fixture(scope="module")
def server(app: object, settings_of_tests: dict[str, Any]) -> Iterator[ServedApp]:
    with served("tests.support.holding_app:app", **settings_of_tests) as server:
        yield server


SMUGGLED = b"0\r\n\r\nGET /readyz HTTP/1.1\r\nHost: a\r\n\r\n"
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

"""Bytes on a connection to a server, and what comes back."""

import json
import select
import socket
import time
from contextlib import suppress
from dataclasses import dataclass

from tests.support.served import ServedApp

VOTE = b"POST /polls/some/vote HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n"
CHUNKED = b"Transfer-Encoding: chunked"
HOST = b"Host: a"


@dataclass(frozen=True)
class Answer:
    """What came back until the server closed the connection, or until the time was up."""

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


def send(server: ServedApp, *parts: bytes, pause: float = 0, timeout: float = 5) -> Answer:
    """Send bytes on one connection, then read until it is closed."""
    begun = time.monotonic()
    received, closed = bytearray(), False
    with (
        socket.create_connection(("127.0.0.1", server.port), timeout) as client,
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


def get(*headers: bytes, target: bytes = b"/healthz", version: bytes = b"HTTP/1.1") -> bytes:
    return b"\r\n".join((b"GET " + target + b" " + version, *headers, b"", b""))


def post(*headers: bytes, body: bytes = b"") -> bytes:
    return VOTE + b"\r\n".join((*headers, b"", body))

"""Requests that each hold a database connection for a while, all at once."""

import selectors
import socket
import time
from urllib.parse import urlsplit

ANSWER_SECONDS = 60


def rounds_of(base: str, path: str, hold_seconds: float, requests: int) -> float:
    """Send as many GETs at once, each on a fresh connection; return their time in holds.

    1.0 means that all were at it at the same time, 2.0 that some had to wait for others' end.
    """
    place = urlsplit(base)
    head = f"GET {path} HTTP/1.1\r\nHost: {place.netloc}\r\nConnection: close\r\n\r\n".encode()
    clients = [
        socket.create_connection((place.hostname, place.port), ANSWER_SECONDS)
        for _ in range(requests)
    ]
    start = time.monotonic()
    for client in clients:
        client.sendall(head)
    heads = first_lines(clients)
    seconds = time.monotonic() - start
    if any(b" 200 " not in line for line in heads):
        raise RuntimeError(f"{path} was answered {set(heads)}")
    return seconds / hold_seconds


def first_lines(clients: list[socket.socket]) -> list[bytes]:
    """Wait for all answers; return their first lines, and close the connections."""
    lines: list[bytes] = []
    with selectors.DefaultSelector() as selector:
        for client in clients:
            selector.register(client, selectors.EVENT_READ)
        while len(lines) < len(clients):
            for key, _ in selector.select(ANSWER_SECONDS):
                lines.append(key.fileobj.recv(65536).partition(b"\r\n")[0])  # type: ignore[union-attr]  # a socket
                selector.unregister(key.fileobj)
    for client in clients:
        client.close()
    return lines

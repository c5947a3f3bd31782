"""A server that is no good Redis: it answers every command with what a test says, or not at all."""

import socket
import socketserver
import struct
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

Behaviour = Callable[[socket.socket], None]


def replying(reply: bytes) -> Behaviour:
    """Answer whatever comes with the same bytes."""

    def answer(client: socket.socket) -> None:
        while client.recv(65536):
            client.sendall(reply)

    return answer


def silent(client: socket.socket) -> None:
    while client.recv(65536):
        pass


def dripping(client: socket.socket) -> None:
    """Send a reply that never ends, a byte at a time, each sooner than a timeout per read."""
    client.recv(65536)
    while True:
        client.sendall(b"+")
        time.sleep(0.01)


def resetting(client: socket.socket) -> None:
    """Break the connection off at the first command."""
    client.recv(65536)
    client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


class Server(socketserver.ThreadingTCPServer):
    daemon_threads = True
    block_on_close = False
    allow_reuse_address = True


@contextmanager
def fake_redis(behaviour: Behaviour) -> Iterator[str]:
    """Serve on a free port; yield the URL."""

    class Handler(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            with suppress(OSError):  # the client had enough
                behaviour(self.request)

    with Server(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"redis://127.0.0.1:{server.server_address[1]}/0"
        finally:
            server.shutdown()
            thread.join()

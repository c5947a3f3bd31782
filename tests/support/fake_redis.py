"""A server that is no good Redis: it answers every command with what a test says, or not at all."""

import select
import socket
import socketserver
import struct
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

DRIPS = 500  # so that who waits for the end is late, but does not hang

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
    """Send a reply without an end, a byte at a time, each sooner than a timeout per read."""
    client.recv(65536)
    for _ in range(DRIPS):
        client.sendall(b"+")
        time.sleep(0.01)


def resetting(client: socket.socket) -> None:
    """Break the connection off at the first command."""
    client.recv(65536)
    client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def turning(port: int, turned: threading.Event, behaviour: Behaviour) -> Behaviour:
    """Pass everything on to the Redis at a port, until the turn: then answer as `behaviour`."""

    def answer(client: socket.socket) -> None:
        with socket.create_connection(("127.0.0.1", port)) as redis:
            while True:
                for ready in select.select([client, redis], [], [])[0]:
                    if turned.is_set():
                        behaviour(client)
                        return
                    data = ready.recv(65536)
                    (redis if ready is client else client).sendall(data)
                    if not data:
                        return

    return answer


class Server(socketserver.ThreadingTCPServer):
    daemon_threads = True
    block_on_close = False
    allow_reuse_address = True
    request_queue_size = 128


@contextmanager
def fake_redis(behaviour: Behaviour, port: int = 0) -> Iterator[str]:
    """Serve on a port, by default a free one; yield the URL."""

    class Handler(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            with suppress(OSError):  # the client had enough
                behaviour(self.request)

    with Server(("127.0.0.1", port), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        try:
            yield f"redis://127.0.0.1:{server.server_address[1]}/0"
        finally:
            server.shutdown()
            thread.join()

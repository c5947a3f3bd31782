"""A wire between the app and a server that tests can make slow, or break."""

import socket
import struct
import threading
import time
from contextlib import suppress

RESET = struct.pack("ii", 1, 0)  # closing sends RST


class Relay:
    """Passes bytes between a port of ours and a server; each answer `delay` seconds late."""

    def __init__(self, upstream: int, port: int = 0) -> None:
        self.delay = 0.0
        self._upstream = upstream
        self._ends: list[socket.socket] = []
        self._listener = socket.create_server(("127.0.0.1", port), backlog=128)
        self.port = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def break_all(self) -> None:
        """Reset every connection, in the middle of whatever goes on; new ones work."""
        ends, self._ends = self._ends, []
        for end in ends:
            with suppress(OSError):
                end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
                end.shutdown(socket.SHUT_RDWR)
            end.close()

    def close(self) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self.break_all()

    def _accept(self) -> None:
        with suppress(OSError):  # the listener is closed
            while True:
                client, _ = self._listener.accept()
                try:
                    server = socket.create_connection(("127.0.0.1", self._upstream))
                except OSError:
                    client.close()
                    continue
                self._ends += [client, server]
                threading.Thread(target=self._pass, args=(client, server, 0), daemon=True).start()
                threading.Thread(target=self._pass, args=(server, client, 1), daemon=True).start()

    def _pass(self, source: socket.socket, sink: socket.socket, late: int) -> None:
        with suppress(OSError):  # either end has gone
            while part := source.recv(65536):
                time.sleep(self.delay * late)
                sink.sendall(part)
        with suppress(OSError):
            sink.shutdown(socket.SHUT_WR)

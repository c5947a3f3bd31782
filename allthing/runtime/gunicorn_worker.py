"""The gunicorn worker: threads that slow clients can't hold, refusals as problem+json.

Why gunicorn's own does not do, is in docs/decisions/0005-a-worker-of-our-own.md.
"""

import json
import select
import socket
import struct
import time
from contextlib import suppress
from http import HTTPStatus
from typing import Any

from gunicorn import glogging, util
from gunicorn.http import errors
from gunicorn.workers.gthread import ThreadWorker

RECEIVE_SECONDS = 10  # a client may take this long to send a request,
CROWDED_RECEIVE_SECONDS = 2  # or this long while others wait for a thread,
LINGER_SECONDS = 0.5  # or this long to read its last answer and hang up,
SEND_SECONDS = 4  # or a few times this long to make room for more of an answer
FOLLOW_MILLISECONDS = 20  # a request within this time after another's answer follows it
MAX_DRAINED_BYTES = 64 * 1024  # of an unread body gunicorn reads as much and keeps the connection
ERROR_STATUSES = {  # by gunicorn's exception for what never reaches the app
    errors.LimitRequestLine: HTTPStatus.REQUEST_URI_TOO_LONG,
    errors.LimitRequestHeaders: HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE,
    errors.ExpectationFailed: HTTPStatus.EXPECTATION_FAILED,
    errors.UnsupportedTransferCoding: HTTPStatus.NOT_IMPLEMENTED,
    errors.InvalidResponseHeader: HTTPStatus.INTERNAL_SERVER_ERROR,
    errors.InvalidResponseHeaderName: HTTPStatus.INTERNAL_SERVER_ERROR,
    errors.ParseException: HTTPStatus.BAD_REQUEST,
}


class Worker(ThreadWorker):  # type: ignore[misc]  # gunicorn has no types
    """A threaded worker in which slow clients hold up nobody, and which refuses in JSON.

    gunicorn's own waits for the rest of a request for ever, one thread per client; and when it
    closes a connection, its main loop waits up to 2 s for that client to close it, too. Either
    way some dozens of clients that do nothing would stop it.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        #: each connection that has a thread, and its request once the head is there
        self.receiving: dict[Any, Any] = {}

    def enqueue_req(self, conn: Any) -> None:
        conn.since = time.monotonic()
        super().enqueue_req(conn)

    def handle(self, conn: Any) -> Any:
        """Serve a request, and those that soon follow it on its connection, in the same thread.

        To be handed from thread to thread by the main loop costs more than many a request.
        """
        keep_alive = self.handle_one(conn)
        while keep_alive is True and self.alive and self.has_spare_thread() and is_followed(conn):
            conn.since = time.monotonic()
            keep_alive = self.handle_one(conn)
        return keep_alive

    def handle_one(self, conn: Any) -> Any:
        self.receiving[conn] = None
        try:
            keep_alive = super().handle(conn)
            if not keep_alive:
                close_lingering(conn.sock)
        finally:
            del self.receiving[conn]
        return keep_alive

    def has_spare_thread(self) -> bool:
        """Tell whether a thread is left for the next client who comes."""
        threads: int = self.cfg.threads
        return self.busy_connections() < threads

    def busy_connections(self) -> int:
        """Return the number of connections that have a thread, or wait for one."""
        connections: int = self.nr_conns
        return connections - len(self.keepalived_conns) - len(self.pending_conns)

    def handle_request(self, req: Any, conn: Any) -> Any:
        self.receiving[conn] = req
        if (getattr(req.body.reader, "length", 0) or 0) > MAX_DRAINED_BYTES:
            req.force_close()  # refused unread, it would be cut off behind a "keep-alive"
        return super().handle_request(req, conn)

    def murder_pending(self) -> None:
        """Stop receiving from who sends too slowly, too; the main loop asks every second.

        The thread then reads an end of file: it drops half a head, and refuses half a body.
        """
        super().murder_pending()
        is_crowded = self.busy_connections() > self.cfg.threads or not self.alive
        latest = time.monotonic() - (CROWDED_RECEIVE_SECONDS if is_crowded else RECEIVE_SECONDS)
        for conn, request in list(self.receiving.items()):
            if conn.since < latest and not is_received(request):
                with suppress(OSError):
                    conn.sock.shutdown(socket.SHUT_RD)

    def handle_error(self, _req: Any, client: socket.socket, _addr: Any, exc: Exception) -> None:
        """Answer what never reaches the app in the app's own shape; log nothing of its content."""
        status = next((s for kind, s in ERROR_STATUSES.items() if isinstance(exc, kind)), None)
        if status is None:
            status = HTTPStatus.INTERNAL_SERVER_ERROR
            self.log.error("error outside the app", exc_info=exc)
        else:
            extra = {"error": type(exc).__name__, "status": status.value}
            self.log.warning("not a request", extra=extra)
        with suppress(OSError):
            util.write_nonblock(client, problem_bytes(status, str(exc)[:200]))


class Logger(glogging.Logger):  # type: ignore[misc]  # gunicorn has no types
    """gunicorn's logger, without a line per request: the app logs its own.

    With a `logconfig_dict` gunicorn would make up its line for each request, and then drop it.
    """

    access_log_enabled = False


def is_received(request: Any) -> bool:
    """Tell whether nothing more of a request is to come; None stands for one without a head."""
    reader = request and request.body.reader
    return bool(reader) and not getattr(reader, "length", 0) and not getattr(reader, "parser", None)


def is_followed(conn: Any) -> bool:
    """Wait a moment for the next request, or for the client's end; tell whether it came."""
    if conn.parser.unreader.buf.getvalue():  # it came with the one before
        return True
    poll = select.poll()
    poll.register(conn.sock, select.POLLIN)
    return bool(poll.poll(FOLLOW_MILLISECONDS))


def close_lingering(sock: socket.socket) -> None:
    """Say goodbye and wait for the client's, here in a thread, so that the main loop needn't.

    Closing a socket with anything unread in it would take back what the client hasn't read yet.
    """
    deadline = time.monotonic() + LINGER_SECONDS
    with suppress(OSError):
        sock.shutdown(socket.SHUT_WR)
        while (left := deadline - time.monotonic()) > 0:
            sock.settimeout(left)
            if not sock.recv(64 * 1024):
                break
    with suppress(OSError):
        sock.shutdown(socket.SHUT_RD)


def problem_bytes(status: HTTPStatus, detail: str) -> bytes:
    """Return a whole HTTP answer with problem+json, after which the connection is closed."""
    problem = {"type": "about:blank", "title": status.phrase, "status": status, "detail": detail}
    body = json.dumps(problem)
    head = (
        f"HTTP/1.1 {status.value} {status.phrase}",
        "Connection: close",
        "Content-Type: application/problem+json",
        f"Content-Length: {len(body)}",
    )
    return "\r\n".join((*head, "", body)).encode("ascii")


def set_send_timeout(server: Any) -> None:
    """Bound the sending of an answer to a client that doesn't read; connections inherit it."""
    for listener in server.LISTENERS:
        timeout = struct.pack("ll", SEND_SECONDS, 0)
        listener.sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, timeout)

"""The gunicorn worker: threads that slow clients can't hold, refusals in the app's own shape.

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

SENDING_SECONDS = 10  # a client may take this long to send a request,
CROWDED_SENDING_SECONDS = 2  # or this long while others wait for a thread,
FOLLOWING_MILLISECONDS = 20  # a request within this time after another's answer follows it
LINGERING_SECONDS = 0.5  # or this long to read its last answer and hang up,
READING_SECONDS = 4  # or a few times this long to make room for more of an answer
DRAINED_BYTES = 64 * 1024  # of an unread body gunicorn reads as much and keeps the connection
REFUSALS = {
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
        self.senders: dict[Any, Any] = {}

    def enqueue_req(self, conn: Any) -> None:
        conn.since = time.monotonic()
        super().enqueue_req(conn)

    def handle(self, conn: Any) -> Any:
        """Serve a request, and those that soon follow it on its connection, in the same thread.

        To be handed from thread to thread by the main loop costs more than many a request.
        """
        kept = self.serve(conn)
        while kept is True and self.alive and self.has_room() and is_followed(conn):
            conn.since = time.monotonic()
            kept = self.serve(conn)
        return kept

    def serve(self, conn: Any) -> Any:
        self.senders[conn] = None
        try:
            kept = super().handle(conn)
            if not kept:
                linger(conn.sock)
        finally:
            del self.senders[conn]
        return kept

    def has_room(self) -> bool:
        """Tell whether a thread is left for the next who comes."""
        threads: int = self.cfg.threads
        return self.in_hand() < threads

    def in_hand(self) -> int:
        """Return the number of connections that have a thread, or wait for one."""
        connections: int = self.nr_conns
        return connections - len(self.keepalived_conns) - len(self.pending_conns)

    def handle_request(self, req: Any, conn: Any) -> Any:
        self.senders[conn] = req
        if (getattr(req.body.reader, "length", 0) or 0) > DRAINED_BYTES:
            req.force_close()  # refused unread, it would be cut off behind a "keep-alive"
        return super().handle_request(req, conn)

    def murder_pending(self) -> None:
        """Stop listening to who sends too slowly, too; the main loop asks at least once a second.

        The thread then reads an end of file: it drops half a head, and refuses half a body.
        """
        super().murder_pending()
        crowded = self.in_hand() > self.cfg.threads or not self.alive
        patience = CROWDED_SENDING_SECONDS if crowded else SENDING_SECONDS
        latest = time.monotonic() - patience
        for conn, request in list(self.senders.items()):
            if conn.since < latest and not has_arrived(request):
                with suppress(OSError):
                    conn.sock.shutdown(socket.SHUT_RD)

    def handle_error(self, _req: Any, client: socket.socket, _addr: Any, exc: Exception) -> None:
        """Answer what never reaches the app in the app's own shape; log nothing of its content."""
        status = next((s for kind, s in REFUSALS.items() if isinstance(exc, kind)), None)
        if status is None:
            status = HTTPStatus.INTERNAL_SERVER_ERROR
            self.log.error("error outside the app", exc_info=exc)
        else:
            extra = {"error": type(exc).__name__, "status": status.value}
            self.log.warning("not a request", extra=extra)
        with suppress(OSError):
            util.write_nonblock(client, refusal(status, str(exc)[:200]))


class Log(glogging.Logger):  # type: ignore[misc]  # gunicorn has no types
    """gunicorn's log, without a line per request: the app writes its own.

    With a `logconfig_dict` gunicorn would make up its line for each request, and then drop it.
    """

    access_log_enabled = False


def has_arrived(request: Any) -> bool:
    """Tell whether nothing more of a request is to come; None stands for one without a head."""
    reader = request and request.body.reader
    return bool(reader) and not getattr(reader, "length", 0) and not getattr(reader, "parser", None)


def is_followed(conn: Any) -> bool:
    """Wait a moment for the next request, or for the client's end; tell whether it came."""
    if conn.parser.unreader.buf.getvalue():  # it came with the one before
        return True
    poll = select.poll()
    poll.register(conn.sock, select.POLLIN)
    return bool(poll.poll(FOLLOWING_MILLISECONDS))


def linger(sock: socket.socket) -> None:
    """Say goodbye and wait for the client's, here in a thread, so that the main loop needn't.

    Closing a socket with anything unread in it would take back what the client hasn't read yet.
    """
    deadline = time.monotonic() + LINGERING_SECONDS
    with suppress(OSError):
        sock.shutdown(socket.SHUT_WR)
        while (left := deadline - time.monotonic()) > 0:
            sock.settimeout(left)
            if not sock.recv(64 * 1024):
                break
    with suppress(OSError):
        sock.shutdown(socket.SHUT_RD)


def refusal(status: HTTPStatus, detail: str) -> bytes:
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


def bound_answers(server: Any) -> None:
    """Bound the sending of an answer to a client that doesn't read; connections inherit it."""
    for listener in server.LISTENERS:
        timeout = struct.pack("ll", READING_SECONDS, 0)
        listener.sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, timeout)

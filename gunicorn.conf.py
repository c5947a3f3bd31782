"""How gunicorn serves the app.

Each worker has its own pool, so PostgreSQL must allow
    WEB_CONCURRENCY x (DB_POOL_SIZE + DB_MAX_OVERFLOW) connections: 2 x (20 + 10) = 60 of its 100.
Threads per worker equal the pool: the kernel spreads connections unevenly, and 30 requests at
once must find a thread even if all of them land on one worker.
"""

import json
import socket
import struct
import time
from contextlib import suppress
from http import HTTPStatus

from gunicorn import util
from gunicorn.http import errors
from gunicorn.workers.gthread import ThreadWorker

from allthing.config import load_settings
from allthing.logs import logging_config

SENDING_SECONDS = 10  # a client may take this long to send a request,
CROWDED_SENDING_SECONDS = 2  # or this long while others wait for a thread,
LINGERING_SECONDS = 0.5  # or this long to read its last answer and hang up,
READING_SECONDS = 4  # or a few times this long to make room for more of an answer
REFUSALS = {
    errors.LimitRequestLine: HTTPStatus.REQUEST_URI_TOO_LONG,
    errors.LimitRequestHeaders: HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE,
    errors.ExpectationFailed: HTTPStatus.EXPECTATION_FAILED,
    errors.UnsupportedTransferCoding: HTTPStatus.NOT_IMPLEMENTED,
    errors.InvalidResponseHeader: HTTPStatus.INTERNAL_SERVER_ERROR,
    errors.InvalidResponseHeaderName: HTTPStatus.INTERNAL_SERVER_ERROR,
    errors.ParseException: HTTPStatus.BAD_REQUEST,
}


class Worker(ThreadWorker):
    """A threaded worker in which slow clients hold up nobody, and which refuses in JSON.

    gunicorn's own waits for the rest of a request for ever, one thread per client; and when it
    closes a connection, its main loop waits up to 2 s for that client to close it, too. Either
    way some dozens of clients that do nothing would stop it.
    """

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.senders = {}  # each connection that has a thread, and its request after the head

    def enqueue_req(self, conn):
        conn.since = time.monotonic()
        super().enqueue_req(conn)

    def handle(self, conn):
        self.senders[conn] = None
        try:
            kept = super().handle(conn)
            if not kept:
                linger(conn.sock)
        finally:
            del self.senders[conn]
        return kept

    def handle_request(self, req, conn):
        self.senders[conn] = req
        return super().handle_request(req, conn)

    def murder_pending(self):
        """Stop listening to who sends too slowly, too; the main loop asks at least once a second.

        The thread then reads an end of file: it drops half a head, and refuses half a body.
        """
        super().murder_pending()
        in_hand = self.nr_conns - len(self.keepalived_conns) - len(self.pending_conns)
        crowded = in_hand > self.cfg.threads or not self.alive
        patience = CROWDED_SENDING_SECONDS if crowded else SENDING_SECONDS
        latest = time.monotonic() - patience
        for conn, request in list(self.senders.items()):
            if conn.since < latest and not has_arrived(request):
                with suppress(OSError):
                    conn.sock.shutdown(socket.SHUT_RD)

    def handle_error(self, _req, client, _addr, exc):
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


def has_arrived(request):
    """Tell whether nothing more of a request is to come; None stands for one without a head."""
    reader = request and request.body.reader
    return bool(reader) and not getattr(reader, "length", 0) and not getattr(reader, "parser", None)


def linger(sock):
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


def refusal(status, detail):
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


def when_ready(server):
    """Bound the sending of an answer to a client that doesn't read; connections inherit it."""
    for listener in server.LISTENERS:
        timeout = struct.pack("ll", READING_SECONDS, 0)
        listener.sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, timeout)


settings = load_settings()

bind = f"0.0.0.0:{settings.port}"
worker_class = Worker
workers = settings.web_concurrency
threads = settings.web_threads
worker_tmp_dir = "/dev/shm"  # the heartbeat file must not wait for a disk
preload_app = False  # a forked engine shares sockets between workers
timeout = 30
graceful_timeout = 8  # a container gets 10 s between SIGTERM and SIGKILL
keepalive = 5
limit_request_line = 4094
limit_request_fields = 60
limit_request_field_size = 8190
forwarded_allow_ips = "127.0.0.1"
control_socket_disable = True  # it can't be made on a read-only root
logconfig_dict = logging_config(settings.log_level)

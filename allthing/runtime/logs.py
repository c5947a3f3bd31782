"""Logging: one JSON line per event, on standard error."""

import atexit
import logging
import os
import threading
import time
from collections import deque
from contextlib import suppress
from select import PIPE_BUF
from typing import Any

import orjson
from flask import Flask, g, request
from flask.wrappers import Response

from allthing.runtime.clock import now

STDERR = 2
WRITE_SECONDS = 0.1
MOST_WAITING = 50_000  # about 10 MB, should nobody read what we write

log = logging.getLogger(__name__)


def logging_config(level: str) -> dict[str, Any]:
    """Return a `dictConfig` for the app and for gunicorn."""
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {
            "json": {
                "()": "pythonjsonlogger.json.JsonFormatter",
                "fmt": "{levelname}{name}{message}{process}",
                "style": "{",
                "timestamp": True,
                "rename_fields": {"levelname": "level", "name": "logger"},
            }
        },
        "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "json"}},
        "root": {"level": level, "handlers": ["stderr"]},
        "loggers": {
            "alembic": {"level": "WARNING"},
            "flask-limiter": {"level": "WARNING"},
            "gunicorn.error": {"propagate": True, "handlers": []},
        },
    }


def start_timer() -> None:
    g.started = time.perf_counter()


class Lines:
    """Lines for standard error, written together some times a second.

    A write lets go of the interpreter: one for each request, in the middle of it, costs more than
    the rest of a cached read.
    """

    def __init__(self) -> None:
        self._waiting: deque[bytes] = deque(maxlen=MOST_WAITING)  # then the oldest are dropped
        self._writing = threading.Lock()
        self._has_some = threading.Event()
        self._process = 0  # which has a thread that writes

    def add(self, line: bytes) -> None:
        self._waiting.append(line)
        if not self._has_some.is_set():
            self._has_some.set()
            if self._process != os.getpid():
                self._process = os.getpid()
                atexit.register(self.write)
                threading.Thread(target=self._work, name="log", daemon=True).start()

    def write(self) -> None:
        """Write what waits, whole lines in pieces that don't mingle with those of other workers."""
        with self._writing, suppress(OSError):  # nobody reads it any more, or the disk is full
            piece = b""
            while self._waiting:
                line = self._waiting.popleft()
                if len(piece) + len(line) > PIPE_BUF:
                    os.write(STDERR, piece)
                    piece = b""
                piece += line
            os.write(STDERR, piece)

    def _work(self) -> None:
        while self._has_some.wait():
            time.sleep(WRITE_SECONDS)
            self._has_some.clear()
            self.write()


lines = Lines()


def log_request(response: Response) -> Response:
    """Log what was asked and answered, without anything that could name a voter."""
    if log.isEnabledFor(logging.INFO):
        rule = request.url_rule
        line = {
            "level": "INFO",
            "logger": __name__,
            "message": "request",
            "process": os.getpid(),
            "method": request.method,
            "route": rule.rule if rule else None,
            "status": response.status_code,
            "milliseconds": round((time.perf_counter() - g.started) * 1000, 1),
            "timestamp": now(),
        }
        lines.add(orjson.dumps(line, option=orjson.OPT_APPEND_NEWLINE))
    return response


def init_app(app: Flask) -> None:
    app.before_request(start_timer)
    app.after_request(log_request)

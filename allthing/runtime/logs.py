"""Logging: one JSON line per event on standard error, and an event for each request.

All of it goes through `logging`, so handlers and filters that an operator adds see every record.
"""

import atexit
import json
import logging
import os
import time
from contextlib import suppress
from datetime import UTC, datetime
from itertools import islice
from logging.handlers import QueueHandler, QueueListener
from queue import Empty, SimpleQueue
from select import PIPE_BUF
from typing import Any

import orjson
from flask import Flask, g, request
from flask.wrappers import Response

STDERR = 2
GATHER_SECONDS = 0.1  # queued lines are written together this often
MAX_LINES = 1_000  # that are held back to be written together
MAX_QUEUED = 50_000  # records, should nobody read what we write; the next ones are dropped
STANDARD_FIELDS = tuple(vars(logging.makeLogRecord({})))  # of a record, in their order
FORMATTED_FIELDS = {"message", "asctime"}  # which formatters add

Records = SimpleQueue[logging.LogRecord]

request_log = logging.getLogger("allthing.requests")


def logging_config(level: str) -> dict[str, Any]:
    """Return a `dictConfig` for the app and for gunicorn."""
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {"json": {"()": f"{__name__}.JsonFormatter"}},
        "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "json"}},
        "root": {"level": level, "handlers": ["stderr"]},
        "loggers": {
            "alembic": {"level": "WARNING"},
            "flask-limiter": {"level": "WARNING"},  # below that it names addresses
            "gunicorn.error": {"propagate": True, "handlers": []},
        },
    }


class JsonFormatter(logging.Formatter):
    """Writes a record as a JSON object; what was given as `extra` stands beside the rest."""

    def format(self, record: logging.LogRecord) -> str:
        return self.format_bytes(record).decode()

    def format_bytes(self, record: logging.LogRecord) -> bytes:
        added = islice(vars(record).items(), len(STANDARD_FIELDS), None)
        line = {
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
            "process": record.process,
            **{name: value for name, value in added if name not in FORMATTED_FIELDS},
            "timestamp": datetime.fromtimestamp(record.created, UTC),
        }
        if record.exc_info:
            line["exc_info"] = self.formatException(record.exc_info)
        try:
            return orjson.dumps(line, default=str, option=orjson.OPT_NON_STR_KEYS)
        except TypeError:  # half a surrogate pair, or a number beyond 64 bits
            return json.dumps(line, default=str, skipkeys=True).encode()


class BoundedQueueHandler(QueueHandler):
    """Hands records to a thread of this process as they are; what is serious goes another way."""

    def __init__(self, records: Records) -> None:
        super().__init__(records)
        self._records = records

    def emit(self, record: logging.LogRecord) -> None:
        if record.levelno < logging.WARNING:
            super().emit(record)

    def prepare(self, record: logging.LogRecord) -> logging.LogRecord:
        return record  # it leaves no process, so it need not be made ready for that

    def enqueue(self, record: logging.LogRecord) -> None:
        if self._records.qsize() < MAX_QUEUED:
            self._records.put_nowait(record)


class GatheringListener(QueueListener):
    """Takes records from the queue a few times a second, and writes their lines together.

    To wake a thread and to write lets go of the interpreter: once for each request, in the middle
    of it, that costs more than the rest of a cached read.
    """

    def __init__(self, records: Records) -> None:
        super().__init__(records)
        self._records = records
        self._formatter = JsonFormatter()
        self._lines: list[bytes] = []

    def dequeue(self, block: bool) -> logging.LogRecord:  # noqa: ARG002  # it is always true
        try:
            return self._records.get_nowait()
        except Empty:
            self.flush()
            record = self._records.get()
            time.sleep(GATHER_SECONDS)
            return record

    def handle(self, record: logging.LogRecord) -> None:
        try:
            self._lines.append(self._formatter.format_bytes(record) + b"\n")
        except Exception:  # noqa: BLE001  # what can't be written must not end the thread
            logging.Handler().handleError(record)
        if len(self._lines) >= MAX_LINES:
            self.flush()

    def flush(self) -> None:
        """Write pieces of whole lines, which a pipe does not mingle with those of other workers.

        A line that is longer than a pipe takes at once is a piece by itself.
        """
        with suppress(OSError):  # nobody reads it any more, or the disk is full
            piece = b""
            for line in self._lines:
                if piece and len(piece) + len(line) > PIPE_BUF:
                    write_all(piece)
                    piece = b""
                piece += line
            write_all(piece)
        self._lines.clear()

    def stop(self) -> None:
        super().stop()
        self.flush()


def write_all(data: bytes) -> None:
    while data:
        data = data[os.write(STDERR, data) :]


def write_in_background() -> None:
    """Let a thread of this process write what is below a warning: for a process that serves.

    Warnings are written at once still, so that not even a kill loses one.
    """
    root = logging.getLogger()
    for handler in root.handlers:
        if handler.name == "stderr":
            handler.setLevel(logging.WARNING)
    records: Records = SimpleQueue()
    listener = GatheringListener(records)
    listener.start()
    atexit.register(listener.stop)
    root.addHandler(BoundedQueueHandler(records))


def start_timer() -> None:
    g.started = time.perf_counter()


def log_request(response: Response) -> Response:
    """Log what was asked and answered, without anything that could name a voter."""
    if request_log.isEnabledFor(logging.INFO):
        rule = request.url_rule
        # As `request_log.info` would, but for looking through the stack for who calls it.
        record = logging.LogRecord(request_log.name, logging.INFO, "", 0, "request", None, None)
        vars(record).update(
            method=request.method,
            route=rule.rule if rule else None,
            status=response.status_code,
            milliseconds=round((time.perf_counter() - g.started) * 1000, 1),
        )
        request_log.handle(record)
    return response


def init_app(app: Flask) -> None:
    app.before_request(start_timer)
    app.after_request(log_request)

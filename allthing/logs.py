"""Logging: one JSON line per event, on standard error."""

import logging.config
import time
from typing import Any

from flask import Flask, g, request
from flask.wrappers import Response

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


def log_request(response: Response) -> Response:
    """Log what was asked and answered, without anything that could name a voter."""
    log.info(
        "request",
        extra={
            "method": request.method,
            "route": request.url_rule.rule if request.url_rule else None,
            "status": response.status_code,
            "milliseconds": round((time.perf_counter() - g.started) * 1000, 1),
        },
    )
    return response


def init_app(app: Flask) -> None:
    app.before_request(start_timer)
    app.after_request(log_request)

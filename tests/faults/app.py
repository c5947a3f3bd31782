"""The app as served, with a clock that tests can set and routes that use up what it lives on."""

import os
import time
from contextlib import suppress
from datetime import datetime, timedelta, tzinfo
from pathlib import Path
from threading import Lock, Thread

from flask import request
from flask.typing import ResponseReturnValue
from sqlalchemy import Connection, exc, func, select

from allthing.database import db
from allthing.runtime import clock
from wsgi import app

OFFSET = os.environ.get("TEST_CLOCK_OFFSET", "")  # a file with seconds; none: the true time


class ShiftedTime(datetime):
    """The system's clock, so many seconds ahead as the file says."""

    @classmethod
    def now(cls, tz: tzinfo | None = None) -> datetime:
        seconds = float(Path(OFFSET).read_text()) if OFFSET else 0.0
        return datetime.now(tz) + timedelta(seconds=seconds)


if OFFSET:
    clock.datetime = ShiftedTime

hoarding = Lock()


@app.get("/hold")
def hold() -> ResponseReturnValue:
    """Run a statement for some seconds."""
    db.session.execute(select(func.pg_sleep(float(request.args["seconds"]))))
    return {"ok": True}


@app.get("/hoard")
def hoard() -> ResponseReturnValue:
    """Take every connection of this worker's pool away from it, until a monotonic time."""
    settings, engine = app.extensions["settings"], db.engine
    if hoarding.acquire(blocking=False):
        taken: list[Connection] = []
        with suppress(exc.TimeoutError):  # somebody else has the rest
            while len(taken) < settings.db_pool_size + settings.db_max_overflow:
                taken.append(engine.connect())
        Thread(target=give_back, args=(taken, float(request.args["until"])), daemon=True).start()
    return {"worker": os.getpid()}


def give_back(taken: list[Connection], until: float) -> None:
    time.sleep(max(0.0, until - time.monotonic()))
    for connection in taken:
        connection.close()
    hoarding.release()

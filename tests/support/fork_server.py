"""Starts Python programs quickly: a process that has imported the libraries forks for each of them.

To import Flask, SQLAlchemy and what else the app is built on takes over a second of CPU, and the
tests start the app some fifty times. Only what others wrote is imported here: each program imports
our own modules by itself, since some of them make memory that only its own workers may share.
"""

import functools
import gc
import json
import math
import os
import runpy
import signal
import subprocess
import sys
import threading
import time
import zoneinfo
from collections.abc import Mapping
from contextlib import suppress
from importlib import import_module
from io import BufferedWriter
from pathlib import Path
from typing import Any, TypedDict

from tests.support import watchdog

ROOT = Path(__file__).parents[2]
STEP_SECONDS = 0.02
LIBRARIES = (
    "flask_limiter",
    "flask_migrate",
    "flask_sqlalchemy",
    "orjson",
    "psycopg2",
    "pydantic_settings",
    "redis",
    "sqlalchemy.dialects.postgresql",
    "sqlalchemy.orm",
)


class Order(TypedDict):
    """What to run: a module with its arguments, where, and in which environment."""

    command: list[str]
    folder: str
    log: str
    environment: dict[str, str]


class ForkedProcess:
    """A process that is no child of ours, with as much of `subprocess.Popen` as daemons use.

    How it ended is not known: its status is 0.
    """

    def __init__(self, pid: int) -> None:
        self.pid = pid

    def poll(self) -> int | None:
        return None if watchdog.is_alive(self.pid) else 0

    def wait(self, timeout: float = math.inf) -> int:
        deadline = time.monotonic() + timeout
        while self.poll() is None:
            if time.monotonic() > deadline:
                raise subprocess.TimeoutExpired(str(self.pid), timeout)
            time.sleep(STEP_SECONDS)
        return 0

    def send_signal(self, number: int) -> None:
        with suppress(ProcessLookupError):
            os.kill(self.pid, number)


asking = threading.Lock()


@functools.cache
def fork_server() -> "subprocess.Popen[str]":
    """Return the one of this test run; it ends when the run has ended, in whatever way."""
    return subprocess.Popen(
        [sys.executable, "-m", __name__],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=ROOT,
        env=os.environ | {"LC_ALL": "C"},
        start_new_session=True,
    )


def fork(
    command: list[Any],
    *,
    stdout: BufferedWriter,  # and what it says on standard error
    cwd: Path,
    env: Mapping[str, str],
    **same_as_ours: object,  # no input, and a session of its own
) -> ForkedProcess:
    """Run `python -m module arguments…`, as `subprocess.Popen` would, for as long as it lasts."""
    assert command[1] == "-m"
    assert same_as_ours.keys() <= {"stdin", "stderr", "start_new_session"}
    order = Order(
        command=[str(word) for word in command[2:]],
        folder=str(cwd),
        log=stdout.name,
        environment=dict(env),
    )
    with asking:
        server = fork_server()
        assert server.stdin
        assert server.stdout
        print(json.dumps(order), file=server.stdin, flush=True)
        pid = server.stdout.readline()
        assert pid, "the process that starts others has ended"
        return ForkedProcess(int(pid))


def next_order() -> Order | None:
    """Fork for each order, and return it in the new process; None when there are no more."""
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody asks how they ended
    for line in sys.stdin:
        order: Order = json.loads(line)
        if (pid := os.fork()) == 0:
            return order
        print(pid, flush=True)
    return None


def become(order: Order) -> None:
    """Be what a new interpreter would be."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    os.setsid()
    os.chdir(order["folder"])
    os.environ.clear()
    os.environ.update(order["environment"])
    time.tzset()
    zoneinfo.reset_tzpath()
    log = os.open(order["log"], os.O_WRONLY | os.O_APPEND)
    for descriptor in (sys.stdout.fileno(), sys.stderr.fileno()):
        os.dup2(log, descriptor)
    os.dup2(os.open(os.devnull, os.O_RDONLY), sys.stdin.fileno())
    sys.argv = order["command"]


if __name__ == "__main__":
    for library in LIBRARIES:
        import_module(library)
    gc.freeze()
    if ordered := next_order():
        become(ordered)
        runpy.run_module(ordered["command"][0], run_name="__main__", alter_sys=True)

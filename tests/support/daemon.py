"""One throw-away server process: its folder, its port, its life and its certain end."""

import atexit
import os
import secrets
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Literal, Protocol, TypeAlias

from tests.support import watchdog
from tests.support.os_user import Identity, common_ground, hand_over, unprivileged

Command: TypeAlias = Sequence[str | Path]
StopMode: TypeAlias = Literal["fast", "immediate"]

START_SECONDS = 60.0
STOP_SECONDS = 30.0


class Process(Protocol):
    """As much of `subprocess.Popen` as is used here."""

    pid: int

    def poll(self) -> int | None: ...

    def wait(self, timeout: float | None = None) -> int: ...

    def send_signal(self, number: int, /) -> None: ...


class ServerFailed(RuntimeError):
    """A server of ours did not start; the message ends with its log."""


class ServerNotOurs(RuntimeError):
    """A test wants to stop or freeze a server that someone else runs."""


class Daemon:
    """A temporary folder and the server process at work in it.

    Both are gone after `close`, at exit, and also when we are killed: a watchdog process, which
    waits at the other end of a pipe, then ends the server and removes the folder.
    """

    def __init__(
        self,
        name: str,
        *,
        crash: signal.Signals,
        identity: Identity | None = None,
        environment: Mapping[str, str] | None = None,
        popen: Callable[..., Process] = subprocess.Popen,
    ) -> None:
        """Make the folder, named after `name`, and post the watchdog; run nothing yet.

        `crash` is the signal upon which this kind of server ends at once, saving nothing. It runs
        as `identity`, by default an unprivileged user, with `environment` on top of ours; `popen`
        starts it.
        """
        self.folder = Path(tempfile.mkdtemp(prefix=f"{name}-", dir=common_ground()))
        self.port = 0
        self._crash = crash
        self._identity = unprivileged() if identity is None else identity
        self._environment = _environment() | (environment or {})
        self._command: Command = ()
        self._answers: Callable[[], bool] = bool
        self._popen = popen
        self._process: Process | None = None
        hand_over(self.folder)
        self._watchdog = subprocess.Popen(
            [sys.executable, "-I", "-S", watchdog.__file__, self.folder],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            start_new_session=True,  # else Ctrl-C in the terminal would end it, too
            cwd="/",
        )
        atexit.register(self.close)

    def run(self, *command: str | Path) -> None:
        """Run a program to its end as the servers' user; raise with what it said if it fails."""
        done = subprocess.run(
            command,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL,
            text=True,
            cwd=self.folder,
            env=self._environment,
            **self._identity,
        )
        if done.returncode != 0:
            raise ServerFailed(f"{command[0]} failed:\n{done.stdout}")

    def launch(self, command: Callable[[int], Command], answers: Callable[[], bool]) -> None:
        """Start the server for the first time, on a free port of 127.0.0.1.

        `command` turns the port into the command line; `answers` tells whether the server is up.
        Another port is tried if some other process was quicker to take this one.
        """
        self._answers = answers
        while True:
            self.port = free_port()
            self._command = command(self.port)
            try:
                return self.start()
            except ServerFailed as error:
                if "Address already in use" not in str(error):
                    raise

    def start(self) -> None:
        """Start the server, on its port and with its data, and wait until it answers."""
        if self._process and self._process.poll() is None:
            return
        with (self.folder / "log").open("ab") as log:
            log_start = log.tell()
            self._process = self._popen(
                self._command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                cwd=self.folder,
                env=self._environment,
                **self._identity,
            )
        self._tell_watchdog(self._process.pid)
        deadline = time.monotonic() + START_SECONDS
        while not self._answers():
            if self._process.poll() is not None or time.monotonic() > deadline:
                self.stop("immediate")
                said = (self.folder / "log").read_bytes()[log_start:].decode(errors="replace")
                raise ServerFailed(f"{self._command[0]} did not start:\n{said}")
            time.sleep(0.02)

    def stop(self, mode: StopMode | signal.Signals = "fast") -> None:
        """End the server in order, as in a crash, or by a signal; its data stay for a new start."""
        if not self._process:
            return
        self.thaw()
        number = {"fast": signal.SIGINT, "immediate": self._crash}.get(mode, mode)
        if number == signal.SIGKILL:  # of which a server can't tell its children
            watchdog.kill_family(self._process.pid)
        else:
            self._process.send_signal(number)
        try:
            self._process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            watchdog.kill_family(self._process.pid)
            self._process.wait()
        self._process = None
        self._tell_watchdog(0)

    def freeze(self) -> None:
        """Stop every process of the server in its tracks: connections stay, answers don't come."""
        if self._process:
            watchdog.signal_family(self._process.pid, signal.SIGSTOP)

    def thaw(self) -> None:
        """Let the frozen processes go on."""
        if self._process:
            watchdog.signal_family(self._process.pid, signal.SIGCONT)

    def children(self) -> list[int]:
        """Return the ids of the processes that the server has started."""
        return watchdog.family(self._process.pid)[1:] if self._process else []

    def close(self) -> None:
        """End the server for good and remove its folder."""
        atexit.unregister(self.close)
        self.stop("immediate")
        self._watchdog.communicate()  # hangs up; the watchdog removes the folder and ends

    def _tell_watchdog(self, pid: int) -> None:
        assert self._watchdog.stdin
        self._watchdog.stdin.write(b"%d\n" % pid)
        self._watchdog.stdin.flush()


class Server:
    """What tests may do to a server: anything to one of ours, only talk to a given one."""

    url: str

    def __init__(self, daemon: Daemon | None) -> None:
        self._daemon = daemon

    def stop(self, mode: StopMode = "fast") -> None:
        """End the server, in order or as in a crash."""
        self._own.stop(mode)

    def start(self) -> None:
        """Start the stopped server again: same URL."""
        self._own.start()

    def freeze(self) -> None:
        """Stop the server's processes in their tracks (SIGSTOP)."""
        self._own.freeze()

    def thaw(self) -> None:
        """Let a frozen server go on."""
        self._own.thaw()

    def children(self) -> list[int]:
        """Return the ids of the server's own processes, such as workers."""
        return self._own.children()

    def close(self) -> None:
        """Leave nothing behind."""
        if self._daemon:
            self._daemon.close()

    @property
    def _own(self) -> Daemon:
        if not self._daemon:
            raise ServerNotOurs(
                "this server was given by URL and is not ours to stop, start or freeze: "
                "ask for a private one (private=True)"
            )
        return self._daemon


def _environment() -> dict[str, str]:
    # PG… settings of the developer's shell are not ours; messages have to be in English.
    ours = {name: value for name, value in os.environ.items() if not name.startswith("PG")}
    return ours | {"LC_ALL": "C"}


def free_port() -> int:
    """Return a port of 127.0.0.1 on which nobody listens now."""
    # Below the range that the system gives to outgoing connections: one of those might take the
    # port while the server is stopped, or even connect to itself and look like a server.
    while True:
        port = 10_000 + secrets.randbelow(22_000)
        with socket.socket() as probe, suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port

"""The process that cleans up after a test run, even one that was killed with -9.

Started by path as a program of its own (see `daemon.py`), so it imports nothing but the standard
library. Linux only: it reads families of processes from /proc.
"""

import os
import shutil
import signal
import sys
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

TIMEOUT_SECONDS = 10.0


def signal_family(pid: int, number: signal.Signals) -> list[int]:
    """Send a signal to a process and all its descendants; return them, parents first.

    Looks again until nobody new turns up: a parent that isn't stopped yet may still fork.
    """
    reached: list[int] = []
    while newcomers := [member for member in family(pid) if member not in reached]:
        for member in newcomers:
            with suppress(ProcessLookupError):
                os.kill(member, number)
        reached += newcomers
    return reached


def kill_family(pid: int) -> None:
    """Kill a process and all its descendants; stopped first, none of them can fork or be missed."""
    members = signal_family(pid, signal.SIGSTOP)
    for member in members:
        with suppress(ProcessLookupError):
            os.kill(member, signal.SIGKILL)
    await_end(members)


def end(pid: int) -> None:
    """Ask a server to end, so that it gives back its shared memory, and kill it if it won't."""
    signal_family(pid, signal.SIGCONT)
    with suppress(ProcessLookupError):
        os.kill(pid, signal.SIGINT)
    if not await_end([pid]):
        kill_family(pid)


def await_end(pids: list[int]) -> bool:
    """Wait a while for the end of processes; return whether all have ended."""
    deadline = time.monotonic() + TIMEOUT_SECONDS
    while any(map(is_alive, pids)):
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True


def watch(folder: Path) -> None:
    """Read the server's pid from standard input, line by line; clean up when the input ends.

    Our starter holds the other end of the pipe, so the input ends when it does, in whatever way.
    A later line replaces the earlier one; 0 means that no server runs just now.
    """
    pid = 0
    for line in sys.stdin:
        pid = int(line)
    if pid:
        end(pid)
    shutil.rmtree(folder, ignore_errors=True)


def family(pid: int) -> list[int]:
    """Return a process and all its descendants, parents first."""
    children: dict[int, list[int]] = defaultdict(list)
    for child, _, parent in _processes():
        children[parent].append(child)
    family = [pid]
    for member in family:
        family += children[member]
    return family


def is_alive(pid: int) -> bool:
    """Tell whether a process still runs."""
    # A zombie is dead: its parent may be a container's first process that never reaps.
    with suppress(OSError):
        return _stat(Path("/proc", str(pid)))[0] not in "ZX"
    return False


def _processes() -> Iterator[tuple[int, str, int]]:
    """Yield pid, state and parent's pid of every process."""
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with suppress(OSError):  # it ended while we looked
                yield int(entry.name), *_stat(entry)


def _stat(process: Path) -> tuple[str, int]:
    """Return state and parent's pid of the process with this folder in /proc, if it runs.

    From `stat`, which anyone may read: in a plain container even root may not read much else
    about other users' processes.
    """
    # The command's name comes second, in parentheses, and may itself contain any.
    fields = (process / "stat").read_text().rpartition(")")[2].split()
    return fields[0], int(fields[1])


if __name__ == "__main__":
    watch(Path(sys.argv[1]))

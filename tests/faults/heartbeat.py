"""How long the machine itself stood still."""

import threading
import time
from pathlib import Path

TICK_SECONDS = 0.005
LATE_SECONDS = 0.02  # a longer tick than this is a machine that stood still
HERTZ = 100  # of /proc/stat


class Heartbeat:
    """Adds up how long the machine itself stood still.

    It did while we were woken up late, while the host gave a CPU to somebody else, and by the
    share of their time that programs ready to run had to wait, since there were too many of them.
    """

    def __init__(self) -> None:
        self.standstill: list[tuple[float, float]] = []  # until when, seconds in all

    def beat(self, stop: threading.Event) -> None:
        total, last, stolen = 0.0, time.monotonic(), cpu_state()[0]
        while not stop.is_set():
            time.sleep(TICK_SECONDS)
            now = time.monotonic()
            ticks, waiting = cpu_state()
            gap = now - last
            late = gap - TICK_SECONDS if gap > LATE_SECONDS else 0.0
            total += min(gap, max(late, gap * waiting)) + (ticks - stolen) / HERTZ
            self.standstill.append((now, total))
            last, stolen = now, ticks


def cpu_state() -> tuple[int, float]:
    """Return the ticks stolen by the host, and the share of runnable programs that have to wait."""
    lines = Path("/proc/stat").read_text().splitlines()
    cpus = [line for line in lines if line.startswith("cpu")][1:]
    running = next(int(line.split()[1]) for line in lines if line.startswith("procs_running"))
    others = running - 1
    stolen = sum(int(line.split()[8]) for line in cpus)
    return stolen, max(0, others - len(cpus)) / max(1, others)

"""On what it was measured: without that, no number means anything."""

import os
import platform
import re
import subprocess
import tempfile
import time
from importlib.metadata import version
from pathlib import Path
from statistics import median

from bench.wrk import wrk
from tests.support.binaries import POSTGRESQL, REDIS, obtain
from tests.support.os_user import common_ground
from tests.support.served import ROOT

PACKAGES = ("gunicorn", "Flask", "SQLAlchemy", "psycopg2-binary", "redis")
SYNCS = 50


def describe_machine() -> list[str]:
    """Return sentences about the machine, what ran on it, and which commit was measured."""
    cpu = re.search(r"model name\s*: (.*)", Path("/proc/cpuinfo").read_text())
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    said = subprocess.run([wrk(), "-v"], capture_output=True, text=True, check=False).stdout
    tool = re.search(r"wrk \S*?(\d[\d.]*)", said)
    packages = ", ".join(f"{name} {version(name)}" for name in PACKAGES)
    hardware = (
        f"{cpu[1] if cpu else platform.machine()}, {len(os.sched_getaffinity(0))} cores, "
        f"{memory:.0f} GB of memory, Linux {platform.release()}; "
        f"a sync to disk takes {sync_milliseconds():.2f} ms"
    )
    servers = f"PostgreSQL {obtain(POSTGRESQL).version}, Redis {obtain(REDIS).version}"
    return [
        hardware,
        f"Python {platform.python_version()}, {packages}",
        f"{servers}, wrk {tool[1] if tool else ''}",
        f"commit {commit()}",
    ]


def sync_milliseconds() -> float:
    """Return the median time to make a page durable where PostgreSQL keeps its data."""
    taken = []
    with tempfile.TemporaryFile(dir=common_ground()) as file:
        for _ in range(SYNCS):
            start = time.perf_counter()
            os.pwrite(file.fileno(), b"x" * 8192, 0)
            os.fdatasync(file.fileno())
            taken.append((time.perf_counter() - start) * 1000)
    return median(taken)


def commit() -> str:
    """Name the commit; one with changes on top of it says so."""
    git = ("git", "-C", str(ROOT), "describe", "--always", "--dirty", "--abbrev=10")
    try:
        done = subprocess.run(git, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        return "unknown"
    return done.stdout.strip() or "unknown"

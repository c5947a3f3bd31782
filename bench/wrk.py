"""Load by wrk: as many requests as 32 kept connections can send, and what came of them."""

import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

CONNECTIONS = 32
SCRIPT = Path(__file__).with_name("wrk.lua")
MEASURED = re.compile(r"^measured (\d+) (\d+) (\d+) (\d+)$", re.MULTILINE)
APT_GET = ("apt-get", "--quiet", "-o", "DPkg::Lock::Timeout=300")
PACKAGE = (*APT_GET, "install", "--yes", "--no-install-recommends", "wrk")


@dataclass(frozen=True)
class Request:
    """One request as wrk sends it; the body, if any, is one line of JSON."""

    method: str
    path: str
    body: str = ""

    def __str__(self) -> str:
        return f"{self.method} {self.path} {self.body}".rstrip()


@dataclass(frozen=True)
class Load:
    """What a run brought: answers, errors among them (4xx, 5xx, no answer), seconds, p99 in ms."""

    answers: int
    errors: int
    seconds: float
    p99: float

    @property
    def rate(self) -> float:
        """Return the good answers per second."""
        return max(self.answers - self.errors, 0) / self.seconds


def wrk() -> str:
    """Return the load tool, which root gets by apt-get; exit with a sentence if it can't be had."""
    if not shutil.which("wrk") and os.geteuid() == 0 and shutil.which("apt-get"):
        print("no wrk here, installing it with apt-get:", file=sys.stderr, flush=True)
        environment = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
        for command in ((*APT_GET, "update"), PACKAGE):
            subprocess.run(
                command,
                stdin=subprocess.DEVNULL,
                stdout=sys.stderr,
                env=environment,
                check=False,
            )
    found = shutil.which("wrk")
    if not found:
        sys.exit("The benchmark needs wrk: install it (Debian: apt-get install wrk)")
    return found


def load(
    base: str,
    requests: Sequence[Request],
    seconds: int,
    *,
    headers: Mapping[str, str] | None = None,
    connections: int = CONNECTIONS,
) -> Load:
    """Send `requests` in turn to `base` for some seconds, each connection one after the other."""
    headed = [part for pair in (headers or {}).items() for part in ("-H", ": ".join(pair))]
    with tempfile.NamedTemporaryFile("w", suffix=".txt") as listed:
        listed.write("".join(f"{request}\n" for request in requests))
        listed.flush()
        done = subprocess.run(
            [
                *(wrk(), "--threads", "1", "--connections", str(connections)),
                *("--duration", f"{seconds}s", "--timeout", "30s"),
                *("--script", str(SCRIPT), *headed, base, "--", listed.name),
            ],
            capture_output=True,
            text=True,
            check=False,
        )
    found = MEASURED.search(done.stdout)
    if not found:
        sys.exit(f"wrk failed at {base}: {done.stdout}{done.stderr}")
    answers, errors, microseconds, p99 = map(int, found.groups())
    return Load(answers, errors, microseconds / 1e6, p99 / 1000)

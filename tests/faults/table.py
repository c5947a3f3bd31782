"""docs/faults.md, as a run of the suite saw it."""

import re
from collections.abc import Collection, Iterator

from tests.conftest import ROOT
from tests.faults.deployment import Findings
from tests.faults.requirements import ENDPOINTS, Recording, Requirement

FILE = ROOT / "docs" / "faults.md"
BROKEN = "broken"  # a connection without an answer

HEAD = """# Faults, and what the app does

Written by `make faults`: do not edit. Each fault is made, on real PostgreSQL and real Redis, to the
app under gunicorn with two workers, while 16 clients read, vote, vote twice, retry a vote with its
idempotency key, administer, and ask for health: up to 190 requests a second in all, every limit on.

Of each fault the first line says which statuses are allowed and how slow a single request may be;
the second one which statuses were seen, with the slowest request of each kind in milliseconds.
*Healed* is the time from the end of the fault to the last answer that still showed it; 3 s are
allowed. *Stood still* is how long the machine itself kept the slowest request waiting (late
wake-ups, CPU time that others got); it is all that a request may take beyond its bound.
"""

SPEED = """
## How quick with a frozen Redis

The time in which 99 of 100 requests are answered (p99), in milliseconds, with Redis well, and
frozen for more than a second, in turns under one load; less what the machine itself stood still.

| | well | frozen | ratio |
|--|--|--|--|"""


def write_table(findings: Findings) -> None:
    """Write the document, in the order of the faults' numbers, whatever order they ran in."""
    FILE.write_text("\n".join(document(findings)) + "\n")


def document(findings: Findings) -> Iterator[str]:
    yield HEAD
    yield line("", "fault", "", *ENDPOINTS, "healed", "stood still")
    yield "|--" * (len(ENDPOINTS) + 5) + "|"
    for row in sorted(findings.rows, key=in_order):
        recording = findings.rows[row]
        requirement = recording.requirement
        required = [statuses(requirement.allowed(endpoint)) for endpoint in ENDPOINTS]
        yield line(row, requirement.title, bounds(requirement), *required, "", "")
        yield line("", "", "seen", *seen(recording), healed(recording), still(recording))
    yield SPEED
    for endpoint, (well, frozen) in sorted(findings.p99.items()):
        yield line(endpoint, f"{well * 1000:.1f}", f"{frozen * 1000:.1f}", f"{frozen / well:.2f}")


def bounds(requirement: Requirement) -> str:
    bound = f"≤ {requirement.bound * 1000:.0f}"
    return f"{bound}, then ≤ {requirement.settled * 1000:.0f}" if requirement.settled else bound


def in_order(row: str) -> tuple[int, str]:
    number = re.search(r"\d+", row)
    assert number
    return int(number[0]), row


def line(*cells: str) -> str:
    return "| " + " | ".join(cells) + " |"


def statuses(values: Collection[int]) -> str:
    return ", ".join(str(value) if value else BROKEN for value in sorted(values))


def seen(recording: Recording) -> Iterator[str]:
    """Yield per endpoint the statuses of the fault, and the slowest request until it was healed."""
    for endpoint in ENDPOINTS:
        samples = [sample for sample in recording.during() if sample.endpoint == endpoint]
        slowest = max((sample.seconds for sample in samples), default=0.0)
        answered = {s.status for s in samples if recording.shows_fault(s)}
        yield f"{statuses(answered)} · {slowest * 1000:.0f}"


def healed(recording: Recording) -> str:
    return "" if recording.requirement.permanent else f"{recording.healed():.1f} s"


def still(recording: Recording) -> str:
    slowest = max(recording.during(), key=lambda sample: sample.seconds)
    return f"{recording.standstill.between(slowest.begun, slowest.ended) * 1000:.0f} ms"

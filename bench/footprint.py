"""What a worker needs: threads for those who wait, memory after some use, time to start."""

import re
import subprocess
import sys
import time
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

from bench.holding import rounds_of
from bench.polls import JSON_BODY, TODAY, Json, results, votes
from bench.rounds import Row
from bench.stage import Product, product
from bench.wrk import load
from tests.support.served import ROOT

HOLD_SECONDS = 0.2
HOLDERS = 30
REQUESTS = 10_000
IMPORTS = 5


def holding(database_url: str, redis_url: str, rounds: int) -> list[Row]:
    """Measure how many turns it takes until all of 30 requests at once had their connection."""
    with product(database_url, redis_url, app="tests.support.holding_app:app") as held:
        taken = [
            rounds_of(held.url, f"/hold?seconds={HOLD_SECONDS}", HOLD_SECONDS, HOLDERS)
            for _ in range(rounds + 1)
        ]
    name = f"rounds of {HOLDERS} requests at once that each hold a connection {HOLD_SECONDS} s"
    cold = f"cold {taken[0]:.2f}"
    return [Row(name, taken[1:], 1.3, 1.2, lower=True, measured=cold)]


def memory(product: Product, poll: Json) -> list[Row]:
    """Measure the memory of each worker of a fresh product, and again after 10,000 requests.

    Reads and votes in turn; after it the product is warm.
    """
    workers = product.app.children()
    fresh = [resident_megabytes(worker) for worker in workers]
    mix = [TODAY, results(poll), *votes(poll)]
    answers = 0
    while answers < REQUESTS:
        answers += load(product.url, mix, 1, headers=JSON_BODY).answers
    used = [resident_megabytes(worker) for worker in workers]
    measured = f"fresh {median(fresh):.0f} MB"
    return [Row(f"MB of a worker after {REQUESTS:,} requests (RSS)", used, measured=measured)]


def resident_megabytes(process: int) -> float:
    status = Path(f"/proc/{process}/status").read_text()
    found = re.search(r"VmRSS:\s+(\d+) kB", status)
    return int(found[1]) / 1024 if found else 0.0


def starting() -> list[Row]:
    """Measure a Python that makes the app and ends, less one that does nothing."""
    made = [seconds_of("import wsgi") for _ in range(IMPORTS)]
    nothing = [seconds_of("pass") for _ in range(IMPORTS)]
    taken = [one - median(nothing) for one in made]
    return [Row("seconds to import and make the app", taken)]


def seconds_of(program: str) -> float:
    with TemporaryDirectory() as nowhere:  # a demo of its own
        start = time.monotonic()
        subprocess.run(
            [sys.executable, "-c", program], cwd=nowhere, env={"PYTHONPATH": str(ROOT)}, check=True
        )
        return time.monotonic() - start

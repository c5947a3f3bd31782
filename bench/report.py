"""The report: docs/performance.md as a run writes it."""

from collections.abc import Sequence

from bench.growth import Size, growth_table
from bench.machine import describe_machine
from bench.rounds import Pace, Row, table
from bench.stage import THREADS
from bench.wrk import CONNECTIONS
from tests.support.served import WORKERS

HOW = """\
Everything is on as it ships: limits (set so high that they refuse nothing), logs, Redis, durable
PostgreSQL (`fsync`, `synchronous_commit`, `full_page_writes`). gunicorn serves with {workers}
workers of {threads} threads, wrk asks on {connections} kept connections, and all of them, databases
included, share the machine's cores. Bare Flask and raw WSGI run under stock gunicorn with as many
workers and threads; they give the very bytes and headers of the product's answer, and parse the
same JSON of a vote. pgbench sends, from as many clients, what PostgreSQL's log says the product
sends for a vote that comes alone; of votes that come together, the product puts several into one
statement. Every vote is a new voter's and has to be answered 200; afterwards the ballots are
counted. Results are counted anew where a vote went before each read, so that nothing kept is true.

What is compared runs in turn, {rounds} rounds of {seconds} s each, every other round backwards. A
value is a ratio within one round; the table has the median of the rounds and their least and most.
The last column has the medians of what was divided."""

GROWTH = """\
## Growth

Medians of fewer and shorter rounds, on databases of their own."""

AGAIN = """\
## Again

    make bench                      # all of this, {minutes:.0f} minutes here; writes this file
    make bench ARGS=--quick         # a minute or so, noisy; only prints
    python -m bench.http URL URL    # any two servers that speak the contract

What the profiles say, and what was tried and did not help, is in
[performance-notes.md](performance-notes.md)."""


def write(rows: Sequence[Row], sizes: Sequence[Size], pace: Pace, minutes: float) -> str:
    how = HOW.format(
        workers=WORKERS,
        threads=THREADS,
        connections=CONNECTIONS,
        rounds=pace.rounds,
        seconds=pace.seconds,
    )
    machine = "\n".join(f"- {sentence}" for sentence in describe_machine())
    parts = ["# Performance", "Written by `make bench`; not by hand.", how, machine]
    if rows:
        parts += ["## The table", table(rows)]
    if sizes:
        parts += [GROWTH, growth_table(sizes)]
    return "\n\n".join([*parts, AGAIN.format(minutes=minutes)]) + "\n"

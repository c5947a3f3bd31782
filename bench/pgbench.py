"""The very SQL of a vote, sent by pgbench: what PostgreSQL itself can do, without any Python.

The statements are taken from PostgreSQL's own log while voters vote alike through the product, so
they can't drift from it. Where two votes differ is what is each voter's own (ids, hashes), and
there pgbench puts random digits.
"""

import csv
import io
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from bench.polls import Json, send, votes
from bench.stage import product, query
from bench.wrk import CONNECTIONS, Request
from tests.support.binaries import POSTGRESQL, obtain

DATABASE, MESSAGE = 2, 13  # columns of PostgreSQL's log
LOGGED = "statement: "
LOG_SECONDS = 10
LITERAL = re.compile(r"'(?:[^']|'')*'")
UNIQUE = re.compile(r"'[0-9a-f-]{32,}'")
DIGITS = 16
LEAST_SECONDS = 2  # as long as its clients may take to connect on a busy machine
RATE = re.compile(r"^tps = ([\d.]+)", re.MULTILINE)
FAILED = re.compile(r"^number of failed transactions: [1-9]", re.MULTILINE)


class StatementLog:
    """What one database is asked, by PostgreSQL's log, which is read by way of another one."""

    def __init__(self, postgres_url: str, database: str) -> None:
        self.postgres_url = postgres_url
        self.database = database

    @contextmanager
    def on(self) -> Iterator[None]:
        """Log all statements of connections that are made in the block."""
        query(self.postgres_url, f"ALTER DATABASE {self.database} SET log_statement = 'all'")
        try:
            yield
        finally:
            query(self.postgres_url, f"ALTER DATABASE {self.database} RESET log_statement")

    def read(self) -> list[str]:
        [(log,)] = query(self.postgres_url, "SELECT pg_read_file(pg_current_logfile('csvlog'))")
        return [
            row[MESSAGE].removeprefix(LOGGED)
            for row in csv.reader(io.StringIO(log))
            if row[DATABASE] == self.database and row[MESSAGE].startswith(LOGGED)
        ]

    def of_vote(self, base: str, vote: Request) -> list[str]:
        """Cast a vote; return what was asked for it."""
        seen = len(self.read())
        answer = send(base, vote)
        if answer.status != 200:
            raise RuntimeError(f"a vote was answered {answer.status}: {answer.body}")
        deadline = time.monotonic() + LOG_SECONDS
        while not any('INTO "voteBallots"' in asked for asked in self.read()[seen:]):
            if time.monotonic() > deadline:
                raise RuntimeError("PostgreSQL logged no ballot")
            time.sleep(0.05)
        time.sleep(0.2)  # a COMMIT comes after it
        return self.read()[seen:]


def scripts(postgres_url: str, database_url: str, redis_url: str, poll: Json) -> list[str]:
    """Return a pgbench script for each ballot of `votes(poll)`; a few are cast to see how."""
    log = StatementLog(postgres_url, database_url.rsplit("/", 1)[1])
    with log.on(), product(database_url, redis_url, web_concurrency=1) as logged:
        log.of_vote(logged.url, votes(poll)[0])  # after it, what is fetched once is there
        return [
            script(log.of_vote(logged.url, vote), log.of_vote(logged.url, vote))
            for vote in votes(poll)
        ]


def script(one: Sequence[str], other: Sequence[str]) -> str:
    """Make a script of what two voters' like votes asked, a fresh voter in each transaction."""
    if [LITERAL.split(asked) for asked in one] != [LITERAL.split(asked) for asked in other]:
        raise RuntimeError(f"two like votes ask differently: {one} {other}")
    names: dict[str, str] = {}
    for mine, theirs in zip(literals(one), literals(other), strict=True):
        if mine != theirs and UNIQUE.fullmatch(mine):
            names.setdefault(mine, f"own{len(names)}")
    text = ";\n".join(one) + ";\n"
    for literal, name in names.items():
        text = text.replace(literal, f"':{name}-{literal[2 + DIGITS :]}")
    drawn = f"random({10 ** (DIGITS - 1)}, {10**DIGITS - 1})"
    return "".join(f"\\set {name} {drawn}\n" for name in names.values()) + text


def literals(statements: Sequence[str]) -> list[str]:
    return [literal for asked in statements for literal in LITERAL.findall(asked)]


def run(database_url: str, scripts: Sequence[str], seconds: int) -> float:
    """Return the transactions per second of as many clients as the load tool's."""
    seconds = max(seconds, LEAST_SECONDS)
    with TemporaryDirectory() as folder:
        files = [Path(folder) / f"vote-{number}.sql" for number in range(len(scripts))]
        for file, text in zip(files, scripts, strict=True):
            file.write_text(text)
        done = subprocess.run(
            [
                *(program(), "--no-vacuum", "--protocol", "simple", "--time", str(seconds)),
                *("--client", str(CONNECTIONS), "--jobs", "1"),
                *(part for file in files for part in ("--file", file)),
                database_url,
            ],
            capture_output=True,
            text=True,
            check=False,
        )
    rate = RATE.search(done.stdout)
    if not rate or FAILED.search(done.stdout) or done.returncode:
        sys.exit(f"pgbench failed: {done.stdout}{done.stderr}")
    return float(rate[1])


def program() -> str:
    """Return pgbench, which comes with PostgreSQL; exit with a sentence if it does not."""
    found = shutil.which("pgbench", path=obtain(POSTGRESQL).folder) or shutil.which("pgbench")
    if not found:
        sys.exit("The benchmark needs pgbench: install PostgreSQL (Debian: apt-get postgresql)")
    return found

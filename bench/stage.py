"""The stage: durable PostgreSQL, Redis, the product as it ships, and what it is compared with."""

import json
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import psycopg2

from allthing.config import Settings
from bench.polls import listed, send
from bench.wrk import Request
from tests.support.api import POLL_ZONE, today
from tests.support.daemon import Command, Daemon
from tests.support.postgres import PostgresServer
from tests.support.served import ROOT, WORKERS, ServedApp, served
from tests.support.servers import postgres_server, redis_server

ADMIN_KEY = "bench-admin-key-0123456789"
THREADS = Settings.model_fields["web_threads"].default
PER_HOP = {"connection", "content-length", "date", "keep-alive", "server", "transfer-encoding"}
LIMITLESS = "100000000 per minute"

Json = dict[str, Any]
Answers = Mapping[str, tuple[list[tuple[str, str]], str]]


@contextmanager
def servers() -> Iterator[tuple[PostgresServer, str]]:
    """Start a PostgreSQL that forgets nothing, with its data on disk, and a Redis at a URL."""
    durable = {"fsync": "on", "synchronous_commit": "on", "full_page_writes": "on"}
    # The log is for bench/pgbench.py; rare checkpoints, so that none hits one side of a ratio.
    ours = {"max_connections": 200, "max_wal_size": "4GB", "logging_collector": "on"}
    with (
        postgres_server(private=True, **durable, **ours, log_destination="csvlog") as postgres,
        redis_server(private=True) as redis,
    ):
        yield postgres, redis.url


class Product:
    """The product as it ships, behind a proxy: limits on (but far away), logs on, a database."""

    def __init__(self, app: ServedApp, database_url: str) -> None:
        self.app = app
        self.url = app.url
        self.database_url = database_url

    def admin(self, method: str, path: str, body: object = None) -> Json:
        response = self.app.request(
            method, f"/admin{path}", json=body, headers={"x-admin-key": ADMIN_KEY}, timeout=120
        )
        if not response.ok:
            raise RuntimeError(f"{method} {path} was answered {response.text}")
        answer: Json = response.json()
        return answer

    def open_polls(self, *kinds: Json) -> list[Json]:
        """Open a poll per kind, whose fields are a template's; return them in the same order."""
        number = len(self.admin("GET", "/categories")["categories"])
        category = {"key": f"bench-{number}", "name": f"Bench {number}"}
        category_id = self.admin("POST", "/categories", category)["category"]["id"]
        templates = [
            self.admin("POST", "/templates", {"categoryId": category_id} | kind)["template"]["id"]
            for kind in kinds
        ]
        self.admin("POST", f"/rollover?pollDate={today()}")
        polls = {poll["templateId"]: poll for poll in listed(self.url)}
        return [polls[template] for template in templates]

    def count_ballots(self) -> int:
        return int(query(self.database_url, 'SELECT count(*) FROM "voteBallots"')[0][0])


def single(title: str, options: int = 4) -> Json:
    return kind(title, options, pollType="SINGLE")


def ranked(title: str, options: int = 6) -> Json:
    return kind(title, options, pollType="RANKED", maxRank=options)


def kind(title: str, options: int, **fields: object) -> Json:
    entries = [{"label": f"Option {n + 1} of {title}", "sortOrder": n} for n in range(options)]
    texts = {"question": f"Which one, in {title}?", "contextText": "Some *context*. " * 8}
    return {"title": title, "options": entries, "featured": True} | texts | fields


@contextmanager
def product(
    database_url: str, redis_url: str, *, app: str = "wsgi:app", **settings: object
) -> Iterator[Product]:
    """Serve the product on a database that is migrated first, if need be."""
    ours = {
        "database_url": database_url,
        "poll_timezone": POLL_ZONE.key,
        "redis_url": redis_url,
        "secret_key": "bench-secret-key-0123456789-0123456789",
        "admin_key": ADMIN_KEY,
        "trusted_proxies": 1,
        "global_rate_limit": LIMITLESS,
        "vote_rate_limit": LIMITLESS,
    }
    flask = (sys.executable, "-m", "flask", "--app", str(ROOT / "wsgi.py"))
    with TemporaryDirectory() as nowhere:  # where no .env lies
        subprocess.run(
            [*flask, "db", "upgrade", "--directory", ROOT / "migrations"],
            env={name.upper(): str(value) for name, value in ours.items()},
            cwd=nowhere,
            check=True,
            capture_output=True,
        )
    with served(app, **(ours | settings)) as running:
        yield Product(running, database_url)


def query(database_url: str, statement: str, *values: object) -> list[tuple[Any, ...]]:
    """Run a statement and commit it; return its rows."""
    with closing(psycopg2.connect(database_url)) as connection:
        connection.autocommit = True
        with connection.cursor() as cursor:
            cursor.execute(statement, values or None)
            return cursor.fetchall() if cursor.description else []


@contextmanager
def baseline(app: str, answers: Answers, *, worker: str = "gthread") -> Iterator[str]:
    """Serve `flask_app` or `raw_app` of bench.baselines under stock gunicorn; yield its URL."""
    with TemporaryDirectory() as folder:
        recorded = Path(folder) / "answers.json"
        recorded.write_text(json.dumps(answers))
        environment = {"PYTHONPATH": str(ROOT), "BENCH_ANSWERS": str(recorded)}
        daemon = Daemon(
            "allthing-baseline", crash=signal.SIGKILL, identity={}, environment=environment
        )

        def command(port: int) -> Command:
            return [
                *(sys.executable, "-m", "gunicorn", "--worker-class", worker),
                *("--workers", str(WORKERS), "--threads", str(THREADS), "--keep-alive", "5"),
                *("--worker-tmp-dir", "/dev/shm", "--no-control-socket"),
                *("--bind", f"127.0.0.1:{port}", f"bench.baselines:{app}"),
            ]

        def answers_now() -> bool:
            with suppress(OSError), socket.create_connection(("127.0.0.1", daemon.port)):
                return True
            return False

        with closing(daemon):
            daemon.launch(command, answers_now)
            yield f"http://127.0.0.1:{daemon.port}"


def record(base: str, *requests: Request) -> Answers:
    """Return what `base` answers to each request, for a baseline to repeat."""
    recorded = {}
    for each in requests:
        answer = send(base, each)
        if answer.status != 200:
            raise RuntimeError(f"{each} was answered {answer.status}: {answer.body}")
        headers = [(n, v) for n, v in answer.headers if n.lower() not in PER_HOP]
        recorded[f"{each.method} {each.path}"] = (headers, answer.body)
    return recorded

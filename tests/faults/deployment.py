"""The app under gunicorn with real servers of its own, under load, and what faults do to it."""

import functools
import json
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import asdict, dataclass, field
from typing import Any, cast

import flask_migrate
from flask import Flask
from flask.testing import FlaskClient

from allthing import create_app
from allthing.config import Settings
from tests.conftest import ADMIN_KEY, ROOT, SECRET_KEY, dispose
from tests.faults.load import Order, Sample
from tests.faults.remote import RemoteApp
from tests.faults.requirements import (
    HEAL_SECONDS,
    NOTICE_SECONDS,
    Recording,
    Requirement,
    Standstill,
    Times,
    TooSlow,
    complaints,
    slow_answers,
)
from tests.support.api import Admin, Json, Polls
from tests.support.postgres import PostgresServer
from tests.support.redis_server import RedisServer
from tests.support.served import ServedApp, served

WARM_UP_SECONDS = 0.3
AFTER_SECONDS = 0.3
FAULT_SECONDS = 1.6
SOAK_FAULT_SECONDS = 12.0

MESSAGES, MESSAGE = 30, 400  # as many complaints as a reader bears, and as long

Fault = AbstractContextManager[Any]


@dataclass
class Findings:
    """What a run found out: a recording per row; p99 in seconds with Redis well, and frozen."""

    rows: dict[str, Recording] = field(default_factory=dict)
    p99: dict[str, tuple[float, float]] = field(default_factory=dict)


@dataclass
class Deployment:
    """Servers, the app that uses them, and a way to prepare polls; `seconds` a fault lasts."""

    postgres: PostgresServer
    redis: RedisServer
    server: ServedApp
    polls: Polls
    settings: dict[str, Any]
    seconds: float
    findings: Findings
    is_soak: bool

    def endure(
        self,
        requirement: Requirement,
        fault: Fault,
        *,
        seconds: float | None = None,
        server: ServedApp | None = None,
    ) -> Recording:
        """Let a fault happen to the app under load; fail unless it does as required.

        The fault is there inside of the context `fault`. Returns what was seen.
        """
        server = server or self.server
        poll, category = self.open_poll()
        log_start = server.log_size()
        with under_load(self.order(server, poll, category)) as load:
            time.sleep(WARM_UP_SECONDS)
            began = time.monotonic()
            with fault:
                there = time.monotonic()
                time.sleep(NOTICE_SECONDS)
                noticed = server.log_size()
                time.sleep((self.seconds if seconds is None else seconds) - NOTICE_SECONDS)
                warned = server.log_size()
                lifting = time.monotonic()
            lifted = time.monotonic()
            if not requirement.permanent:
                self.is_soon_healthy(server)  # the requirement says by how much it was late
            time.sleep(AFTER_SECONDS)
        recording = Recording(
            requirement,
            load.samples,
            load.standstill,
            Times(began, there, lifting, lifted),
            warnings=warnings(server, log_start),
            warnings_during=warnings(server, noticed, warned),
        )
        self.findings.rows[requirement.row] = recording
        wrong = [*complaints(recording), *self.miscounted(poll, recording, server)]
        assert not wrong, "\n".join(one[-MESSAGE:] for one in wrong[:MESSAGES])
        if slow := list(slow_answers(recording)):
            raise TooSlow("\n".join(slow[:MESSAGES]))
        return recording

    def order(self, server: ServedApp, poll: Json, category: Json) -> Order:
        return Order(
            port=server.port,
            poll_id=poll["pollId"],
            option_id=poll["options"][0]["optionId"],
            category_id=category["id"],
            secret_key=SECRET_KEY,
            admin_key=ADMIN_KEY,
        )

    def open_poll(self) -> tuple[Json, Json]:
        """Open a poll in a category of its own, and nothing beside it."""
        for poll in self.polls.listed():
            self.polls.admin.close(poll["pollId"])
        number = len(self.polls.admin.done("GET", "/categories")["categories"])
        category = self.polls.admin.category(key=f"fault-{number}")
        poll = self.polls.open(categoryId=category["id"], title=f"Fault {number}")
        return poll, category

    def is_soon_healthy(self, server: ServedApp) -> bool:
        """Wait, for a good while, until all workers say that all is well; tell whether they do."""
        deadline = time.monotonic() + HEAL_SECONDS + AFTER_SECONDS
        in_a_row = 0
        while in_a_row < 8 and time.monotonic() < deadline:
            answer = server.get("/readyz")
            in_a_row = in_a_row + 1 if answer.json()["status"] == "healthy" else 0
            time.sleep(0.05)
        return in_a_row == 8

    def ballots(self, poll: Json, server: ServedApp) -> int:
        """Return how many votes the poll shows; while the database is away, it shows the last."""
        while (answer := server.get(f"/polls/{poll['pollId']}/results").json()).get("stale"):
            time.sleep(0.05)
        return int(answer["data"]["totalVotes"])

    def miscounted(self, poll: Json, recording: Recording, server: ServedApp) -> Iterator[str]:
        """Complain unless every acknowledged vote is one ballot, and every ballot was asked for."""
        votes = [s for s in recording.samples if s.voter]
        acknowledged = {s.voter for s in votes if s.status in {200, 409}}
        asked = {s.voter for s in votes}
        ballots = self.ballots(poll, server)
        if not len(acknowledged) <= ballots <= len(asked):
            yield f"{len(acknowledged)} acknowledged of {len(asked)} votes, but {ballots} ballots"


@contextmanager
def deploy(
    postgres: PostgresServer, redis: RedisServer, findings: Findings, *, is_soak: bool
) -> Iterator[Deployment]:
    """Serve the app on these servers, as shipped; note what happens to it in `findings`.

    A trusted proxy names each client's address, so that the limits apply, and refuse nobody.
    """
    settings = {
        "database_url": postgres.create_database("faults"),
        "redis_url": redis.url,
        "secret_key": SECRET_KEY,
        "admin_key": ADMIN_KEY,
        "trusted_proxies": 1,
    }
    seconds = SOAK_FAULT_SECONDS if is_soak else FAULT_SECONDS
    migrate(settings)
    with served("tests.faults.app:app", **settings) as server:
        server.workers()
        yield Deployment(
            postgres, redis, server, polls_of(server), settings, seconds, findings, is_soak
        )


def migrate(settings: dict[str, Any]) -> None:
    app = create_app(Settings(**settings | {"redis_url": ""}, _env_file=None))
    with app.app_context():
        flask_migrate.upgrade(directory=str(ROOT / "migrations"))
    dispose(app)


def polls_of(server: ServedApp) -> Polls:
    """Return the polls of a served app, and its admin."""
    app = RemoteApp(server)
    return Polls(cast(Flask, app), Admin(cast(FlaskClient, app.test_client()), ADMIN_KEY))


def warnings(server: ServedApp, start: int, end: int | None = None) -> list[Json]:
    """Return what the app logged between two places of its log, requests apart."""
    return [line for line in server.log(start, end) if line["level"] != "INFO"]


@dataclass
class Load:
    """What the clients saw; there when the load is over."""

    samples: list[Sample] = field(default_factory=list)
    standstill: Standstill = field(default_factory=lambda: Standstill([]))


@functools.cache
def load_process() -> "subprocess.Popen[str]":
    """Return the one of this pytest process; it ends when that has ended, in whatever way."""
    return subprocess.Popen(
        [sys.executable, "-m", "tests.faults.load"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=ROOT,
    )


@contextmanager
def under_load(order: Order) -> Iterator[Load]:
    """Keep clients busy during the block."""
    load = Load()
    process = load_process()
    assert process.stdin
    assert process.stdout
    print(json.dumps(asdict(order)), file=process.stdin, flush=True)
    try:
        assert process.stdout.readline() == "ready\n"
        yield load
    finally:
        print("stop", file=process.stdin, flush=True)
        recorded = json.loads(process.stdout.readline())
    load.samples = [Sample(**sample) for sample in recorded["samples"]]
    load.standstill = Standstill([(until, total) for until, total in recorded["standstill"]])

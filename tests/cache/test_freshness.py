"""What is kept is never old: on all workers at once, on all machines within a second."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import requests
from flask import Flask

from tests.conftest import ADMIN_KEY, ROOT
from tests.support.api import Json, Polls
from tests.support.served import WORKERS, ServedApp, served
from tests.support.servers import redis_server
from tests.support.stopwatch import until

pytestmark = pytest.mark.timing

TTL = 2
SOON_SECONDS = 1.0
HEAL_SECONDS = 3.0

Environment = dict[str, Any]


@pytest.fixture(scope="module")
def alone(settings_of_tests: Environment) -> Environment:
    """Settings of machines that can't tell each other anything."""
    return settings_of_tests | {"redis_url": "", "cache_ttl": TTL}


@pytest.fixture(scope="module")
def server(app: Flask, alone: Environment) -> Iterator[ServedApp]:
    with served(**alone | {"cache_ttl": 10}) as server:
        yield server


@contextmanager
def two_machines(settings: Environment) -> Iterator[tuple[ServedApp, ServedApp]]:
    with served(**settings) as one, served(**settings) as other:
        yield one, other


def by_worker(server: ServedApp) -> dict[int, requests.Session]:
    """Return a connection to each worker."""
    found: dict[int, requests.Session] = {}
    while len(found) < WORKERS:
        session = server.connection()
        session.get(f"{server.url}/healthz")
        found.setdefault(server.logged("request")[-1]["process"], session)
    return found


def vote(server: ServedApp, poll: Json, session: requests.Session | None = None) -> None:
    answer = server.vote(poll, session=session)
    assert answer.status_code == 200, answer.text
    if session:
        session.cookies.clear()  # the next vote is another one's


def votes(server: ServedApp, poll: Json, session: requests.Session | None = None) -> int:
    answer = (session or server.connection()).get(f"{server.url}/polls/{poll['pollId']}/results")
    assert answer.status_code == 200, answer.text
    return int(answer.json()["data"]["totalVotes"])


def wait_for_votes(server: ServedApp, poll: Json, count: int, timeout: float) -> None:
    """Wait until each worker counts so many votes."""
    for session in by_worker(server).values():
        until(lambda s=session: votes(server, poll, s) == count, timeout)


def run_command(settings: Environment, *words: str) -> None:
    """Type a command into a terminal of its own."""
    environment = {name.upper(): str(value) for name, value in settings.items()}
    subprocess.run(
        [sys.executable, "-m", "flask", "--app", "wsgi", *words],
        cwd=ROOT,
        env=os.environ | environment,
        check=True,
    )


class TestWorkers:
    def test_a_vote_at_one_shows_at_the_other_at_once(
        self, server: ServedApp, polls: Polls
    ) -> None:
        poll = polls.open()
        one, other = by_worker(server).values()

        for count in range(1, 21):
            vote(server, poll, one)
            assert [votes(server, poll, session) for session in (other, one)] == [count, count]
            one, other = other, one

    def test_a_change_by_an_admin_shows_at_both_at_once(
        self, server: ServedApp, polls: Polls
    ) -> None:
        poll = polls.open()
        key = {"x-admin-key": ADMIN_KEY}
        template = f"{server.url}/admin/templates/{poll['templateId']}"
        sessions = by_worker(server).values()

        for number, session in enumerate([*sessions, *sessions]):
            changed = session.patch(template, json={"contextText": f"as {number}"}, headers=key)
            assert changed.status_code == 200
            for reader in sessions:
                assert f"as {number}" in reader.get(f"{server.url}/polls/today").text


@pytest.mark.usefixtures("app")  # which has migrated their database
class TestMachines:
    def test_a_vote_at_one_shows_at_the_other_soon(
        self, settings_of_tests: Environment, polls: Polls
    ) -> None:
        poll = polls.open()
        with two_machines(settings_of_tests | {"cache_ttl": 10}) as (one, other):
            for count in range(1, 6):
                for session in by_worker(other).values():
                    assert votes(other, poll, session) == count - 1
                vote(one, poll)
                wait_for_votes(other, poll, count, SOON_SECONDS)

    def test_a_command_shows_soon(self, settings_of_tests: Environment, polls: Polls) -> None:
        poll = polls.open()
        with served(**settings_of_tests | {"cache_ttl": 10}) as server:
            for _ in range(2):  # what a new machine reads first, counts only for a moment
                for session in by_worker(server).values():
                    assert poll["pollId"] in session.get(f"{server.url}/polls/today").text
                time.sleep(0.5)

            run_command(settings_of_tests, "close-instance", poll["pollId"])

            until(lambda: poll["pollId"] not in server.get("/polls/today").text, SOON_SECONDS)

    def test_without_redis_it_takes_the_time_that_values_live(
        self, alone: Environment, polls: Polls
    ) -> None:
        poll = polls.open()
        with two_machines(alone) as (one, other):
            assert votes(other, poll) == 0
            vote(one, poll)
            wait_for_votes(other, poll, 1, TTL + SOON_SECONDS)

    def test_what_changes_while_redis_is_away_shows_all_the_same(
        self, settings_of_tests: Environment, polls: Polls
    ) -> None:
        poll = polls.open()
        with redis_server(private=True) as redis:
            settings = settings_of_tests | {"redis_url": redis.url, "cache_ttl": TTL}
            with two_machines(settings) as (one, other):
                for outage in (redis.freeze, redis.stop):
                    count = votes(one, poll)
                    outage()
                    assert votes(other, poll) == count
                    vote(one, poll)
                    wait_for_votes(other, poll, count + 1, TTL + SOON_SECONDS)
                    redis.thaw()
                redis.start()
                time.sleep(SOON_SECONDS)
                count = votes(other, poll)
                vote(one, poll)
                wait_for_votes(other, poll, count + 1, SOON_SECONDS)

    def test_what_changed_while_redis_was_frozen_is_told_afterwards(
        self, settings_of_tests: Environment, polls: Polls
    ) -> None:
        poll = polls.open()
        with redis_server(private=True) as redis:
            settings = settings_of_tests | {"redis_url": redis.url, "cache_ttl": 10}
            with two_machines(settings) as (one, other):
                for _ in range(2):
                    wait_for_votes(other, poll, 0, SOON_SECONDS)
                    time.sleep(0.5)
                redis.freeze()
                vote(one, poll)
                time.sleep(2)
                redis.thaw()
                wait_for_votes(other, poll, 1, HEAL_SECONDS)

"""A vote whose connection to PostgreSQL is lost: what became of it is found out, if it can be."""

from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import make_url, select, text
from werkzeug.test import TestResponse

from allthing.models import PollInstance
from tests.conftest import AppFactory
from tests.faults.relay import Relay
from tests.support.api import Json, Polls
from tests.support.queries import count_ballots, engine_of, wait_for_lock
from tests.support.stopwatch import until

pytestmark = pytest.mark.postgresql

WAITING = text("SELECT pid FROM pg_stat_activity WHERE wait_event_type = 'Lock'")


@pytest.fixture
def relay(database_url: str) -> Iterator[Relay]:
    relay = Relay(make_url(database_url).port or 5432)
    yield relay
    relay.close()


@pytest.fixture(params=[{}, {"votes_per_ip": 1_000_000}], ids=["plain", "locked"])
def far_app(
    request: pytest.FixtureRequest, make_app: AppFactory, relay: Relay, database_url: str
) -> Flask:
    """An app behind a wire that can be cut."""
    url = make_url(database_url).set(port=relay.port).render_as_string(hide_password=False)
    return make_app(database_url=url, **request.param)


def vote_later(
    pool: ThreadPoolExecutor, polls: Polls, app: Flask, poll: Json, voter: FlaskClient
) -> Future[TestResponse]:
    return pool.submit(Polls(app, polls.admin).vote, poll, "Pea", voter=voter)


def test_a_vote_that_arrived_is_answered_though_the_databases_answer_was_lost(
    polls: Polls, app: Flask, far_app: Flask, relay: Relay
) -> None:
    first, second = polls.open(), polls.open(title="Best bread")
    voter = far_app.test_client()
    assert polls.vote(first, "Pea", voter=voter).status_code == 200
    with ThreadPoolExecutor(1) as pool:
        relay.delay = 0.3
        vote = vote_later(pool, polls, far_app, second, voter)
        until(lambda: count_ballots(app) == 2, 5)
        relay.delay = 0.0
        relay.break_all()

        assert vote.result().json == {"ok": True}

    assert count_ballots(app) == 2
    assert polls.vote(second, "Pea", voter=voter).status_code == 409


def test_a_vote_whose_connection_the_server_ended_is_sent_again(
    polls: Polls, app: Flask, far_app: Flask
) -> None:
    poll = polls.open()
    held = select(PollInstance.id).where(PollInstance.id == poll["pollId"]).with_for_update()
    with ThreadPoolExecutor(1) as pool, engine_of(app).connect() as holder:
        holder.execute(held)
        vote = vote_later(pool, polls, far_app, poll, far_app.test_client())
        wait_for_lock(engine_of(app))
        with engine_of(app).begin() as killer:
            (pid,) = killer.scalars(WAITING)
            killer.execute(text("SELECT pg_terminate_backend(:pid)"), {"pid": pid})
        until(lambda: pid not in waiting(app), 5)
        wait_for_lock(engine_of(app))
        holder.rollback()

        assert vote.result().json == {"ok": True}

    assert count_ballots(app) == 1


def waiting(app: Flask) -> list[int]:
    with engine_of(app).connect() as connection:
        return list(connection.scalars(WAITING))

"""A vote under way, on PostgreSQL: stored as the app does, but not committed yet."""

from collections.abc import Iterator
from contextlib import contextmanager

from flask import Flask
from sqlalchemy import Connection, insert, select

from allthing.models import PollInstance, VoteBallot
from allthing.runtime import clock
from tests.support.api import Json
from tests.support.queries import engine_of, wait_for_lock


@contextmanager
def uncommitted_vote(app: Flask, poll: Json) -> Iterator[Connection]:
    """Cast a vote for the first option; the block commits it when it likes."""
    ballot = {
        "id": "under-way",
        "instanceId": poll["pollId"],
        "voterTokenHash": "voter",
        "ipHash": "address",
        "firstChoiceOptionId": poll["options"][0]["optionId"],
        "ranking": "0",
        "createdAt": clock.now(),
    }
    with engine_of(app).connect() as connection:
        connection.execute(insert(VoteBallot).values(ballot))
        yield connection


@contextmanager
def poll_locked(app: Flask, poll: Json) -> Iterator[Connection]:
    """Lock a poll, as whoever closes it does: ballots in it wait until the block ends."""
    with engine_of(app).connect() as connection:
        locked = select(PollInstance.id).where(PollInstance.id == poll["pollId"])
        connection.execute(locked.with_for_update())
        yield connection
        connection.commit()


def commit_when_waited_for(app: Flask, vote: Connection) -> None:
    wait_for_lock(engine_of(app))
    vote.commit()

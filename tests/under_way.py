"""A vote under way, on PostgreSQL: stored as the app does, but not committed yet."""

from collections.abc import Iterator
from contextlib import contextmanager

from flask import Flask
from sqlalchemy import Connection, insert

from allthing import clock
from allthing.models import VoteBallot
from tests.api import Json
from tests.queries import engine_of, wait_for_lock


@contextmanager
def vote_under_way(app: Flask, poll: Json) -> Iterator[Connection]:
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


def commit_when_waited_for(app: Flask, vote: Connection) -> None:
    wait_for_lock(engine_of(app))
    vote.commit()

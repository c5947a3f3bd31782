"""Submitting a ballot: stored and committed, also where the answer of the database gets lost.

Sending a ballot again is safe, whatever became of it the first time: its voter is the same, so
the database takes one of the two, and waits for the other one while that is under way. By its id
the ballot is told from an earlier one of the voter.
"""

from datetime import date

from sqlalchemy.exc import DBAPIError

from allthing.database import db
from allthing.errors import Conflict
from allthing.voting.cast import (
    Ballot,
    Voter,
    cast_ballot,
    cast_ballot_locked,
    is_stored,
    needs_locks,
)


def submit_ballot(poll_id: str, ballot: Ballot, voter: Voter, today: date) -> bool:
    """Store a ballot and commit it; return True if it is a retry of one that is stored already.

    If the connection is lost meanwhile, it is sent once more. Raises what `cast_ballot` does.
    """
    try:
        return cast_and_commit(poll_id, ballot, voter, today)
    except DBAPIError as error:
        if not error.connection_invalidated:
            raise
    try:
        return cast_and_commit(poll_id, ballot, voter, today) and not was_stored(ballot)
    except Conflict:
        if not was_stored(ballot):
            raise
        return False


def cast_and_commit(poll_id: str, ballot: Ballot, voter: Voter, today: date) -> bool:
    if needs_locks():
        with db.engine.begin() as connection:
            return cast_ballot_locked(connection, poll_id, ballot, voter, today)
    return cast_ballot(poll_id, ballot, voter, today)


def was_stored(ballot: Ballot) -> bool:
    with db.engine.connect() as connection:
        return is_stored(connection, ballot)

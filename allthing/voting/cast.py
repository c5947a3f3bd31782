"""Casting a ballot: what makes one acceptable, and why the same voter never has two.

A ballot is stored by a statement that commits by itself. The database refuses the second one of a
voter, and any in a poll that is not open; why it did is asked afterwards, of the few.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from contextlib import nullcontext, suppress
from dataclasses import dataclass, field
from datetime import date

from sqlalchemy import Connection, func, select
from sqlalchemy.exc import IntegrityError

from allthing.config import settings
from allthing.database import db, lock_until_commit, new_id
from allthing.errors import Conflict, Invalid
from allthing.models import PollInstance, VoteBallot
from allthing.runtime.clock import now
from allthing.voting import batching
from allthing.voting.pseudonyms import pseudonym, pseudonyms
from allthing.voting.rules import cached_rules, read_rules


class PollNotOpen(Conflict):
    """The poll is closed, over, or of a day to come."""

    def __init__(self) -> None:
        super().__init__("this poll is not open for votes")


class AlreadyVoted(Conflict):
    """This voter, or too many from this address, has voted in this poll."""


@dataclass(frozen=True, slots=True)
class Voter:
    """Who votes: a secret token out of the cookie, and what the request tells."""

    token: str
    address: str
    user_agent: str
    country: str | None = None
    region: str | None = None


@dataclass(frozen=True, slots=True)
class Ballot:
    """What is voted: option ids, best first; answers to the survey; a key that marks retries.

    `survey` has what was answered, by the names of the columns. `id` tells this ballot from any
    other, also if it has to be sent to the database again.
    """

    choices: Sequence[str]
    survey: Mapping[str, str | None]
    idempotency_key: str | None = None
    id: str = field(default_factory=new_id)

    def fingerprint(self) -> str:
        """Identify the content, so that a retry can be told from another vote."""
        content = json.dumps([list(self.choices), dict(self.survey)], sort_keys=True)
        return hashlib.sha256(content.encode()).hexdigest()


def cast_ballot(
    poll_id: str, ballot: Ballot, voter: Voter, today: date, within: Connection | None = None
) -> bool:
    """Store a ballot; return True if it is a retry of one that is stored already.

    It is committed, or it is for the caller to commit, if a transaction is given: lock the open
    poll in it before. Raises `NotFound`, `PollNotOpen`, `Invalid` for a ballot that the poll's
    rules refuse, and `AlreadyVoted`. Not for use where `needs_locks`.
    """
    rules = cached_rules(poll_id, within)
    with suppress(Invalid, IntegrityError):  # there may be a better reason: it is looked for below
        if rules.allow_votes_on(today):
            row = ballot_row(poll_id, ballot, voter, rules.ranking_of(ballot.choices))
            stored = bool(batching.insert(within, [row])) if within else batching.submit(row)
            if stored:
                return False
    with nullcontext(within) if within else db.engine.connect() as connection:
        if check_ballot(connection, poll_id, ballot, today):
            return True
    raise AlreadyVoted("you have voted in this poll")


def check_ballot(connection: Connection, poll_id: str, ballot: Ballot, today: date) -> bool:
    """Say whether a ballot is a retry, as `cast_ballot` would, and refuse what it would refuse.

    Nothing is stored or locked: for asking before a check that can be passed only once.
    """
    rules, status = read_rules(connection, poll_id)
    if is_retry(connection, poll_id, ballot):
        return True
    if status != "OPEN" or not rules.allow_votes_on(today):
        raise PollNotOpen
    rules.ranking_of(ballot.choices)
    return False


def ballot_row(poll_id: str, ballot: Ballot, voter: Voter, ranking: str) -> batching.Row:
    """Return the ballot as it is stored, by the names of the columns."""
    row = {
        "id": ballot.id,
        "instanceId": poll_id,
        "voterTokenHash": pseudonym(poll_id, "voter", voter.token),
        "ipHash": pseudonym(poll_id, "address", voter.address),
        "userAgentHash": pseudonym(poll_id, "agent", voter.user_agent),
        "firstChoiceOptionId": ballot.choices[0],
        "ranking": ranking,
        "createdAt": now(),
        **ballot.survey,
    }
    if voter.country is not None:
        row["countryCode"] = voter.country
    if voter.region is not None:
        row["regionCode"] = voter.region
    if ballot.idempotency_key is not None:
        row["idempotencyKeyHash"] = pseudonym(poll_id, "retry", ballot.idempotency_key)
        row["payloadHash"] = ballot.fingerprint()
    return row


def is_retry(connection: Connection, poll_id: str, ballot: Ballot) -> bool:
    """Return whether this very ballot is stored, under its id or under its idempotency key.

    Raises `Invalid` when another one is under its key: a key stands for one ballot.
    """
    if ballot.idempotency_key is None:
        return False
    stored = connection.scalar(
        select(VoteBallot.payload_hash).where(
            VoteBallot.instance_id == poll_id,
            VoteBallot.idempotency_key_hash.in_(
                pseudonyms(poll_id, "retry", ballot.idempotency_key)
            ),
        )
    )
    if stored is not None and stored != ballot.fingerprint():
        raise Invalid("idempotencyKey: was used for another ballot")
    return stored is not None


def is_stored(connection: Connection, ballot: Ballot) -> bool:
    """Return whether this ballot is stored: for when the answer of the database got lost."""
    stored = select(VoteBallot.id).where(VoteBallot.id == ballot.id)
    return connection.scalar(stored) is not None


def needs_locks() -> bool:
    """Return whether there is a rule that no unique key can hold: see `cast_ballot_locked`."""
    ours = settings()
    return ours.votes_per_ip > 0 or bool(ours.secret_key_fallbacks)


def cast_ballot_locked(
    connection: Connection, poll_id: str, ballot: Ballot, voter: Voter, today: date
) -> bool:
    """Do as `cast_ballot` in a transaction that the caller commits, and keep to two more rules.

    Nobody votes again because the secret was rotated: ballots under every configured secret are
    looked at, one voter and one key at a time, on all replicas. And `VOTES_PER_IP` is kept to.
    """
    lock_open_poll(connection, poll_id)
    voters = pseudonyms(poll_id, "voter", voter.token)
    addresses = pseudonyms(poll_id, "address", voter.address)
    names = [voters, addresses if settings().votes_per_ip else []]
    if ballot.idempotency_key is not None:
        names.append(pseudonyms(poll_id, "retry", ballot.idempotency_key))
    # The least names them on all replicas alike, whichever secret each has for its current one;
    # whoever needs several locks takes them in one order.
    for name in sorted(min(hashes) for hashes in names if hashes):
        lock_until_commit(name, connection)
    if check_ballot(connection, poll_id, ballot, today):
        return True
    refuse_known_voter(connection, poll_id, voters)
    refuse_crowded_address(connection, poll_id, addresses)
    return cast_ballot(poll_id, ballot, voter, today, within=connection)


def lock_open_poll(connection: Connection, poll_id: str) -> bool:
    """Lock a poll if it is open, and return whether it is: nobody closes it until we commit."""
    held = select(PollInstance.id).where(PollInstance.id == poll_id, PollInstance.status == "OPEN")
    return connection.scalar(held.with_for_update(read=True, key_share=True)) is not None


def refuse_known_voter(connection: Connection, poll_id: str, hashes: Sequence[str]) -> None:
    ballots = select(VoteBallot.id).where(
        VoteBallot.instance_id == poll_id, VoteBallot.voter_token_hash.in_(hashes)
    )
    if connection.scalar(ballots) is not None:
        raise AlreadyVoted("you have voted in this poll")


def refuse_crowded_address(connection: Connection, poll_id: str, hashes: Sequence[str]) -> None:
    """Keep to `VOTES_PER_IP`, counting accepted ballots."""
    if not settings().votes_per_ip:
        return
    ballots = select(func.count()).where(
        VoteBallot.instance_id == poll_id, VoteBallot.ip_hash.in_(hashes)
    )
    if (connection.scalar(ballots) or 0) >= settings().votes_per_ip:
        raise AlreadyVoted("somebody has voted in this poll from your network")

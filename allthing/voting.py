"""Casting a ballot: what makes one acceptable, and why the same voter never has two."""

import hashlib
import hmac
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date

from sqlalchemy import func, select

from allthing import cache
from allthing.clock import now
from allthing.config import settings
from allthing.counting import encode_ranking
from allthing.database import db, find, insert_or_ignore, lock_until_commit
from allthing.models import PollInstance, PollInstanceOption, VoteBallot
from allthing.problems import Conflict, Invalid
from allthing.redis_client import safe_redis_get, safe_redis_set

HINT_SECONDS = 24 * 3600
FEWEST_RANKS = 2


class PollNotOpen(Conflict):
    """The poll is closed, over, or of a day to come."""


class AlreadyVoted(Conflict):
    """This voter, or too many from this address, has voted in this poll."""


@dataclass(frozen=True)
class Voter:
    """Who votes: a secret token out of the cookie, and what the request tells."""

    token: str
    address: str
    user_agent: str
    country: str | None = None
    region: str | None = None


@dataclass(frozen=True)
class Ballot:
    """What is voted: option ids, best first; answers to the survey; a key that marks retries."""

    choices: Sequence[str]
    survey: Mapping[str, str | None]
    idempotency_key: str | None = None

    def fingerprint(self) -> str:
        """Identify the content, so that a retry can be told from another vote."""
        content = json.dumps([list(self.choices), dict(self.survey)], sort_keys=True)
        return hashlib.sha256(content.encode()).hexdigest()


def cast_ballot(instance_id: str, ballot: Ballot, voter: Voter, today: date) -> bool:
    """Store a ballot; return True if it is a retry of one that is stored already.

    Raises `NotFound`, `PollNotOpen`, `Invalid` for a ballot that the poll's rules refuse, and
    `AlreadyVoted`. The instance is locked against closing until the caller commits.
    """
    instance = find(PollInstance, instance_id, lock="share")
    if is_retry(instance_id, ballot):
        return True
    ranking = accepted_ranking(instance, ballot, today)
    voter_hash = keyed_hash(instance_id, "voter", voter.token)
    address_hash = keyed_hash(instance_id, "address", voter.address)
    refuse_known_voter(instance_id, voter_hash)
    refuse_crowded_address(instance_id, address_hash)
    statement = (
        insert_or_ignore(VoteBallot)
        .values(
            instance_id=instance_id,
            voter_token_hash=voter_hash,
            ip_hash=address_hash,
            user_agent_hash=keyed_hash(instance_id, "agent", voter.user_agent),
            idempotency_key_hash=retry_hash(instance_id, ballot),
            payload_hash=ballot.fingerprint() if ballot.idempotency_key else None,
            country_code=voter.country,
            region_code=voter.region,
            first_choice_option_id=ballot.choices[0],
            ranking=ranking,
            created_at=now(),
            **ballot.survey,
        )
        .on_conflict_do_nothing()
        .returning(VoteBallot.id)
    )
    if db.session.execute(statement).scalar() is not None:
        cache.forget_on_commit(cache.results(instance_id))
        return False
    if is_retry(instance_id, ballot):  # a twin of this request was faster
        return True
    raise AlreadyVoted("you have voted in this poll")


def check_ballot(instance_id: str, ballot: Ballot, today: date) -> bool:
    """Say whether a ballot is a retry, as `cast_ballot` would, and refuse what it would refuse.

    Nothing is stored or locked: for asking before a check that can be passed only once.
    """
    if is_retry(instance_id, ballot):
        return True
    accepted_ranking(find(PollInstance, instance_id), ballot, today)
    return False


def accepted_ranking(instance: PollInstance, ballot: Ballot, today: date) -> str:
    """Return the ballot's ranking as stored, if the poll is open and its rules allow it."""
    if instance.status != "OPEN" or not instance.poll_date <= today <= instance.close_date:
        raise PollNotOpen("this poll is not open for votes")
    return checked_ranking(instance, ballot.choices)


def checked_ranking(instance: PollInstance, choices: Sequence[str]) -> str:
    """Return the ranking as stored, or say which rule of the ballot is broken."""
    rows = select(PollInstanceOption.id, PollInstanceOption.sort_order).where(
        PollInstanceOption.instance_id == instance.id
    )
    positions: dict[str, int] = {row.id: row.sort_order for row in db.session.execute(rows)}
    if len(set(choices)) < len(choices):
        raise Invalid("rankedChoices: an option is named twice")
    if not positions.keys() >= set(choices):
        raise Invalid("rankedChoices: not an option of this poll")
    if instance.poll_type == "SINGLE" and len(choices) != 1:
        raise Invalid("rankedChoices: needs exactly 1 entry")
    if instance.poll_type == "RANKED" and len(choices) < FEWEST_RANKS:
        raise Invalid("rankedChoices: needs at least 2 entries")
    if instance.max_rank and len(choices) > instance.max_rank:
        raise Invalid(f"rankedChoices: takes at most {instance.max_rank} entries")
    return encode_ranking(positions, choices)


def is_retry(instance_id: str, ballot: Ballot) -> bool:
    """Return whether this very ballot is stored under its idempotency key.

    Raises 422 when another one is: a key stands for one ballot.
    """
    if ballot.idempotency_key is None:
        return False
    stored = db.session.scalar(
        select(VoteBallot.payload_hash).where(
            VoteBallot.instance_id == instance_id,
            VoteBallot.idempotency_key_hash == retry_hash(instance_id, ballot),
        )
    )
    if stored is not None and stored != ballot.fingerprint():
        raise Invalid("idempotencyKey: was used for another ballot")
    return stored is not None


def refuse_known_voter(instance_id: str, voter_hash: str) -> None:
    """Spare the write if a hint says that this voter has voted and the ballot is there."""
    if safe_redis_get(hint_key(voter_hash)) is None:
        return
    ballot = select(VoteBallot.id).where(
        VoteBallot.instance_id == instance_id, VoteBallot.voter_token_hash == voter_hash
    )
    if db.session.scalar(ballot) is not None:
        raise AlreadyVoted("you have voted in this poll")


def refuse_crowded_address(instance_id: str, address_hash: str) -> None:
    """Keep to `VOTES_PER_IP`, counting accepted ballots, one voter of an address at a time."""
    if not settings().votes_per_ip:
        return
    lock_until_commit(f"address:{address_hash}")
    ballots = select(func.count()).where(
        VoteBallot.instance_id == instance_id, VoteBallot.ip_hash == address_hash
    )
    if (db.session.scalar(ballots) or 0) >= settings().votes_per_ip:
        raise AlreadyVoted("somebody has voted in this poll from your network")


def leave_hint(instance_id: str, voter: Voter) -> None:
    """Note in Redis, after the commit, that this voter has voted."""
    safe_redis_set(hint_key(keyed_hash(instance_id, "voter", voter.token)), "1", HINT_SECONDS)


def hint_key(voter_hash: str) -> str:
    return f"allthing:voted:{voter_hash}"


def retry_hash(instance_id: str, ballot: Ballot) -> str | None:
    if ballot.idempotency_key is None:
        return None
    return keyed_hash(instance_id, "retry", ballot.idempotency_key)


def keyed_hash(instance_id: str, purpose: str, value: str) -> str:
    """Hash a value so that it can be neither guessed nor linked from poll to poll."""
    message = "\0".join((purpose, instance_id, value))
    return hmac.new(settings().secret_key.encode(), message.encode(), hashlib.sha256).hexdigest()

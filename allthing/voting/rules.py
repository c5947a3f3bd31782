"""The rules of a poll: what its ballots have to keep to, and how a ranking is stored."""

from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from datetime import date

from sqlalchemy import Connection, select

from allthing.database import db, is_possible_id
from allthing.errors import Invalid, NotFound
from allthing.models import PollInstance, PollInstanceOption

MIN_RANKS = 2  # of a ranked ballot
MAX_CACHED_POLLS = 1000  # whose rules a process keeps


@dataclass(frozen=True, slots=True)
class BallotRules:
    """Facts of a poll that never change; `positions` has the options' `sortOrder` by their ids."""

    poll_type: str
    max_rank: int | None
    first_day: date
    last_day: date
    positions: Mapping[str, int]

    def allow_votes_on(self, day: date) -> bool:
        return self.first_day <= day <= self.last_day

    def ranking_of(self, choices: Sequence[str]) -> str:
        """Return chosen option ids as a ranking is stored: their positions, best first (`2.0.1`).

        Raises `Invalid` for choices that break a rule.
        """
        if len(set(choices)) < len(choices):
            raise Invalid("rankedChoices: an option is named twice")
        if not self.positions.keys() >= set(choices):
            raise Invalid("rankedChoices: not an option of this poll")
        if self.poll_type == "SINGLE" and len(choices) != 1:
            raise Invalid("rankedChoices: needs exactly 1 entry")
        if self.poll_type == "RANKED" and len(choices) < MIN_RANKS:
            raise Invalid("rankedChoices: needs at least 2 entries")
        if self.max_rank and len(choices) > self.max_rank:
            raise Invalid(f"rankedChoices: takes at most {self.max_rank} entries")
        return ".".join(str(self.positions[choice]) for choice in choices)


_cached: dict[str, BallotRules] = {}


def cached_rules(poll_id: str, within: Connection | None = None) -> BallotRules:
    """Return the rules of a poll, which may be closed or gone by now; read once per process.

    They are read within a transaction, if one is given. Raises `NotFound`.
    """
    rules = _cached.get(poll_id)
    if rules is None:
        with nullcontext(within) if within else db.engine.connect() as connection:
            rules, _ = read_rules(connection, poll_id)
        if len(_cached) >= MAX_CACHED_POLLS:
            _cached.clear()
        _cached[poll_id] = rules
    return rules


def read_rules(connection: Connection, poll_id: str) -> tuple[BallotRules, str]:
    """Return a poll's rules and its status as stored now. Raises `NotFound`."""
    option = PollInstanceOption
    query = (
        select(
            PollInstance.poll_type,
            PollInstance.max_rank,
            PollInstance.poll_date,
            PollInstance.close_date,
            PollInstance.status,
            option.id,
            option.sort_order,
        )
        .outerjoin(option, option.instance_id == PollInstance.id)
        .where(PollInstance.id == poll_id)
    )
    rows = connection.execute(query).all() if is_possible_id(poll_id) else []
    if not rows:
        raise NotFound("there is no instance with this id")
    poll_type, max_rank, first_day, last_day, status = rows[0][:5]
    positions: dict[str, int] = {row[5]: row[6] for row in rows if row[5] is not None}
    return BallotRules(poll_type, max_rank, first_day, last_day, positions), status

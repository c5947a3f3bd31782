"""The ballot paper of a poll: what a ballot has to keep to, and how its ranking is written."""

from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from datetime import date

from sqlalchemy import Connection, select

from allthing.database import db, is_possible_id
from allthing.errors import Invalid, NotFound
from allthing.models import PollInstance, PollInstanceOption

FEWEST_RANKS = 2
MOST_KEPT = 1000


@dataclass(frozen=True, slots=True)
class BallotPaper:
    """Facts of a poll that never change; `places` has the options' `sortOrder` by their ids."""

    poll_type: str
    max_rank: int | None
    first_day: date
    last_day: date
    places: Mapping[str, int]

    def is_valid_on(self, day: date) -> bool:
        return self.first_day <= day <= self.last_day

    def ranking_of(self, choices: Sequence[str]) -> str:
        """Return the ranking as stored, or say which rule of the ballot is broken."""
        if len(set(choices)) < len(choices):
            raise Invalid("rankedChoices: an option is named twice")
        if not self.places.keys() >= set(choices):
            raise Invalid("rankedChoices: not an option of this poll")
        if self.poll_type == "SINGLE" and len(choices) != 1:
            raise Invalid("rankedChoices: needs exactly 1 entry")
        if self.poll_type == "RANKED" and len(choices) < FEWEST_RANKS:
            raise Invalid("rankedChoices: needs at least 2 entries")
        if self.max_rank and len(choices) > self.max_rank:
            raise Invalid(f"rankedChoices: takes at most {self.max_rank} entries")
        return ".".join(str(self.places[choice]) for choice in choices)


_kept: dict[str, BallotPaper] = {}


def kept_paper(poll_id: str, within: Connection | None = None) -> BallotPaper:
    """Return the paper of a poll, which may be closed or gone by now; read once per process.

    It is read within a transaction, if one is given. Raises `NotFound`.
    """
    paper = _kept.get(poll_id)
    if paper is None:
        with nullcontext(within) if within else db.engine.connect() as connection:
            paper, _ = read_paper(connection, poll_id)
        if len(_kept) >= MOST_KEPT:
            _kept.clear()
        _kept[poll_id] = paper
    return paper


def read_paper(connection: Connection, poll_id: str) -> tuple[BallotPaper, str]:
    """Return a poll's paper and its status as stored now, or raise `NotFound`."""
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
    places: dict[str, int] = {row[5]: row[6] for row in rows if row[5] is not None}
    return BallotPaper(poll_type, max_rank, first_day, last_day, places), status

"""Whether kept results are what the ballots say: a recount, compared with snapshot and tallies.

Everything in the result is compared but the poll's status, and with it the columns beside it.
"""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import selectinload

from allthing.database import db, find
from allthing.errors import Conflict, NotFound
from allthing.models import PollInstance, PollResultSnapshot
from allthing.results.counting import TallyCheck, check_tallies, result_of
from allthing.results.snapshots import BATCH_SIZE, is_result

UNCOMPARED = {"status"}  # fields of a result that may differ
ABSENT = object()
MAX_SHOWN_LENGTH = 60  # characters of a value


@dataclass(frozen=True)
class Recount:
    """What a recount of one poll found; `version` is that of its snapshot, None without one.

    `ballots` is how many were counted, `differences` has a sentence for each field that is off.
    """

    poll_id: str
    poll_date: date
    title: str
    version: int | None
    ballots: int
    differences: tuple[str, ...]


def recount(instance_id: str) -> Recount:
    """Count a closed poll again.

    Raises `NotFound` without poll or snapshot, `Conflict` while it is open.
    """
    instance = find(PollInstance, instance_id)
    if instance.status != "CLOSED":
        raise Conflict("this poll is still open: it has no result yet")
    (found,) = compare([instance])
    if found.version is None:
        raise NotFound("this poll has no snapshot")
    return found


def recount_closed(day: date | None = None) -> Iterator[Recount]:
    """Count all closed polls again, or those that began on a day, oldest first."""
    closed = select(PollInstance.id).where(PollInstance.status == "CLOSED")
    if day is not None:
        closed = closed.where(PollInstance.poll_date == day)
    order = PollInstance.poll_date, PollInstance.id
    ids = db.session.scalars(closed.order_by(*order)).all()
    for start in range(0, len(ids), BATCH_SIZE):
        yield from compare(
            db.session.scalars(
                select(PollInstance)
                .where(PollInstance.id.in_(ids[start : start + BATCH_SIZE]))
                .order_by(*order)
                .options(selectinload(PollInstance.options))
            ).all()
        )


def compare(instances: Sequence[PollInstance]) -> Iterator[Recount]:
    """Count closed polls again, and compare each with the result that is kept of it."""
    ids = [instance.id for instance in instances]
    results = select(PollResultSnapshot).where(PollResultSnapshot.instance_id.in_(ids), is_result())
    kept = {snapshot.instance_id: snapshot for snapshot in db.session.scalars(results)}
    for instance in instances:
        tally_check, snapshot = check_tallies(instance), kept.get(instance.id)
        counted = result_of(instance, tally_check.ballots.items())
        found = [*snapshot_differences(snapshot, counted)] if snapshot else []
        yield Recount(
            poll_id=instance.id,
            poll_date=instance.poll_date,
            title=instance.title,
            version=snapshot.version if snapshot else None,
            ballots=counted["totalBallots"],
            differences=(*found, *tally_differences(tally_check)),
        )


def tally_differences(tally_check: TallyCheck) -> Iterator[str]:
    for ranking, (tallied, ballots) in tally_check.differences.items():
        yield f"tallies.{ranking}: kept {tallied}, counted {ballots}"


def snapshot_differences(snapshot: PollResultSnapshot, counted: dict[str, Any]) -> Iterator[str]:
    """Compare a snapshot with a count: the result in it, and the columns that repeat its sums."""
    columns = {
        "totalVotes": snapshot.total_votes,
        "totalBallots": snapshot.total_ballots,
        "winnerOptionId": snapshot.winner_option_id,
    }
    yield from differences(snapshot.results, counted)
    yield from differences(columns, {name: counted[name] for name in columns}, "snapshot")


def differences(kept: Any, counted: Any, *place: str) -> Iterator[str]:
    """Say in a sentence each where two JSON values differ; `place` is how one gets there."""
    if isinstance(kept, dict) and isinstance(counted, dict):
        for name in kept | counted:
            if place or name not in UNCOMPARED:
                inner = kept.get(name, ABSENT), counted.get(name, ABSENT)
                yield from differences(*inner, *place, name)
    elif isinstance(kept, list) and isinstance(counted, list) and len(kept) == len(counted):
        for number, inner in enumerate(zip(kept, counted, strict=True)):
            yield from differences(*inner, *place, str(number))
    elif kept != counted:
        yield f"{'.'.join(place) or 'result'}: kept {shown(kept)}, counted {shown(counted)}"


def shown(value: object) -> str:
    if value is ABSENT:
        return "nothing"
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= MAX_SHOWN_LENGTH else f"{text[:MAX_SHOWN_LENGTH]}…"

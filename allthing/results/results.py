"""The result of a poll: its frozen snapshot once it is closed, else its tallies as they stand."""

from typing import Any

from sqlalchemy import bindparam, inspect, select, true

from allthing.database import Id, Model, db, find
from allthing.models import PollInstance, PollResultSnapshot
from allthing.results.counting import read_tallies, result_of, tallies_of
from allthing.results.snapshots import is_result

MOST_KEPT = 1000
# Put together once: that takes longer than to run it.
POLL_ID = bindparam("poll_id", type_=Id)
TALLIES = tallies_of(POLL_ID)
STANDING = (
    select(PollInstance.status, TALLIES)
    .join(TALLIES, true())  # one row, always
    .where(PollInstance.id == POLL_ID)
)

# Nothing of a poll changes that its result tells, but for its status. They are in no session.
_kept: dict[str, PollInstance] = {}


def results_of(instance_id: str) -> tuple[dict[str, Any], bool]:
    """Return the result and whether it is frozen. Raises 404 for an unknown poll."""
    poll = _kept.get(instance_id) or keep(find(PollInstance, instance_id))
    stands = db.session.execute(STANDING, {"poll_id": poll.id}).one_or_none()
    if stands is None:  # it is deleted
        _kept.pop(instance_id, None)
        return results_of(instance_id)
    status, *tallies = stands
    if status == "CLOSED":
        frozen = db.session.scalar(
            select(PollResultSnapshot.results).where(
                PollResultSnapshot.instance_id == poll.id, is_result()
            )
        )
        if frozen is not None:
            return frozen, True
    return result_of(poll, read_tallies(*tallies)) | {"status": status}, False


def keep(stored: PollInstance) -> PollInstance:
    poll = detached(stored)
    poll.options = [detached(option) for option in stored.options]
    if len(_kept) >= MOST_KEPT:
        _kept.clear()
    _kept[poll.id] = poll
    return poll


def detached(entity: Model) -> Model:
    columns = inspect(type(entity)).column_attrs
    return type(entity)(**{column.key: getattr(entity, column.key) for column in columns})

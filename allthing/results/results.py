"""The result of a poll: its snapshot once it is closed, else what its tallies say now."""

from typing import Any

from sqlalchemy import bindparam, inspect, select, true

from allthing.database import Id, Model, db, find
from allthing.models import PollInstance, PollResultSnapshot
from allthing.results.counting import read_tallies, result_of, tallies_of
from allthing.results.snapshots import is_result

MAX_CACHED_POLLS = 1000  # in a process
# Put together once: that takes longer than to run it.
POLL_ID = bindparam("poll_id", type_=Id)
TALLIES = tallies_of(POLL_ID)
CURRENT_STATE = (
    select(PollInstance.status, TALLIES)
    .join(TALLIES, true())  # one row, always
    .where(PollInstance.id == POLL_ID)
)

# Nothing of a poll changes that its result tells, but for its status. They are in no session.
_cached: dict[str, PollInstance] = {}


def results_of(instance_id: str) -> tuple[dict[str, Any], bool]:
    """Return the result and whether it is frozen. Raises `NotFound`."""
    poll = _cached.get(instance_id) or cache_poll(find(PollInstance, instance_id))
    state = db.session.execute(CURRENT_STATE, {"poll_id": poll.id}).one_or_none()
    if state is None:  # it is deleted
        _cached.pop(instance_id, None)
        return results_of(instance_id)
    status, *tallies = state
    if status == "CLOSED":
        frozen = db.session.scalar(
            select(PollResultSnapshot.results).where(
                PollResultSnapshot.instance_id == poll.id, is_result()
            )
        )
        if frozen is not None:
            return frozen, True
    return result_of(poll, read_tallies(*tallies)) | {"status": status}, False


def cache_poll(stored: PollInstance) -> PollInstance:
    poll = detached(stored)
    poll.options = [detached(option) for option in stored.options]
    if len(_cached) >= MAX_CACHED_POLLS:
        _cached.clear()
    _cached[poll.id] = poll
    return poll


def detached(entity: Model) -> Model:
    columns = inspect(type(entity)).column_attrs
    return type(entity)(**{column.key: getattr(entity, column.key) for column in columns})

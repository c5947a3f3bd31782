"""The result of a poll: its frozen snapshot once it is closed, else the ballots as they stand."""

from typing import Any

from sqlalchemy import select

from allthing.counting import count_ballots
from allthing.database import db, find
from allthing.models import PollInstance, PollResultSnapshot
from allthing.snapshots import is_result


def results_of(instance_id: str) -> tuple[dict[str, Any], bool]:
    """Return the result and whether it is frozen. Raises 404 for an unknown poll."""
    instance = find(PollInstance, instance_id)
    if instance.status == "CLOSED":
        frozen = db.session.scalar(
            select(PollResultSnapshot.results).where(
                PollResultSnapshot.instance_id == instance.id, is_result()
            )
        )
        if frozen is not None:
            return frozen, True
    return count_ballots(instance), False

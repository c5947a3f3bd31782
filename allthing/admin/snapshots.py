"""Snapshots: the kept results of polls, taken anew, and shown as they are."""

from datetime import datetime
from typing import Any

from flask import Blueprint
from flask.typing import ResponseReturnValue
from pydantic import Field

from allthing import snapshots
from allthing.admin.audit import audited, describe
from allthing.admin.auth import acting_admin
from allthing.admin.schemas import Out, to_json
from allthing.database import find
from allthing.models import PollInstance
from allthing.snapshots import Taken

bp = Blueprint("snapshots", __name__)


class SnapshotOut(Out):
    id: str
    instance_id: str
    version: int
    reason: str
    actor: str | None
    total_votes: int | None
    total_ballots: int | None
    winner_option_id: str | None
    results: dict[str, Any] = Field(serialization_alias="resultsJson")
    created_at: datetime


@bp.post("/snapshots/create-missing")
@audited("snapshots_created", "snapshot")
def create_missing() -> ResponseReturnValue:
    taken = snapshots.create_missing(acting_admin())
    return answer_run(taken, {"createdCount": taken.added, "totalMissing": taken.polls})


@bp.post("/snapshots/regenerate")
@audited("snapshots_regenerated", "snapshot")
def regenerate() -> ResponseReturnValue:
    taken = snapshots.regenerate(acting_admin())
    counts = {"regeneratedCount": taken.counted, "totalClosed": taken.polls}
    return answer_run(taken, counts | {"changedCount": taken.added})


@bp.post("/snapshots/create-for-active")
@audited("snapshots_created_for_active", "snapshot")
def create_for_active() -> ResponseReturnValue:
    taken = snapshots.create_for_active(acting_admin())
    return answer_run(taken, {"createdCount": taken.added, "totalActive": taken.polls})


def answer_run(taken: Taken, counts: dict[str, int]) -> dict[str, Any]:
    """Answer with the counts and what they mean; the page shows the sentence if nothing was new."""
    describe(details=counts)
    message = (
        f"polls: {taken.polls}; new snapshots: {taken.added}; "
        f"unchanged since the last: {taken.counted - taken.added}; "
        f"with too few ballots: {taken.polls - taken.counted}"
    )
    return {"ok": True} | counts | {"message": message}


@bp.post("/instances/<instance_id>/snapshot")
@audited("instance_snapshot_created", "snapshot")
def take_snapshot(instance_id: str) -> ResponseReturnValue:
    snapshot = snapshots.take_snapshot(instance_id, acting_admin())
    described = {"instanceId": instance_id, "version": snapshot.version, "reason": snapshot.reason}
    describe(snapshot.id, details=described)
    return {
        "ok": True,
        "instanceId": instance_id,
        "snapshotId": snapshot.id,
        "snapshot": to_json(SnapshotOut, snapshot),
    }


@bp.get("/instances/<instance_id>/snapshot")
def show_snapshot(instance_id: str) -> ResponseReturnValue:
    snapshot = snapshots.newest_snapshot(find(PollInstance, instance_id))
    return {"ok": True, "snapshot": to_json(SnapshotOut, snapshot)}

"""Snapshots: the kept results of polls, taken anew, and shown as they are."""

from datetime import datetime
from http import HTTPStatus
from typing import Any, Self

from flask import Blueprint
from pydantic import Field

from allthing.admin.audit import audited
from allthing.admin.auth import acting_admin
from allthing.database import find
from allthing.models import PollInstance
from allthing.results import snapshots
from allthing.results.snapshots import SnapshotRun
from allthing.web.typed_views import Out, typed_view

bp = Blueprint("snapshots", __name__)


class SnapshotRow(Out):
    """A snapshot without its result, for lists."""

    id: str
    instance_id: str
    version: int
    reason: str
    actor: str | None
    total_votes: int | None
    total_ballots: int | None
    winner_option_id: str | None
    created_at: datetime


class SnapshotOut(SnapshotRow):
    results: dict[str, Any] = Field(serialization_alias="resultsJson")


class RunAnswer(Out):
    """What a run over many polls did; the page shows the sentence if nothing was new."""

    ok: bool = True
    message: str


class MissingAnswer(RunAnswer):
    created_count: int
    total_missing: int

    @classmethod
    def of(cls, run: SnapshotRun) -> Self:
        return cls(message=run.summary, created_count=run.added, total_missing=run.polls)


class RegeneratedAnswer(RunAnswer):
    regenerated_count: int
    total_closed: int
    changed_count: int

    @classmethod
    def of(cls, run: SnapshotRun) -> Self:
        return cls(
            message=run.summary,
            regenerated_count=run.counted,
            total_closed=run.polls,
            changed_count=run.added,
        )


class ActiveAnswer(RunAnswer):
    created_count: int
    total_active: int

    @classmethod
    def of(cls, run: SnapshotRun) -> Self:
        return cls(message=run.summary, created_count=run.added, total_active=run.polls)


class SnapshotAnswer(Out):
    ok: bool = True
    snapshot: SnapshotOut


class TakenSnapshotAnswer(SnapshotAnswer):
    instance_id: str
    snapshot_id: str


@bp.post("/snapshots/create-missing")
@audited("snapshots_created", "snapshot")
@typed_view()
def create_missing() -> MissingAnswer:
    """Take the snapshot of each closed poll that has none."""
    return MissingAnswer.of(snapshots.create_missing(acting_admin()))


@bp.post("/snapshots/regenerate")
@audited("snapshots_regenerated", "snapshot")
@typed_view()
def regenerate() -> RegeneratedAnswer:
    """Count all closed polls again; where the result differs, it becomes a new version."""
    return RegeneratedAnswer.of(snapshots.regenerate(acting_admin()))


@bp.post("/snapshots/create-for-active")
@audited("snapshots_created_for_active", "snapshot")
@typed_view()
def create_for_active() -> ActiveAnswer:
    """Take an interim snapshot of each open poll."""
    return ActiveAnswer.of(snapshots.create_for_active(acting_admin()))


@bp.post("/instances/<instance_id>/snapshot")
@audited("instance_snapshot_created", "snapshot")
@typed_view(HTTPStatus.CONFLICT)
def take_snapshot(instance_id: str) -> TakenSnapshotAnswer:
    """Take a snapshot of one poll, open or closed."""
    snapshot = snapshots.take_snapshot(instance_id, acting_admin())
    return TakenSnapshotAnswer(instance_id=instance_id, snapshot_id=snapshot.id, snapshot=snapshot)


@bp.get("/instances/<instance_id>/snapshot")
@typed_view()
def show_snapshot(instance_id: str) -> SnapshotAnswer:
    """Show the newest snapshot of a poll."""
    return SnapshotAnswer(snapshot=snapshots.newest_snapshot(find(PollInstance, instance_id)))

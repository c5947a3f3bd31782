"""Snapshots as tests take them, look them up and lose them."""

from flask import Flask
from sqlalchemy import delete, select

from allthing.database import db
from allthing.models import PollResultSnapshot, VoteBallot
from tests.support.api import Admin, Json, Polls


def closed(polls: Polls, **fields: object) -> Json:
    """Return a closed poll in which two voters prefer Pea, to Leek if `fields` let them rank."""
    ballot = ("Pea", "Leek") if "pollType" in fields else ("Pea",)
    return polls.closed(ballot, ballot, **fields)


def take(admin: Admin, poll: Json) -> Json:
    return admin.done("POST", f"/instances/{poll['pollId']}/snapshot")["snapshot"]


def shown(admin: Admin, poll: Json) -> Json:
    answer = admin.done("GET", f"/instances/{poll['pollId']}/snapshot")
    assert answer["ok"] is True
    return answer["snapshot"]


def versions(app: Flask, poll: Json) -> list[tuple[int, str, str | None]]:
    """Return version, reason and actor of all snapshots of a poll."""
    with app.app_context():
        rows = db.session.execute(
            select(PollResultSnapshot.version, PollResultSnapshot.reason, PollResultSnapshot.actor)
            .where(PollResultSnapshot.instance_id == poll["pollId"])
            .order_by(PollResultSnapshot.version)
        )
        return [tuple(row) for row in rows]


def lose_ballots(app: Flask, poll: Json) -> None:
    """Take a poll's ballots away behind the app's back, as a repair of the data may."""
    with app.app_context():
        db.session.execute(delete(VoteBallot).where(VoteBallot.instance_id == poll["pollId"]))
        db.session.commit()


def lose_snapshots(app: Flask) -> None:
    with app.app_context():
        db.session.execute(delete(PollResultSnapshot))
        db.session.commit()

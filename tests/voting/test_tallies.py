"""Tallies: exact at any moment, whoever adds or deletes ballots; what a closing does with them."""

from datetime import timedelta

import pytest
import time_machine
from flask import Flask
from flask.testing import FlaskCliRunner
from sqlalchemy import delete, func, select, text, update
from sqlalchemy.exc import IntegrityError

from allthing.database import db
from allthing.models import PollInstance, VoteBallot, VoteTally
from allthing.runtime import clock
from tests.support.api import Admin, Json, Polls
from tests.support.queries import engine_of, statements, tallied
from tests.support.snapshots import take

RANKED = {"pollType": "RANKED", "options": ("Leek", "Pea", "Corn", "Beet")}
COUNTED = text(
    'SELECT "instanceId", ranking, count(*) FROM "voteBallots" GROUP BY 1, 2 ORDER BY 1, 2'
)


def tallies(app: Flask) -> list[tuple[str, str, int]]:
    """Return what is tallied, which has to be what is counted."""
    with engine_of(app).connect() as connection:
        kept = tallied(connection)
        assert kept == [tuple(row) for row in connection.execute(COUNTED)]
    return kept


def ballot(poll: Json, number: int, ranking: str = "0") -> Json:
    return {
        "id": f"ballot-{number}",
        "instance_id": poll["pollId"],
        "voter_token_hash": f"voter-{number}",
        "ip_hash": "address",
        "ranking": ranking,
    }


def spoil(app: Flask, poll: Json) -> None:
    """Falsify one tally of a poll, and make up another, as a repair of the data may."""
    with app.app_context():
        of_poll = VoteTally.instance_id == poll["pollId"]
        db.session.execute(update(VoteTally).where(of_poll).values(votes=VoteTally.votes + 5))
        db.session.add(VoteTally(instance_id=poll["pollId"], ranking="3.2", shard=0, votes=7))
        db.session.commit()


class TestKeeping:
    def test_votes_of_all_kinds_are_tallied(self, polls: Polls, app: Flask) -> None:
        single, ranked = polls.open(), polls.open(title="Best bread", **RANKED)
        for labels in (["Pea"], ["Pea"], ["Leek"]):
            polls.vote(single, *labels)
        for labels in (["Pea", "Leek"], ["Leek", "Pea"], ["Pea", "Leek"], ["Corn", "Pea", "Leek"]):
            polls.vote(ranked, *labels)

        assert sorted(votes for _, _, votes in tallies(app)) == [1, 1, 1, 2, 2]

    def test_refused_ballots_and_those_rolled_back_are_not(self, polls: Polls, app: Flask) -> None:
        poll = polls.open()
        client = app.test_client()
        polls.vote(poll, "Pea", voter=client)
        polls.vote(poll, "Pea", voter=client)
        polls.vote(poll, "Pea", "Leek")
        with app.app_context():
            db.session.add(VoteBallot(**ballot(poll, 1)))
            db.session.flush()
            db.session.rollback()

        assert [votes for _, _, votes in tallies(app)] == [1]

    def test_many_ballots_of_one_statement_are(self, polls: Polls, app: Flask) -> None:
        first, second = polls.open(), polls.open(title="Best bread", **RANKED)
        rows = [ballot(first, n, str(n % 2)) for n in range(100)]
        rows += [ballot(second, n, "0.1.2" if n % 3 else "1.0") for n in range(100, 150)]
        with app.app_context():
            db.session.execute(db.insert(VoteBallot).values(rows))
            db.session.commit()

        assert sorted(votes for _, _, votes in tallies(app)) == [16, 34, 50, 50]

    def test_deleted_ballots_are_not_any_more(self, polls: Polls, app: Flask) -> None:
        poll, other = polls.open(**RANKED), polls.open(title="Best bread")
        with app.app_context():
            rows = [ballot(poll, n, "0.1" if n % 2 else "1.0.2") for n in range(10)]
            db.session.execute(db.insert(VoteBallot).values(rows))
            db.session.commit()
            db.session.execute(delete(VoteBallot).where(VoteBallot.id == "ballot-1"))
            db.session.execute(delete(VoteBallot).where(VoteBallot.ranking == "1.0.2"))
            db.session.commit()
        polls.vote(other, "Pea")

        assert [votes for poll_id, _, votes in tallies(app) if poll_id == poll["pollId"]] == [4]
        assert polls.results(poll)["totalBallots"] == 4

    def test_a_deleted_template_takes_its_tallies_along(
        self, polls: Polls, admin: Admin, app: Flask
    ) -> None:
        gone, stays = polls.open(), polls.open(title="Best bread")
        for poll in (gone, stays):
            polls.vote(poll, "Pea")

        admin.done("DELETE", f"/templates/{gone['templateId']}?force=true")

        assert [poll_id for poll_id, _, _ in tallies(app)] == [stays["pollId"]]

    def test_an_instance_deleted_by_hand_takes_its_tallies_along(
        self, polls: Polls, app: Flask
    ) -> None:
        poll = polls.open()
        with app.app_context():
            db.session.add(VoteBallot(**ballot(poll, 1)))
            db.session.commit()
            db.session.execute(delete(PollInstance))
            db.session.commit()
            assert db.session.scalar(select(func.count()).select_from(VoteTally)) == 0

    @pytest.mark.parametrize("poll_id", [None, "no-such-poll"])
    def test_the_database_lets_no_ballot_into_a_poll_that_is_not_open(
        self, polls: Polls, admin: Admin, app: Flask, poll_id: str | None
    ) -> None:
        poll = polls.open()
        admin.close(poll["pollId"])
        with app.app_context():
            late = ballot(poll, 1) | ({"instance_id": poll_id} if poll_id else {})
            db.session.add(VoteBallot(**late))
            with pytest.raises(IntegrityError, match="its poll is not open"):
                db.session.flush()


class TestReading:
    @pytest.mark.parametrize("fields", [{}, RANKED], ids=["single", "ranked"])
    def test_results_of_an_open_poll_ask_for_its_tallies_once_and_for_no_ballot(
        self, polls: Polls, app: Flask, fields: Json
    ) -> None:
        poll = polls.open(**fields)
        for _ in range(3):
            polls.vote(poll, *(["Pea", "Leek"] if fields else ["Pea"]))

        with statements(engine_of(app)) as sent:
            assert polls.results(poll)["totalBallots"] == 3

        asked = [sql for sql, _ in sent]
        assert sum('"voteTallies"' in sql for sql in asked) == 1
        assert not any('"voteBallots"' in sql for sql in asked)

    def test_a_ballot_that_does_not_stand_leaves_no_trace(self, polls: Polls, app: Flask) -> None:
        poll = polls.open(**RANKED)
        polls.vote(poll, "Pea", "Leek")
        before = polls.results(poll)
        polls.vote(poll, "Leek", "Pea", "Corn", "Beet")
        with app.app_context():
            db.session.execute(delete(VoteBallot).where(VoteBallot.ranking == "0.1.2.3"))
            db.session.commit()
        polls.vote(poll, "Pea", "Leek")  # lets the cached result be forgotten

        after = polls.results(poll)

        assert after["rankBreakdown"].keys() == before["rankBreakdown"].keys()
        assert (after["totalBallots"], len(after["rounds"])) == (2, len(before["rounds"]))


class TestClosing:
    def close_by_admin(self, admin: Admin, poll: Json, _app: Flask) -> None:
        admin.close(poll["pollId"])

    def close_by_reader(self, _admin: Admin, _poll: Json, app: Flask) -> None:
        with time_machine.travel(clock.now() + timedelta(days=1)):
            assert app.test_client().get("/polls/today").status_code == 200

    @pytest.mark.parametrize("close", [close_by_admin, close_by_reader])
    def test_it_corrects_tallies_and_says_so(
        self,
        polls: Polls,
        admin: Admin,
        app: Flask,
        caplog: pytest.LogCaptureFixture,
        close: object,
    ) -> None:
        poll = polls.open(**RANKED)
        for _ in range(3):
            polls.vote(poll, "Pea", "Leek")
        spoil(app, poll)

        close(self, admin, poll, app)

        assert polls.results(poll)["totalBallots"] == 3
        assert [votes for _, _, votes in tallies(app)] == [3]
        (row,) = admin.audit(action="tallies_corrected")
        assert (row["entityType"], row["entityId"]) == ("instance", poll["pollId"])
        assert row["changes"] == {
            "before": {"1.0": 8, "3.2": 7},
            "after": {"1.0": 3, "3.2": 0},
        }
        assert row["metadata"]["via"] == "system"
        assert row["success"] is True
        assert [r.poll for r in caplog.records if r.message == "tallies corrected"] == [
            poll["pollId"]
        ]

    def test_it_says_nothing_where_they_are_right(self, polls: Polls, admin: Admin) -> None:
        poll = polls.open(**RANKED)
        polls.vote(poll, "Pea", "Leek")

        admin.close(poll["pollId"])

        assert admin.audit(action="tallies_corrected") == []

    def test_an_interim_snapshot_counts_ballots_and_leaves_the_tallies_to_the_closing(
        self, polls: Polls, admin: Admin, app: Flask
    ) -> None:
        poll = polls.open(**RANKED)
        polls.vote(poll, "Pea", "Leek")
        spoil(app, poll)

        taken = take(admin, poll)

        assert taken["totalBallots"] == 1
        assert admin.audit(action="tallies_corrected") == []

    def test_verification_finds_tallies_that_are_off(
        self, polls: Polls, admin: Admin, app: Flask, runner: FlaskCliRunner
    ) -> None:
        poll = polls.open(**RANKED)
        polls.vote(poll, "Pea", "Leek")
        admin.close(poll["pollId"])
        assert runner.invoke(args=["verify-results", "--all"]).exit_code == 0
        spoil(app, poll)

        verified = runner.invoke(args=["verify-results", "--all"])
        recounted = runner.invoke(args=["recount", poll["pollId"]])

        assert (verified.exit_code, recounted.exit_code) == (1, 1)
        assert "tallies.1.0: kept 6, counted 1\n" in recounted.output
        assert "tallies.3.2: kept 7, counted 0\n" in recounted.output

        admin.done("POST", "/snapshots/regenerate")
        assert runner.invoke(args=["verify-results", "--all"]).exit_code == 0

"""Ballots that travel together: each voter gets an own answer, as if alone."""

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import Connection, exc, text, update

from allthing.database import new_id
from allthing.models import PollInstance
from allthing.runtime import clock
from allthing.voting import batching
from allthing.voting.batching import submit
from tests.conftest import AppFactory
from tests.support.api import Json, Polls
from tests.support.queries import count_ballots, engine_of, wait_for_lock
from tests.support.uncommitted_votes import poll_locked

pytestmark = pytest.mark.postgresql

Work = Callable[[], Any]

TRANSACTIONS = text('SELECT count(DISTINCT xmin::text) FROM "voteBallots"')
WAITING = text("SELECT pid FROM pg_stat_activity WHERE wait_event_type = 'Lock'")


def together(
    app: Flask, poll: Json, works: list[Work], meanwhile: Callable[[Connection], Any]
) -> list[Any]:
    """Let the first go and be held up; the others come meanwhile. Return what each one gave.

    What is raised is given, too.
    """
    first, *others = works
    with ThreadPoolExecutor(len(works)) as pool:
        with poll_locked(app, poll) as holder:
            running = [pool.submit(first)]
            wait_for_lock(engine_of(app))
            running += [pool.submit(work) for work in others]
            wait_for_companions(len(others))
            meanwhile(holder)
        return [task.exception() or task.result() for task in running]


def wait_for_companions(number: int) -> None:
    deadline = time.monotonic() + 5
    while not any(len(batch.rows) == number for batch in list(batching._open_batches.values())):
        assert time.monotonic() < deadline
        time.sleep(0.01)


def nothing(_holder: Connection) -> None:
    pass


def votes(polls: Polls, poll: Json, number: int) -> list[Work]:
    return [partial(polls.vote, poll, "Pea") for _ in range(number)]


def test_votes_that_come_while_one_is_under_way_go_together(app: Flask, polls: Polls) -> None:
    poll = polls.open()
    answers = together(app, poll, votes(polls, poll, 7), nothing)
    assert [answer.json for answer in answers] == [{"ok": True}] * 7
    assert polls.results(poll)["totalVotes"] == 7
    with engine_of(app).connect() as connection:
        assert connection.scalar(TRANSACTIONS) == 2


def test_a_voter_who_is_in_a_batch_twice_has_one_ballot(app: Flask, polls: Polls) -> None:
    poll, other = polls.open(), polls.open(title="Best bread")
    voter = app.test_client()
    assert polls.vote(other, "Pea", voter=voter).status_code == 200
    (cookie,) = [cookie.value for cookie in [voter.get_cookie("vt")] if cookie]

    def vote() -> int:
        twin = app.test_client()
        twin.set_cookie("vt", cookie)
        return polls.vote(poll, "Pea", voter=twin).status_code

    answers = together(app, poll, [*votes(polls, poll, 1), vote, vote, vote], nothing)
    assert sorted(answers[1:]) == [200, 409, 409]
    assert polls.results(poll)["totalVotes"] == 2


def test_a_vote_that_is_in_a_batch_twice_is_answered_twice(app: Flask, polls: Polls) -> None:
    poll = polls.open()
    choice = {"rankedChoices": [poll["options"][0]["optionId"]], "idempotencyKey": "k" * 20}

    def vote(**changes: str) -> Any:
        path = f"/polls/{poll['pollId']}/vote"
        return app.test_client().post(path, json=choice | changes).json

    first = partial(vote, idempotencyKey="another-key-for-another-vote")
    answers = together(app, poll, [first, vote, vote], nothing)
    assert sorted(answers[1:], key=len) == [{"ok": True}, {"ok": True, "deduped": True}]
    assert polls.results(poll)["totalVotes"] == 2


def test_a_poll_that_closes_meanwhile_refuses_all(app: Flask, polls: Polls) -> None:
    poll = polls.open()
    close = update(PollInstance).values(status="CLOSED")
    answers = together(app, poll, votes(polls, poll, 5), lambda holder: holder.execute(close))
    assert {answer.status_code for answer in answers} == {409}
    assert count_ballots(app) == 0


def test_votes_whose_connection_is_lost_are_all_sent_again(app: Flask, polls: Polls) -> None:
    poll = polls.open()

    def end(_holder: Connection) -> None:
        with engine_of(app).begin() as killer:
            (pid,) = killer.scalars(WAITING)
            killer.execute(text("SELECT pg_terminate_backend(:pid)"), {"pid": pid})

    answers = together(app, poll, votes(polls, poll, 5), end)
    assert [answer.json for answer in answers] == [{"ok": True}] * 5
    assert polls.results(poll)["totalVotes"] == 5


def test_one_ballot_that_is_refused_spoils_no_other(app: Flask, polls: Polls) -> None:
    poll = polls.open()

    def ballot(option: str) -> bool:
        with app.app_context():
            return submit(
                {
                    "id": new_id(),
                    "instanceId": poll["pollId"],
                    "voterTokenHash": new_id(),
                    "ipHash": "address",
                    "firstChoiceOptionId": option,
                    "ranking": "0",
                    "createdAt": clock.now(),
                }
            )

    good, bad = partial(ballot, poll["options"][0]["optionId"]), partial(ballot, "of no poll")
    first, *stored, refused = together(app, poll, [good, good, good, bad], nothing)
    assert [first, *stored] == [True, True, True]
    assert isinstance(refused, exc.IntegrityError)
    assert polls.results(poll)["totalVotes"] == 3


def test_nobody_waits_beyond_the_deadline_for_others(polls: Polls, make_app: AppFactory) -> None:
    poll = polls.open()
    app = make_app(db_request_timeout=0.5)
    hasty = Polls(app, polls.admin)
    with ThreadPoolExecutor(4) as pool, poll_locked(app, poll):
        first = pool.submit(hasty.vote, poll, "Pea")
        wait_for_lock(engine_of(app))
        others = [pool.submit(hasty.vote, poll, "Pea") for _ in range(3)]
        assert {other.result(timeout=2).status_code for other in others} == {503}
        assert not first.done()
    assert first.result().status_code == 200
    assert hasty.vote(poll, "Pea").status_code == 200


def test_polls_do_not_wait_for_each_other(app: Flask, polls: Polls) -> None:
    poll, other = polls.open(), polls.open(title="Best bread")

    def vote(_holder: Connection) -> None:
        assert polls.vote(other, "Pea").status_code == 200

    answers = together(app, poll, votes(polls, poll, 3), vote)
    assert {answer.status_code for answer in answers} == {200}

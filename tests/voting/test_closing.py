"""Closing under fire: every vote that was answered with 200 is in the result, and no later one."""

import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from flask import Flask
from flask.testing import FlaskCliRunner
from sqlalchemy import update

from allthing.models import PollInstance
from tests.conftest import AppFactory
from tests.support.api import Admin, Json, Polls
from tests.support.queries import count_ballots, engine_of, wait_for_lock
from tests.support.uncommitted_votes import commit_when_waited_for, poll_locked, uncommitted_vote

pytestmark = pytest.mark.postgresql

RANKED = {"pollType": "RANKED", "options": ("Leek", "Pea", "Corn")}
VOTERS = 12


@pytest.mark.parametrize("settings", [{}, {"votes_per_ip": 1_000_000}], ids=["plain", "locked"])
def test_a_vote_that_comes_while_a_poll_is_being_closed_waits_and_is_refused(
    polls: Polls, app: Flask, make_app: AppFactory, settings: Json
) -> None:
    poll = polls.open()
    voting = Polls(make_app(**settings), polls.admin)
    with ThreadPoolExecutor(1) as pool:
        with poll_locked(app, poll) as closing:
            vote = pool.submit(voting.vote, poll, "Pea")
            wait_for_lock(engine_of(app))
            closing.execute(update(PollInstance).values(status="CLOSED"))
        answer = vote.result()

    assert answer.status_code == 409
    assert answer.json["detail"] == "this poll is not open for votes"
    assert count_ballots(app) == 0


def test_closing_waits_for_a_vote_under_way(polls: Polls, admin: Admin, app: Flask) -> None:
    poll = polls.open()
    with ThreadPoolExecutor(1) as pool, uncommitted_vote(app, poll) as vote:
        closing = pool.submit(admin.close, poll["pollId"])
        commit_when_waited_for(app, vote)
        closing.result()

    assert polls.results(poll)["totalVotes"] == 1


@pytest.mark.parametrize("fields", [{}, RANKED], ids=["single", "ranked"])
@pytest.mark.parametrize("close", ["/instances/{pollId}/close", "/close?pollDate={pollDate}"])
def test_every_acknowledged_vote_is_in_the_snapshot(
    polls: Polls, admin: Admin, runner: FlaskCliRunner, fields: Json, close: str
) -> None:
    for number in range(3):
        poll = polls.open(title=f"Soup {number}", **fields)
        labels = ["Pea", "Leek"] if fields else ["Pea"]

        def vote_on(_: int, poll: Json = poll, labels: list[str] = labels) -> list[int]:
            statuses = []
            while 409 not in statuses:
                statuses.append(polls.vote(poll, *labels).status_code)
            return statuses

        with ThreadPoolExecutor(VOTERS) as pool:
            voting = [pool.submit(vote_on, n) for n in range(VOTERS)]
            time.sleep(0.3)
            admin.done("POST", close.format_map(poll))
        statuses = [status for voter in voting for status in voter.result()]

        assert set(statuses) == {200, 409}
        assert polls.results(poll)["totalBallots"] == statuses.count(200)
    assert admin.audit(action="tallies_corrected") == []
    assert runner.invoke(args=["verify-results", "--all"]).exit_code == 0

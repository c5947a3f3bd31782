"""The app with a promise broken, each by a factory that gunicorn calls: the suite has to see it."""

import threading
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import redis
from flask import Flask
from sqlalchemy.dialects.postgresql.base import PGCompiler

from allthing.config import settings
from allthing.voting import batching
from allthing.voting import submit as submission
from allthing.voting.cast import AlreadyVoted, Ballot, Voter
from wsgi import app

LATE_SECONDS = 0.2


def answering_before_the_commit() -> Flask:
    """Break an app so that it stores a ballot after it said so."""
    submit: Callable[..., bool] = batching.submit

    def submit_later(row: batching.Row) -> bool:
        def work() -> None:
            time.sleep(LATE_SECONDS)
            with app.app_context(), suppress(Exception):
                submit(row)

        threading.Thread(target=work, daemon=True).start()
        return True

    batching.submit = submit_later
    return app


def refusing_by_a_flag() -> Flask:
    """Break an app so that Redis decides who has voted."""
    cast: Callable[..., bool] = submission.cast_and_commit

    def cast_once(poll_id: str, ballot: Ballot, voter: Voter, *arguments: Any) -> bool:
        with redis.Redis.from_url(settings().redis_url) as flags:
            if not flags.set(f"voted {poll_id} {voter.token}", 1, nx=True):
                raise AlreadyVoted("you have voted in this poll")
        return cast(poll_id, ballot, voter, *arguments)

    submission.cast_and_commit = cast_once
    return app


def closing_without_locks() -> Flask:
    """Break an app so that whoever closes a poll doesn't wait for votes under way."""
    PGCompiler.for_update_clause = lambda *_, **__: ""
    return app

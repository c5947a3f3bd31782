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
from allthing.voting import batching, submit
from allthing.voting.cast import AlreadyVoted, Ballot, Voter
from wsgi import app

LATE_SECONDS = 0.2


def answering_before_the_commit() -> Flask:
    """Break an app so that it stores a ballot after it said so."""
    post: Callable[..., bool] = batching.post

    def post_later(row: batching.Row) -> bool:
        def work() -> None:
            time.sleep(LATE_SECONDS)
            with app.app_context(), suppress(Exception):
                post(row)

        threading.Thread(target=work, daemon=True).start()
        return True

    batching.post = post_later
    return app


def refusing_by_a_flag() -> Flask:
    """Break an app so that Redis decides who has voted."""
    send: Callable[..., bool] = submit.send

    def send_once(poll_id: str, ballot: Ballot, voter: Voter, *arguments: Any) -> bool:
        with redis.Redis.from_url(settings().redis_url) as flags:
            if not flags.set(f"voted {poll_id} {voter.token}", 1, nx=True):
                raise AlreadyVoted("you have voted in this poll")
        return send(poll_id, ballot, voter, *arguments)

    submit.send = send_once
    return app


def closing_without_locks() -> Flask:
    """Break an app so that whoever closes a poll doesn't wait for votes under way."""
    PGCompiler.for_update_clause = lambda *_, **__: ""
    return app

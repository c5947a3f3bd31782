"""A Redis that answers wrongly, slowly or never: nobody waits for it, and nothing fails."""

import time

import pytest
from flask import Flask

from tests.api import Admin, Polls
from tests.conftest import ADMIN_KEY, AppFactory
from tests.fake_redis import Behaviour, dripping, fake_redis, replying, resetting, silent

BUDGET = 0.05
PATIENCE = 1.0  # far below what a server can drag on without a deadline, for a busy machine
ERRORS = [
    "OOM command not allowed when used memory > 'maxmemory'.",
    "READONLY You can't write against a read only replica.",
    "MISCONF Redis is configured to save RDB snapshots",
    "LOADING Redis is loading the dataset in memory",
    "BUSY Redis is busy running a script.",
    "NOAUTH Authentication required.",
    "WRONGPASS invalid username-password pair",
    "MASTERDOWN Link with MASTER is down",
    "CLUSTERDOWN The cluster is down",
    "MOVED 3999 127.0.0.1:6381",
    "ERR max number of clients reached",
]
SICK: dict[str, Behaviour] = {
    "silent": silent,
    "dripping": dripping,
    "resetting": resetting,
    "garbage": replying(b"\x00\xff\xfe garbage \r\n\r\n"),
    "a web server": replying(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n"),
    "an endless string": replying(b"$1000000000\r\n"),
    "an endless list": replying(b"*1000000000\r\n"),
    "empty replies": replying(b"\r\n"),
} | {error.split()[0] + error[-6:]: replying(f"-{error}\r\n".encode()) for error in ERRORS}


@pytest.fixture(params=SICK.values(), ids=SICK)
def sick_app(request: pytest.FixtureRequest, make_app: AppFactory) -> Flask:
    with fake_redis(request.param) as url:
        yield make_app(redis_url=url, redis_timeout=BUDGET, redis_probe_interval=60)


def test_everything_is_served_and_nobody_waits_twice(sick_app: Flask, polls: Polls) -> None:
    poll = polls.open()
    voter = sick_app.test_client()
    ballot = {"rankedChoices": [poll["options"][0]["optionId"]]}

    started = time.perf_counter()
    first = voter.get("/polls/today")
    waited = time.perf_counter() - started

    assert first.status_code == 200
    assert waited < PATIENCE
    assert voter.get("/readyz").json["components"]["redis"] == "unhealthy"
    assert voter.get("/readyz").status_code == 200
    assert voter.post(f"/polls/{poll['pollId']}/vote", json=ballot).status_code == 200
    assert voter.post(f"/polls/{poll['pollId']}/vote", json=ballot).status_code == 409
    assert (
        Admin(voter, ADMIN_KEY).call("POST", "/categories", {"key": "x-y", "name": "Xy"}).json["ok"]
    )
    assert voter.get(f"/polls/{poll['pollId']}/results").json["data"]["totalVotes"] == 1

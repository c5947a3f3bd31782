"""A Redis that answers wrongly, slowly or never: nobody waits for it, and nothing fails."""

import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import urlsplit

import pytest
from flask import Flask

from tests.conftest import ADMIN_KEY, AppFactory
from tests.support.api import Admin, Polls
from tests.support.fake_redis import (
    Behaviour,
    dripping,
    fake_redis,
    replying,
    resetting,
    silent,
    turning,
)

pytestmark = pytest.mark.timing

BUDGET = 0.05
TIMEOUT = 0.2  # of a Redis that is well at first, on a busy machine
CROWD = 10
TIMEOUT_SECONDS = 2.0  # far below what a server can drag on without a deadline, for a busy machine
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
TLS = {"silent", "dripping", "garbage"}  # also where a handshake is due
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


@pytest.fixture(
    params=[*((name, "redis") for name in SICK), *((name, "rediss") for name in sorted(TLS))],
    ids=" by ".join,
)
def sick_app(request: pytest.FixtureRequest, make_app: AppFactory) -> Iterator[Flask]:
    sickness, scheme = request.param
    with fake_redis(SICK[sickness]) as url:
        at = url.replace("redis://", f"{scheme}://")
        yield make_app(redis_url=at, redis_timeout=BUDGET, redis_probe_interval=60)


def test_everything_is_served_and_nobody_waits_twice(sick_app: Flask, polls: Polls) -> None:
    poll = polls.open()
    voter = sick_app.test_client()
    ballot = {"rankedChoices": [poll["options"][0]["optionId"]]}

    started = time.perf_counter()
    first = voter.get("/polls/today")
    waited = time.perf_counter() - started

    assert first.status_code == 200
    assert waited < TIMEOUT_SECONDS
    assert voter.get("/readyz").json["components"]["redis"] == "unhealthy"
    assert voter.get("/readyz").status_code == 200
    assert voter.post(f"/polls/{poll['pollId']}/vote", json=ballot).status_code == 200
    assert voter.post(f"/polls/{poll['pollId']}/vote", json=ballot).status_code == 409
    assert (
        Admin(voter, ADMIN_KEY).call("POST", "/categories", {"key": "x-y", "name": "Xy"}).json["ok"]
    )
    assert voter.get(f"/polls/{poll['pollId']}/results").json["data"]["totalVotes"] == 1


@pytest.mark.parametrize("sickness", SICK)
def test_one_that_falls_sick_is_left_by_all_who_ask_it(
    make_app: AppFactory, redis_url: str, sickness: str
) -> None:
    turned = threading.Event()
    at = urlsplit(redis_url)
    with fake_redis(turning(at.port or 6379, turned, SICK[sickness])) as url:
        app = make_app(
            redis_url=url.replace("redis://", f"redis://:{at.password or ''}@"),
            redis_timeout=TIMEOUT,
            redis_probe_interval=60,
            global_rate_limit="40 per day",  # so few are counted by Redis itself
        )
        assert ask(app)[0] == 200
        assert state(app) == "healthy"
        turned.set()

        with ThreadPoolExecutor(CROWD) as pool:
            crowd = list(pool.map(ask, [app] * CROWD))
        later = [ask(app) for _ in range(3)]

        assert state(app) == "unhealthy"
    assert {status for status, _ in crowd + later} == {200}
    assert max(seconds for _, seconds in crowd) < TIMEOUT_SECONDS
    assert max(seconds for _, seconds in later) < TIMEOUT


def ask(app: Flask) -> tuple[int, float]:
    """Return how a request was answered, and how long it took."""
    begun = time.perf_counter()
    status = app.test_client().get("/").status_code
    return status, time.perf_counter() - begun


def state(app: Flask) -> str:
    return app.test_client().get("/readyz").json["components"]["redis"]

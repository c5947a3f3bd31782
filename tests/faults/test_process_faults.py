"""The app's own processes: killed, ended, or just started, cold and without Redis."""

import time
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest
import requests

from tests.faults import redis_faults
from tests.faults.deployment import Deployment
from tests.faults.processes import restarted, worker_killed
from tests.faults.requirements import ENDPOINTS, HEALTHY, Requirement
from tests.support.served import served

pytestmark = [
    pytest.mark.postgresql,
    pytest.mark.timing,
    pytest.mark.long,
    pytest.mark.xdist_group("faults"),
]

BOOT_SECONDS = 10.0
GRACE_SECONDS = 25.0
CROWD = 30
COLD_SECONDS = 3.0
OR_BROKEN = {endpoint: {0, *HEALTHY[endpoint]} for endpoint in ENDPOINTS}


def test_killed_worker_is_replaced_and_no_vote_counts_twice(deployment: Deployment) -> None:
    """`endure` counts the ballots: one for each vote that was acknowledged, at once or retried."""
    requirement = Requirement("F34", "a worker is killed (SIGKILL)", 3.0, OR_BROKEN)
    before = set(deployment.server.children())

    deployment.endure(requirement, worker_killed(deployment.server))

    assert len(set(deployment.server.children()) - before) == 1


def test_sigterm_answers_all_that_was_asked_before(deployment: Deployment) -> None:
    """What comes later finds nobody there, until the app is started again."""
    requirement = Requirement("F35", "SIGTERM, and a new start", GRACE_SECONDS, OR_BROKEN)

    with served("tests.faults.app:app", **deployment.settings) as server:
        recording = deployment.endure(requirement, restarted(server), server=server)

    asked_before = [s for s in recording.samples if s.begun < recording.times.began]
    assert all(recording.is_normal(sample) for sample in asked_before)


def test_redis_that_is_away_at_the_start_holds_up_nobody(deployment: Deployment) -> None:
    with redis_faults.stopped(deployment.redis):
        begun = time.monotonic()
        with served("tests.faults.app:app", **deployment.settings) as server:
            booted = time.monotonic() - begun
            requirement = Requirement(
                "F20", "Redis is down at the start", COLD_SECONDS, redis="away", permanent=True
            )
            deployment.endure(requirement, redis_faults.nothing_else(), server=server)

    assert booted <= BOOT_SECONDS


def test_cold_crowd_is_served_in_one_round(deployment: Deployment) -> None:
    deployment.open_poll()
    start = Barrier(CROWD)

    with served("tests.faults.app:app", **deployment.settings) as server:

        def read(_: int) -> tuple[requests.Response, float]:
            start.wait()
            begun = time.monotonic()
            return server.get("/polls/today"), time.monotonic() - begun

        with ThreadPoolExecutor(CROWD) as pool:
            answers = list(pool.map(read, range(CROWD)))

    assert [answer.status_code for answer, _ in answers] == [200] * CROWD
    assert max(seconds for _, seconds in answers) <= COLD_SECONDS

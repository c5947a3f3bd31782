"""Limits hold while Redis is away, in each worker for itself; no fault counts anybody twice."""

import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator

import pytest

from tests.faults import redis_faults as faults
from tests.faults.deployment import Deployment
from tests.faults.load import address
from tests.faults.redis_faults import RedisFault
from tests.support.served import WORKERS, ServedApp

pytestmark = [
    pytest.mark.postgresql,
    pytest.mark.timing,
    pytest.mark.long,
    pytest.mark.xdist_group("faults"),
]

VOTES_PER_MINUTE = 60
WRONG_KEYS_PER_MINUTE = 20
POLITE_CLIENTS = 4
WINDOW_SECONDS = 60  # that rates count in, as the clock's minutes
SECONDS = 4.0
FAULTS: dict[str, RedisFault] = {
    "stopped": faults.stopped,
    "frozen": faults.frozen,
    "out of memory": faults.out_of_memory,
    "a read-only replica": faults.demoted,
}


@pytest.fixture(params=FAULTS.values(), ids=FAULTS)
def away(request: pytest.FixtureRequest, deployment: Deployment) -> Iterator[None]:
    with request.param(deployment.redis):
        deadline = time.monotonic() + 5
        while redis_states(deployment.server) != {"unhealthy"}:
            assert time.monotonic() < deadline
        yield
    assert deployment.is_soon_healthy(deployment.server)


def redis_states(server: ServedApp) -> set[str]:
    answers = [server.get("/readyz").json() for _ in range(6)]
    return {answer["components"]["redis"] for answer in answers}


def attempt_vote(server: ServedApp, address: str) -> int:
    """Send a ballot that is refused, but counts as an attempt."""
    answer = server.post(
        "/polls/no-such-poll/vote",
        json={"rankedChoices": ["nothing"]},
        headers={"X-Forwarded-For": address},
    )
    return answer.status_code


def attempt_key(server: ServedApp, address: str) -> int:
    headers = {"X-Forwarded-For": address, "x-admin-key": "wrong"}
    return server.get("/admin/categories", headers=headers).status_code


def in_one_window(attempts: Callable[[], Counter[int]]) -> Counter[int]:
    """Return what came of attempts in one minute of the clock; it hardly ends twice running."""
    while True:
        window = time.time() // WINDOW_SECONDS
        statuses = attempts()
        if time.time() // WINDOW_SECONDS == window:
            return statuses


@pytest.mark.usefixtures("away")
@pytest.mark.parametrize(
    ("attempt", "status", "per_minute"),
    [(attempt_vote, 404, VOTES_PER_MINUTE), (attempt_key, 401, WRONG_KEYS_PER_MINUTE)],
    ids=["votes", "wrong admin keys"],
)
def test_attempts_are_limited_while_redis_is_away(
    deployment: Deployment, attempt: Callable[[ServedApp, str], int], status: int, per_minute: int
) -> None:
    def attempts() -> Counter[int]:
        client = address()
        return Counter(attempt(deployment.server, client) for _ in range(WORKERS * per_minute + 10))

    statuses = in_one_window(attempts)

    assert set(statuses) == {status, 429}
    assert per_minute <= statuses[status] <= WORKERS * per_minute


@pytest.mark.parametrize("fault", [faults.asleep, faults.frozen], ids=["asleep", "frozen"])
def test_client_that_keeps_to_its_limit_is_never_refused(
    deployment: Deployment, fault: RedisFault
) -> None:
    """As much as is allowed, spread over before, during and after: one count too much shows.

    In one run of fifteen the minute ends meanwhile, and more would be allowed.
    """
    statuses: Counter[int] = Counter()

    def keep_to_it(client: str) -> None:
        for _ in range(VOTES_PER_MINUTE):
            statuses[attempt_vote(deployment.server, client)] += 1
            time.sleep(SECONDS / VOTES_PER_MINUTE)

    clients = [
        threading.Thread(target=keep_to_it, args=(address(),)) for _ in range(POLITE_CLIENTS)
    ]
    for client in clients:
        client.start()
    time.sleep(SECONDS / 4)
    with fault(deployment.redis):
        time.sleep(SECONDS / 4)
    for client in clients:
        client.join()
    assert deployment.is_soon_healthy(deployment.server)

    assert statuses == {404: POLITE_CLIENTS * VOTES_PER_MINUTE}

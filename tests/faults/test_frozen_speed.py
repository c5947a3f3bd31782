"""With a frozen Redis the app is, after a second, about as quick as with one that is well."""

import time
from collections.abc import Sequence
from dataclasses import replace
from statistics import quantiles

import pytest

from tests.faults.deployment import Deployment, under_load
from tests.faults.load import Sample
from tests.faults.redis_faults import frozen
from tests.faults.requirements import NOTICE_SECONDS, Standstill

pytestmark = [
    pytest.mark.postgresql,
    pytest.mark.timing,
    pytest.mark.long,
    pytest.mark.xdist_group("faults"),
]

ROUNDS = 3
ROUND_SECONDS = 1.0
RATE = 12.0
HALF_A_WAIT_SECONDS = 0.025  # for Redis: who waits for it each time, is later by more


def test_frozen_redis_costs_little_after_the_first_second(deployment: Deployment) -> None:
    """Rounds with Redis well and frozen take turns under one load.

    The table shows the slowest 1 %; what is held against a bound is what half of all take, which
    a busy machine doesn't change much.
    """
    poll, category = deployment.open_poll()
    order = deployment.order(deployment.server, poll, category)
    well, ill = [], []

    with under_load(replace(order, rate=RATE, mix={"today": 1, "vote": 1})) as load:
        time.sleep(NOTICE_SECONDS)
        for _ in range(ROUNDS):
            well.append(one_round())
            with frozen(deployment.redis):
                time.sleep(NOTICE_SECONDS)
                ill.append(one_round())
            assert deployment.is_soon_healthy(deployment.server)

    for endpoint in ("today", "vote"):
        samples = [sample for sample in load.samples if sample.endpoint == endpoint]
        healthy, sick = (percentiles(samples, each, load.standstill) for each in (well, ill))
        deployment.findings.p99[endpoint] = healthy[98], sick[98]
        assert sick[49] < healthy[49] + HALF_A_WAIT_SECONDS, endpoint


def one_round() -> tuple[float, float]:
    begun = time.monotonic()
    time.sleep(ROUND_SECONDS)
    return begun, time.monotonic()


def percentiles(
    samples: Sequence[Sample], rounds: Sequence[tuple[float, float]], standstill: Standstill
) -> list[float]:
    """Return the times in which 1 to 99 % of requests were answered, the machine's own apart."""
    within = [s for s in samples if any(begun <= s.begun <= ended for begun, ended in rounds)]
    return quantiles([s.seconds - standstill.between(s.begun, s.ended) for s in within], n=100)

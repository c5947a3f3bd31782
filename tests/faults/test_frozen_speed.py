"""With a frozen Redis the app is, after a second, about as quick as with one that is well."""

import time
from collections.abc import Sequence
from dataclasses import replace
from statistics import quantiles

import pytest

from tests.faults.load import Sample
from tests.faults.redis_faults import frozen
from tests.faults.verdict import NOTICE_SECONDS, Standstill
from tests.faults.world import World, under_load

pytestmark = pytest.mark.postgresql

ROUNDS = 4
ROUND_SECONDS = 1.5
RATE = 25.0
AIM = 1.5
NOISE_SECONDS = 0.025  # half of one wait for Redis: less of a difference is none


def test_frozen_redis_costs_little_after_the_first_second(world: World) -> None:
    """Rounds with Redis well and frozen take turns under one load."""
    poll, category = world.open_poll()
    order = world.order(world.server, poll, category)
    well, ill = [], []

    with under_load(replace(order, rate=RATE, mix={"today": 1, "vote": 1})) as load:
        time.sleep(NOTICE_SECONDS)
        for _ in range(ROUNDS):
            well.append(one_round())
            with frozen(world.redis):
                time.sleep(NOTICE_SECONDS)
                ill.append(one_round())
            world.wait_until_healthy(world.server)

    for endpoint in ("today", "vote"):
        samples = [sample for sample in load.samples if sample.endpoint == endpoint]
        healthy, sick = p99(samples, well, load.standstill), p99(samples, ill, load.standstill)
        world.findings.p99[endpoint] = healthy, sick
    for endpoint, (healthy, sick) in world.findings.p99.items():
        assert sick <= max(AIM * healthy, healthy + NOISE_SECONDS), (endpoint, healthy, sick)


def one_round() -> tuple[float, float]:
    begun = time.monotonic()
    time.sleep(ROUND_SECONDS)
    return begun, time.monotonic()


def p99(
    samples: Sequence[Sample], rounds: Sequence[tuple[float, float]], standstill: Standstill
) -> float:
    """Return the time in which 99 of 100 requests were answered, the machine's own apart."""
    within = [s for s in samples if any(begun <= s.begun <= ended for begun, ended in rounds)]
    return quantiles([s.seconds - standstill.between(s.begun, s.ended) for s in within], n=100)[98]

"""PostgreSQL may be stopped, frozen, full or read-only: quick 503s, and it heals by itself."""

from collections import Counter
from collections.abc import Iterator
from contextlib import closing, contextmanager

import pytest
from sqlalchemy import make_url

from tests.faults import postgres_faults as faults
from tests.faults.contention import DEADLOCK_SECONDS, DeadlockedVote, TwinVote
from tests.faults.deployment import Deployment
from tests.faults.redis_faults import frozen as redis_frozen
from tests.faults.relay import Relay
from tests.faults.requirements import Requirement
from tests.support.served import WORKERS, served

pytestmark = [
    pytest.mark.postgresql,
    pytest.mark.timing,
    pytest.mark.long,
    pytest.mark.xdist_group("faults"),
]

HOARD_SECONDS = FREEZE_SECONDS = 4.0
AWAY = {503}
STALE_OR_AWAY = {200, 503}
READS = {"today": STALE_OR_AWAY, "results": STALE_OR_AWAY}
WRITES = {"vote": AWAY, "duplicate": AWAY, "replay": AWAY, "admin": AWAY}
NOT_READY = {"readyz": AWAY}
UNAVAILABLE = READS | WRITES | NOT_READY
PASSING = {
    **READS,
    "vote": {200, 503},
    "duplicate": {409, 503},
    "replay": {200, 503},
    "admin": {200, 503},
    "readyz": {200, 503},
}


def test_stopped_postgresql_is_a_quick_503_and_heals(deployment: Deployment) -> None:
    requirement = Requirement("F23", "PostgreSQL is stopped", 0.5, UNAVAILABLE)

    deployment.endure(requirement, faults.stopped(deployment.postgres))


def test_frozen_postgresql_is_a_quick_503_and_heals(deployment: Deployment) -> None:
    requirement = Requirement(
        "F23b", "PostgreSQL is frozen (SIGSTOP)", 2.0, UNAVAILABLE, settled=0.25
    )

    deployment.endure(requirement, faults.frozen(deployment.postgres), seconds=FREEZE_SECONDS)


def test_both_frozen_at_once_is_a_quick_503_and_heals(deployment: Deployment) -> None:
    @contextmanager
    def both() -> Iterator[None]:
        with faults.frozen(deployment.postgres), redis_frozen(deployment.redis):
            yield

    requirement = Requirement(
        "F23c", "PostgreSQL and Redis are frozen", 2.0, UNAVAILABLE, settled=0.25, redis="away"
    )

    deployment.endure(requirement, both(), seconds=FREEZE_SECONDS)


def test_immediate_restart_costs_each_worker_at_most_one_reading(deployment: Deployment) -> None:
    requirement = Requirement("F24", "PostgreSQL crashes and restarts", 1.0, PASSING)

    recording = deployment.endure(requirement, faults.crashed(deployment.postgres))

    refused = Counter(sample.endpoint for sample in recording.during() if sample.status == 503)
    assert refused["today"] + refused["results"] <= WORKERS


def test_terminated_backends_fail_only_what_they_were_doing(deployment: Deployment) -> None:
    """A statement that was sent may have been committed: it is not sent again."""
    answers = {name: PASSING[name] for name in (*WRITES, *NOT_READY)}
    requirement = Requirement("F26", "pg_terminate_backend of all, often", 0.5, answers)
    terminated = faults.BackendsTerminated(deployment.postgres)

    recording = deployment.endure(requirement, terminated)

    refused = [sample for sample in recording.samples if sample.status == 503]
    assert all(terminated.hit(sample) for sample in refused)


def test_exhausted_pool_is_a_503_in_time(deployment: Deployment) -> None:
    requirement = Requirement("F27", "all 30 connections of each pool are held", 4.0, PASSING)

    hoarded = faults.pools_hoarded(deployment.server, HOARD_SECONDS)

    recording = deployment.endure(requirement, hoarded, seconds=HOARD_SECONDS)

    assert 503 in {sample.status for sample in recording.during() if sample.endpoint == "vote"}


def test_server_without_a_connection_left_is_a_quick_503(deployment: Deployment) -> None:
    requirement = Requirement("F28", "max_connections reached", 1.0, UNAVAILABLE)

    deployment.endure(requirement, faults.connections_taken(deployment.postgres))


def test_read_only_postgresql_serves_reads_and_heals(deployment: Deployment) -> None:
    answers = {"vote": AWAY, "duplicate": {409, 503}, "replay": {200, 503}, "admin": AWAY}
    requirement = Requirement(
        "F29", "PostgreSQL is read-only", 0.5, answers | {"readyz": {200, 503}}
    )

    deployment.endure(requirement, faults.read_only(deployment.postgres))


def test_voter_whose_twin_is_under_way_waits_three_seconds_at_most(deployment: Deployment) -> None:
    requirement = Requirement("F30", "the voter's twin transaction is not committed", 3.0)
    twin = TwinVote(deployment)

    deployment.endure(requirement, twin, seconds=4.0)

    assert twin.while_open.status == 503
    assert twin.while_open.seconds <= 3.5
    assert twin.afterwards.status == 200


def test_deadlocked_vote_is_tried_once_more(deployment: Deployment) -> None:
    requirement = Requirement("F32", "a deadlock", 3.0)
    vote = DeadlockedVote(deployment)

    deployment.endure(requirement, vote)

    assert vote.waited >= DEADLOCK_SECONDS  # it was one, and the vote gave way
    assert vote.answer.status == 200
    assert vote.answer.seconds <= 3.0


def test_connections_that_break_in_mid_statement_heal(deployment: Deployment) -> None:
    requirement = Requirement("F26b", "connections to PostgreSQL are reset", 0.5, PASSING)

    database = make_url(deployment.settings["database_url"])
    assert database.port
    with closing(Relay(database.port)) as wire:
        url = database.set(port=wire.port).render_as_string(hide_password=False)
        with served(
            "tests.faults.app:app", **deployment.settings | {"database_url": url}
        ) as server:
            deployment.endure(requirement, faults.broken_off(wire), server=server)

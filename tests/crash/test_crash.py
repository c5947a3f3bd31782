"""No acknowledged vote is lost or counted twice, whatever is killed; and the suite would see it."""

import os
import secrets
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.crash import faults
from tests.crash.deployment import ONE_SECRET, SECRETS_BEING_ROTATED, deploy, servers
from tests.crash.faults import Fault
from tests.crash.scenario import Scenario
from tests.support.postgres import PostgresServer
from tests.support.redis_server import RedisServer

pytestmark = [
    pytest.mark.postgresql,
    pytest.mark.timing,
    pytest.mark.long,
    pytest.mark.xdist_group("crash"),
]

SECONDS = 24.0
SHORT_SECONDS = 8.0
SOAK_SECONDS = 60.0
SOAK_SCENARIOS = 10
BROKEN_APP_SECONDS = 4.0
MIDNIGHTS = 12, 22  # seconds from the start of the servers, which takes some
SHORT_MIDNIGHTS = 7, 28  # the second one only in a soak
DAYS = 3
ALONE = ONE_SECRET[:1]  # one replica is enough to see what is broken on purpose
FEWEST_VOTES = 300  # on the busiest machine; an idle one has several thousand

QUICK = [
    faults.kill_a_worker,
    faults.crash_a_replica,
    faults.stop_postgres_at_once,
    faults.terminate_backends,
    faults.stop_redis,
]

Servers = tuple[PostgresServer, RedisServer]
Length = Callable[[float], float]
Capture = pytest.CaptureFixture[str]


@pytest.fixture(scope="module")
def durable() -> Iterator[Servers]:
    with servers() as both:
        yield both


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Play one scenario, or many in a soak."""
    if "seed" in metafunc.fixturenames:
        scenarios = SOAK_SCENARIOS if metafunc.config.option.soak else 1
        metafunc.parametrize("scenario_number", range(scenarios))


@pytest.fixture
def seed(scenario_number: int) -> str:
    """Return what the order of events follows from; `CRASH_SEED` repeats the first scenario's."""
    drawn = secrets.token_hex(4)
    return drawn if scenario_number else os.environ.get("CRASH_SEED", drawn)


@pytest.fixture
def seconds(request: pytest.FixtureRequest) -> Callable[[float], float]:
    """Return how long a scenario lasts that is to be so short in a common run."""
    return lambda common: SOAK_SECONDS if request.config.option.soak else common


def test_no_acknowledged_vote_is_lost_or_counted_twice(
    durable: Servers, tmp_path: Path, seed: str, seconds: Length, capsys: Capture
) -> None:
    with deploy(*durable, tmp_path, midnights=MIDNIGHTS) as here:
        scenario = Scenario(here, seed)
        scenario.run(seconds(SECONDS))
        found = scenario.check()
        (days,) = here.query('SELECT count(DISTINCT "pollDate") FROM "rolloverRuns"')[0]
        verified = here.local_app.test_cli_runner().invoke(args=["verify-results", "--all"])
    with capsys.disabled():
        print(f"\n{scenario}")

    assert not found, scenario.report(found)
    assert verified.exit_code == 0, verified.output
    assert days == DAYS
    assert scenario.journal.acknowledged > FEWEST_VOTES


def test_nobody_votes_twice_while_secrets_are_rotated(
    durable: Servers, tmp_path: Path, seed: str, seconds: Length, capsys: Capture
) -> None:
    replicas = SECRETS_BEING_ROTATED
    with deploy(*durable, tmp_path, midnights=SHORT_MIDNIGHTS, replicas=replicas) as here:
        scenario = Scenario(here, seed)
        scenario.run(seconds(SHORT_SECONDS), QUICK)
        found = scenario.check()
    with capsys.disabled():
        print(f"\n{scenario}")

    assert not found, scenario.report(found)


def test_suite_sees_a_database_that_forgets_what_it_confirmed(
    durable: Servers, tmp_path: Path
) -> None:
    with deploy(*durable, tmp_path, midnights=MIDNIGHTS, replicas=ALONE) as here:
        name = here.database_url.rpartition("/")[2]
        here.query(f'ALTER DATABASE "{name}" SET synchronous_commit = off')
        faults.terminate_backends(here)
        scenario = Scenario(here, "async")
        scenario.run(BROKEN_APP_SECONDS, [faults.kill_postgres] * 4)
        found = scenario.violations()

    assert any("was acknowledged and is lost" in fault for fault in found), found


def test_suite_sees_that_the_unique_keys_are_gone(durable: Servers, tmp_path: Path) -> None:
    with deploy(*durable, tmp_path, midnights=MIDNIGHTS, replicas=ALONE) as here:
        here.query(
            'ALTER TABLE "voteBallots" DROP CONSTRAINT "uq_voteBallots_instanceId_voterTokenHash"'
        )
        scenario = Scenario(here, "no key")
        scenario.run(BROKEN_APP_SECONDS, [faults.kill_a_worker])
        found = scenario.violations()

    assert any("is counted 2 times" in fault for fault in found), found


@pytest.mark.parametrize(
    ("broken", "fault", "sign"),
    [
        ("answering_before_the_commit", faults.kill_a_worker, "was acknowledged and is lost"),
        ("refusing_by_a_flag", faults.terminate_backends, "and there is none"),
        ("closing_without_locks", faults.empty_redis, "the CLOSED result of"),
    ],
)
def test_suite_sees_an_app_that_breaks_a_promise(
    durable: Servers, tmp_path: Path, broken: str, fault: Fault, sign: str
) -> None:
    app = f"tests.crash.broken:{broken}()"
    with deploy(*durable, tmp_path, midnights=MIDNIGHTS, replicas=ALONE, app=app) as here:
        scenario = Scenario(here, broken)
        scenario.run(BROKEN_APP_SECONDS, [fault] * 4)
        found = scenario.violations()

    assert any(sign in fault for fault in found), found

"""A deployment that a pytest process breaks: one fault after the other, each healed before."""

from collections.abc import Iterator

import pytest

from tests.faults.contention import DEADLOCK_SECONDS
from tests.faults.deployment import Deployment, Findings, deploy
from tests.faults.requirements import TooSlow
from tests.faults.table import write_table
from tests.support.binaries import REDIS, obtain
from tests.support.postgres import PostgresServer
from tests.support.redis_server import RedisServer
from tests.support.servers import postgres_server, redis_server

GUARDED_DEBUG = 7  # from this version on DEBUG has to be allowed


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Look twice at what was only too slow: the machine may have had something else to do."""
    for item in items:
        if "deployment" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.flaky(reruns=1, only_rerun=[TooSlow.__name__]))


@pytest.fixture(scope="session")
def is_soak(request: pytest.FixtureRequest) -> bool:
    return bool(request.config.option.soak)


@pytest.fixture(scope="session")
def faulty_postgres() -> Iterator[PostgresServer]:
    with postgres_server(private=True, deadlock_timeout=f"{DEADLOCK_SECONDS}s") as server:
        yield server


@pytest.fixture(scope="session")
def faulty_redis() -> Iterator[RedisServer]:
    major = int(obtain(REDIS).version.partition(".")[0])
    debug = {"enable_debug_command": "local"} if major >= GUARDED_DEBUG else {}
    with redis_server(private=True, **debug) as server:
        yield server


@pytest.fixture(scope="session")
def findings(request: pytest.FixtureRequest) -> Iterator[Findings]:
    """Collect what each fault did, and write it down in the end if that is wanted."""
    findings = Findings()
    yield findings
    if request.config.option.write_faults:
        write_table(findings)


@pytest.fixture(scope="session")
def deployment(
    faulty_postgres: PostgresServer, faulty_redis: RedisServer, findings: Findings, is_soak: bool
) -> Iterator[Deployment]:
    with deploy(faulty_postgres, faulty_redis, findings, is_soak=is_soak) as deployment:
        yield deployment

"""A world for the faults of a pytest process: one after the other, each healed before the next."""

from collections.abc import Iterator

import pytest

from tests.faults.contention import DEADLOCK_SECONDS
from tests.faults.table import write_table
from tests.faults.verdict import TooSlow
from tests.faults.world import Findings, World, world_of
from tests.support.binaries import REDIS, obtain
from tests.support.postgres import PostgresServer
from tests.support.redis_server import RedisServer
from tests.support.servers import postgres_server, redis_server

GUARDED_DEBUG = 7  # from this version on DEBUG has to be allowed


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Look twice at what was only too slow: the machine may have had something else to do."""
    for item in items:
        if "world" in getattr(item, "fixturenames", ()):
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
def world(
    faulty_postgres: PostgresServer, faulty_redis: RedisServer, findings: Findings, is_soak: bool
) -> Iterator[World]:
    with world_of(faulty_postgres, faulty_redis, findings, is_soak=is_soak) as world:
        yield world

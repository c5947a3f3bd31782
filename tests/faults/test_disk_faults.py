"""The disk of PostgreSQL is full: reads go on, writes are refused, and it heals with room."""

import pytest

from tests.faults.deployment import Findings, deploy
from tests.faults.disks import postgres_on_small_disk
from tests.faults.requirements import Requirement
from tests.support.redis_server import RedisServer

pytestmark = [
    pytest.mark.postgresql,
    pytest.mark.timing,
    pytest.mark.long,
    pytest.mark.xdist_group("faults"),
]

NO_WRITES = {
    "vote": {503},
    "duplicate": {409, 503},
    "replay": {200, 503},
    "admin": {503},
    "readyz": {200, 503},
}


def test_full_disk_refuses_writes_and_serves_reads(
    faulty_redis: RedisServer, findings: Findings, is_soak: bool
) -> None:
    requirement = Requirement("F41", "no room for PostgreSQL's WAL", 5.0, NO_WRITES)

    with (
        postgres_on_small_disk() as (postgres, full),
        deploy(postgres, faulty_redis, findings, is_soak=is_soak) as deployment,
    ):
        deployment.endure(requirement, full())

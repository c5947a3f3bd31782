"""Redis may fail in any way: nobody waits for it, nothing fails, and it is taken back by itself."""

from dataclasses import dataclass

import pytest

from tests.faults import redis_faults as faults
from tests.faults.deployment import Deployment
from tests.faults.redis_faults import RedisFault
from tests.faults.requirements import Requirement
from tests.support.fake_redis import dripping, replying, resetting, silent
from tests.support.served import served

pytestmark = [
    pytest.mark.postgresql,
    pytest.mark.timing,
    pytest.mark.long,
    pytest.mark.xdist_group("redis-faults"),
]

HTTP = b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"


@dataclass(frozen=True)
class Row:
    row: str
    title: str
    fault: RedisFault


ROWS = [
    Row("F1", "Redis refuses connections", faults.stopped),
    Row("F2", "Redis is frozen (SIGSTOP)", faults.frozen),
    Row("F4", "accepts, never answers", faults.pretending(silent)),
    Row("F6", "answers garbage", faults.pretending(replying(b"\x00\xff\xfe garbage \r\n\r\n"))),
    Row("F8", "an HTTP server on its port", faults.pretending(replying(HTTP))),
    Row("F9", "RST after each command", faults.pretending(resetting)),
    Row("F10", "`$1000000000`, then silence", faults.pretending(replying(b"$1000000000\r\n"))),
    Row("F10b", "`*1000000000`, then silence", faults.pretending(replying(b"*1000000000\r\n"))),
    Row("F10c", "answers in drips", faults.pretending(dripping)),
    Row("F13", "out of memory (maxmemory 1)", faults.out_of_memory),
    Row("F15", "another password", faults.another_password),
    Row("F15b", "NOAUTH", faults.refusing("NOAUTH Authentication required.")),
    Row("F16b", "LOADING", faults.refusing("LOADING Redis is loading the dataset in memory")),
    Row("F17", "maxclients reached", faults.no_more_clients),
    Row("F18", "MISCONF: can't save", faults.unable_to_save),
    Row("F18b", "BUSY: a script that never ends", faults.busy),
    Row("F18c", "MOVED", faults.refusing("MOVED 3999 127.0.0.1:1")),
    Row("F18d", "CLUSTERDOWN", faults.refusing("CLUSTERDOWN Hash slot not served")),
    Row("F18e", "READONLY: demoted to a replica", faults.demoted),
    Row("F22", "nothing at its address answers", faults.unreachable),
    Row("F22b", "alive, but later than the budget (80 ms)", faults.late_by(0.08)),
]


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.row)
def test_sick_redis_is_left_alone_until_it_is_well(deployment: Deployment, row: Row) -> None:
    requirement = Requirement(row.row, row.title, redis="away")

    deployment.endure(requirement, row.fault(deployment.redis))


def test_sleeping_redis_is_left_alone_until_it_is_well(deployment: Deployment) -> None:
    requirement = Requirement("F12", "DEBUG SLEEP 3", redis="away")

    seconds = faults.SLEEP_SECONDS - faults.SPARE_SECONDS
    deployment.endure(requirement, faults.asleep(deployment.redis), seconds=seconds)


def test_loading_redis_is_left_alone_until_it_is_well(deployment: Deployment) -> None:
    requirement = Requirement("F16", "LOADING its data", redis="away")

    seconds = faults.LOADING_SECONDS - faults.SPARE_SECONDS
    deployment.endure(requirement, faults.loading(deployment.redis), seconds=seconds)


def test_flapping_redis_is_used_when_it_is_there(deployment: Deployment) -> None:
    seconds = 30.0 if deployment.is_soak else 4.0
    requirement = Requirement("F21", "stops and starts every 0.7 s", redis="flapping")

    deployment.endure(requirement, faults.flapping(deployment.redis), seconds=seconds)


def test_slow_redis_within_the_budget_slows_nobody_down(deployment: Deployment) -> None:
    requirement = Requirement("F22c", "alive, but late (30 ms)", redis="flapping")

    deployment.endure(requirement, faults.late_by(0.03)(deployment.redis))


def test_redis_whose_name_is_unknown_holds_up_nobody(deployment: Deployment) -> None:
    requirement = Requirement("F22d", "its name is unknown", redis="away", permanent=True)
    nowhere = {"redis_url": "redis://redis.invalid:6379/0"}

    with served("tests.faults.app:app", **deployment.settings | nowhere) as server:
        deployment.endure(requirement, faults.nothing_else(), server=server)

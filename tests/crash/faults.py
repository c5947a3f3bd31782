"""Faults: what dies, freezes or is emptied under fire, in an order that a seed decides."""

import os
import signal
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from random import Random

import psycopg2

from tests.crash.deployment import Deployment
from tests.support.daemon import Server, StopMode
from tests.support.redis_server import client

Fault = Callable[[Deployment, Random], None]


def kill_a_worker(deployment: Deployment, random: Random) -> None:
    kill(random.choice(random.choice(deployment.replicas).children()))


def kill_all_workers(deployment: Deployment, random: Random) -> None:
    for pid in random.choice(deployment.replicas).children():
        kill(pid)


def crash_a_replica(deployment: Deployment, random: Random) -> None:
    restart(random.choice(deployment.replicas), signal.SIGKILL)


def deploy_a_replica(deployment: Deployment, random: Random) -> None:
    restart(random.choice(deployment.replicas), signal.SIGTERM)


def stop_postgres_fast(deployment: Deployment, random: Random) -> None:
    restart(deployment.postgres, "fast", random.uniform(0, 0.5))


def stop_postgres_at_once(deployment: Deployment, random: Random) -> None:
    restart(deployment.postgres, "immediate", random.uniform(0, 0.5))


def kill_postgres(deployment: Deployment, random: Random) -> None:
    restart(deployment.postgres, signal.SIGKILL, random.uniform(0, 0.5))


def kill_a_backend(deployment: Deployment, random: Random) -> None:
    """Kill one process of PostgreSQL, which then ends all others and recovers by itself."""
    backends = deployment.query(
        "SELECT pid FROM pg_stat_activity WHERE application_name = 'allthing-api'"
    )
    if backends:
        kill(random.choice(backends)[0])


def terminate_backends(deployment: Deployment, _random: Random | None = None) -> None:
    deployment.query(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
        " WHERE application_name = 'allthing-api'"
    )


def freeze_postgres(deployment: Deployment, random: Random) -> None:
    """Freeze it for longer or shorter than a request waits."""
    deployment.postgres.freeze()
    time.sleep(random.choice((0.5, 4)))
    deployment.postgres.thaw()


def stop_redis(deployment: Deployment, random: Random) -> None:
    restart(deployment.redis, "immediate", random.uniform(0, 1))


def freeze_redis(deployment: Deployment, random: Random) -> None:
    deployment.redis.freeze()
    time.sleep(random.uniform(0.2, 1))
    deployment.redis.thaw()


def empty_redis(deployment: Deployment, _random: Random) -> None:
    with client(deployment.redis.url) as redis:
        redis.flushall()


ALL: Sequence[Fault] = (
    kill_a_worker,
    kill_a_worker,
    kill_all_workers,
    crash_a_replica,
    deploy_a_replica,
    stop_postgres_fast,
    stop_postgres_at_once,
    kill_postgres,
    kill_a_backend,
    terminate_backends,
    freeze_postgres,
    stop_redis,
    freeze_redis,
    empty_redis,
)


def inject(
    deployment: Deployment, faults: Sequence[Fault], seconds: float, random: Random
) -> list[str]:
    """Let faults happen for some seconds, and each at least once; return what happened when."""
    happened: list[str] = []
    begun = time.monotonic()
    deck: list[Fault] = []
    while (moment := time.monotonic() - begun) < seconds or len(happened) < len(faults):
        deck = deck or random.sample(faults, len(faults))
        fault = deck.pop()
        happened.append(f"{moment:5.1f} s  {fault.__name__.replace('_', ' ')}")
        with suppress(psycopg2.OperationalError):  # it is still recovering from the last one
            fault(deployment, random)
        time.sleep(random.uniform(0.2, 1))
    return happened


def kill(pid: int) -> None:
    with suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)


def restart(server: Server, mode: StopMode | signal.Signals, seconds: float = 0) -> None:
    server.stop(mode)
    time.sleep(seconds)
    server.start()

"""Accidents: what dies, freezes or is emptied under fire, in an order that a seed decides."""

import os
import signal
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from random import Random

import psycopg2

from tests.crash.world import World
from tests.support.daemon import Server, StopMode
from tests.support.redis_server import client

Accident = Callable[[World, Random], None]


def kill_a_worker(world: World, random: Random) -> None:
    kill(random.choice(random.choice(world.replicas).children()))


def kill_all_workers(world: World, random: Random) -> None:
    for pid in random.choice(world.replicas).children():
        kill(pid)


def crash_a_replica(world: World, random: Random) -> None:
    restart(random.choice(world.replicas), signal.SIGKILL)


def deploy_a_replica(world: World, random: Random) -> None:
    restart(random.choice(world.replicas), signal.SIGTERM)


def stop_postgres_fast(world: World, random: Random) -> None:
    restart(world.postgres, "fast", random.uniform(0, 0.5))


def stop_postgres_at_once(world: World, random: Random) -> None:
    restart(world.postgres, "immediate", random.uniform(0, 0.5))


def kill_postgres(world: World, random: Random) -> None:
    restart(world.postgres, signal.SIGKILL, random.uniform(0, 0.5))


def kill_a_backend(world: World, random: Random) -> None:
    """Kill one process of PostgreSQL, which then ends all others and recovers by itself."""
    backends = world.query(
        "SELECT pid FROM pg_stat_activity WHERE application_name = 'allthing-api'"
    )
    if backends:
        kill(random.choice(backends)[0])


def terminate_backends(world: World, _random: Random | None = None) -> None:
    world.query(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
        " WHERE application_name = 'allthing-api'"
    )


def freeze_postgres(world: World, random: Random) -> None:
    """Freeze it for longer or shorter than a request waits."""
    world.postgres.freeze()
    time.sleep(random.choice((0.5, 4)))
    world.postgres.thaw()


def stop_redis(world: World, random: Random) -> None:
    restart(world.redis, "immediate", random.uniform(0, 1))


def freeze_redis(world: World, random: Random) -> None:
    world.redis.freeze()
    time.sleep(random.uniform(0.2, 1))
    world.redis.thaw()


def empty_redis(world: World, _random: Random) -> None:
    with client(world.redis.url) as redis:
        redis.flushall()


ALL: Sequence[Accident] = (
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


def strike(
    world: World, accidents: Sequence[Accident], seconds: float, random: Random
) -> list[str]:
    """Let accidents happen for some seconds, and each at least once; return what happened when."""
    happened: list[str] = []
    begun = time.monotonic()
    deck: list[Accident] = []
    while (moment := time.monotonic() - begun) < seconds or len(happened) < len(accidents):
        deck = deck or random.sample(accidents, len(accidents))
        accident = deck.pop()
        happened.append(f"{moment:5.1f} s  {accident.__name__.replace('_', ' ')}")
        with suppress(psycopg2.OperationalError):  # it is still recovering from the last one
            accident(world, random)
        time.sleep(random.uniform(0.2, 1))
    return happened


def kill(pid: int) -> None:
    with suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)


def restart(server: Server, mode: StopMode | signal.Signals, seconds: float = 0) -> None:
    server.stop(mode)
    time.sleep(seconds)
    server.start()

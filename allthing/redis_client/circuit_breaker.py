"""The circuit breaker: commands go to Redis only while it is known to take writes.

One thread per process finds Redis, probes it, and runs the jobs that exchange with it. While the
breaker is closed commands go through, each within `REDIS_TIMEOUT`; the first failure trips it.
From then on no request touches Redis, until the thread has written to it again. So at most one
round of requests ever waits, and none for a name to be resolved or a master to be found.
"""

import logging
import os
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import redis
from flask import Flask
from redis.exceptions import MaxConnectionsError

from allthing.config import Settings
from allthing.redis_client.servers import (
    OneServer,
    Options,
    Sentinels,
    addresses,
    client_for,
    servers_at,
)
from allthing.runtime.deadlines import DeadlineExceeded, deadline, time_left

TICK_SECONDS = 0.1  # between runs of the jobs
CLOSE_SECONDS = 1.0  # the thread may take to end
# Several, since one node of a cluster takes those that are its own and refuses the others.
CANARIES = [f"allthing:canary:{number}" for number in range(8)]
CANARY_SECONDS = 60  # until Redis forgets one
KEY_ERRORS = ("WRONGTYPE", "not an integer")  # said of what a key holds; the server is well

Command = Callable[[redis.Redis], Any]
Job = Callable[[], None]

log = logging.getLogger(__name__)


class CircuitBreakers:
    """An app's breaker in each process, and the jobs that run behind it."""

    def __init__(self, app: Flask) -> None:
        settings: Settings = app.extensions["settings"]
        url, timeout = settings.redis_url, settings.redis_timeout
        self._app = app
        self._servers = servers_at(url, timeout) if url else None
        self._by_process: dict[int, CircuitBreaker] = {}
        self.jobs: list[Job] = []

    def of_process(self) -> "CircuitBreaker | None":
        """Return the breaker of this process, made at its first use; None when no URL is set."""
        breaker = self._by_process.get(os.getpid())
        if breaker is None and self._servers:
            made = CircuitBreaker(self._app.extensions["settings"], self._servers, self.run_jobs)
            breaker = self._by_process.setdefault(os.getpid(), made)
            if breaker is made:
                breaker.start()
        return breaker

    def close(self) -> None:
        """End the thread and the connections of this process."""
        breaker = self._by_process.pop(os.getpid(), None)
        if breaker:
            breaker.close()

    def run_jobs(self) -> None:
        """Run all jobs in an app context; one that fails is logged and stops no other."""
        with self._app.app_context():
            for job in self.jobs:
                try:
                    job()
                except Exception:
                    log.exception("a background job failed", extra={"job": repr(job)})


@dataclass(frozen=True)
class RedisStatus:
    """Redis as this process sees it: `healthy`, `unhealthy`, `connecting` or `disabled`."""

    state: str
    seconds: float = 0  # in this state
    trips: int = 0  # how often this process has lost it
    error: str | None = None  # why it was lost last


class CircuitBreaker:
    """One process's way to Redis. Threads share it; a forked process makes its own."""

    def __init__(self, settings: Settings, servers: OneServer | Sentinels, run_jobs: Job) -> None:
        self._run_jobs = run_jobs
        self._timeout = settings.redis_timeout
        self._probe_interval = settings.redis_probe_interval
        self._servers = servers
        self._found: Options = {}  # what the present client was made from
        self._client: redis.Redis | None = None  # None while the breaker is tripped
        self._status = RedisStatus("connecting")
        self._since = time.monotonic()
        self._lock = threading.Lock()
        self._has_tried = threading.Event()
        self._closed = threading.Event()
        self._thread = threading.Thread(target=self._work, name="redis", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def close(self) -> None:
        self._closed.set()
        self._thread.join(CLOSE_SECONDS)  # it may be waiting for a resolver
        if self._client:
            self._client.close()
        self._servers.close()

    @property
    def is_available(self) -> bool:
        return self._client is not None

    def status(self) -> RedisStatus:
        """Return how Redis is, without asking it."""
        self._wait_for_first_try()
        with self._lock:
            status, since = self._status, self._since
        return RedisStatus(status.state, time.monotonic() - since, status.trips, status.error)

    def call(self, command: Command) -> Any:
        """Run `command` on Redis and return its answer; None if it is away or the key spoiled."""
        self._wait_for_first_try()
        client = self._client
        return None if client is None else self._try(client, command)

    def _wait_for_first_try(self) -> None:
        """Wait once; whoever comes later does without, until Redis is found."""
        if not self._has_tried.is_set() and not self._has_tried.wait(self._timeout):
            self._has_tried.set()

    def _try(self, client: redis.Redis, command: Command) -> Any:
        if time_left() < self._timeout:  # the request is late already, which says nothing of Redis
            return None
        try:
            with deadline(self._timeout):
                return command(client)
        except (MaxConnectionsError, DeadlineExceeded):  # the fault is ours, not the server's
            return None
        except Exception as error:  # noqa: BLE001  # a sick server raises far more than RedisError
            if not is_key_error(error):
                self._trip(client, error)
            return None

    def _trip(self, client: redis.Redis | None, error: Exception) -> None:
        """Give up a client, unless it is given up already: what it says is no news then."""
        reason = f"{type(error).__name__}: {error}"[:200]
        with self._lock:
            given_up = self._client is not client or self._status.state == "unhealthy"
            if given_up or self._closed.is_set():
                return
            self._client = None
            self._status = RedisStatus("unhealthy", trips=self._status.trips + 1, error=reason)
            self._since = time.monotonic()
            self._has_tried.set()
        log.warning("redis is away", extra={"error": reason})
        if client:
            client.connection_pool.disconnect(inuse_connections=False)

    def _reset(self, client: redis.Redis) -> None:
        with self._lock:
            was_away = self._status.state == "unhealthy"
            self._client = client
            self._status = RedisStatus("healthy", trips=self._status.trips)
            self._since = time.monotonic()
            self._has_tried.set()
        if was_away:
            log.warning("redis is back")

    def _work(self) -> None:
        """Probe while Redis is away, run jobs while it is there, until the end."""
        checked = time.monotonic()
        while not self._closed.is_set():
            client = self._client
            if client is None:
                self._probe()
            elif time.monotonic() - checked >= self._probe_interval:
                checked = time.monotonic()
                self._check(client)
            if self._client:
                self._run_jobs()
            self._closed.wait(TICK_SECONDS if self._client else self._probe_interval)

    def _probe(self) -> None:
        try:
            client, self._found = self._connect()
        except Exception as error:  # noqa: BLE001  # whatever it is: still away
            self._trip(None, error)
        else:
            self._reset(client)

    def _connect(self) -> tuple[redis.Redis, Options]:
        """Write to where Redis may be, until one takes it; raise what the last one said if none.

        To write, since a full or read-only server still answers PING. By a new client, so that
        no connection to a demoted or restarted server is left.
        """
        failure: Exception = ConnectionError("no sentinel names a master")
        for options in self._servers.find():
            for address in addresses(options):
                client = client_for(address)
                try:
                    with deadline(self._timeout):
                        write_canaries(client)
                except Exception as error:  # noqa: BLE001  # the next may be well
                    failure = error
                    client.close()
                else:
                    return client, options
        raise failure

    def _check(self, client: redis.Redis) -> None:
        """Notice a fault that no request has met, and a master that has moved."""
        self._try(client, write_canaries)
        masters = self._servers.find()
        if masters and self._found not in masters:
            self._trip(client, ConnectionError("another server is the master now"))


def is_key_error(error: Exception) -> bool:
    return any(reason in str(error) for reason in KEY_ERRORS)


def write_canaries(client: redis.Redis) -> None:
    pipeline = client.pipeline(transaction=False)
    for key in CANARIES:
        pipeline.set(key, "1", ex=CANARY_SECONDS)
    pipeline.execute()

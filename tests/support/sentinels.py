"""A Redis master with a replica, and sentinels that fail over from one to the other."""

import secrets
import signal
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from typing import Any
from urllib.parse import urlsplit

from redis import RedisError

from tests.support.binaries import REDIS, obtain
from tests.support.daemon import Command, Daemon, Server
from tests.support.os_user import hand_over
from tests.support.redis_server import RedisServer, client
from tests.support.servers import redis_server
from tests.support.stopwatch import until

SERVICE = "polls"
SENTINELS, QUORUM = 3, 2
TIMEOUT_SECONDS = 30.0


class Sentinel(Server):
    """One sentinel, which watches a master at a port."""

    def __init__(self, master_port: int, password: str) -> None:
        daemon = Daemon("allthing-sentinel", crash=signal.SIGKILL)
        super().__init__(daemon)
        program = obtain(REDIS).within_reach("redis-server", daemon) / "redis-server"
        configuration = daemon.folder / "sentinel.conf"

        def command(port: int) -> Command:
            self.address = f"127.0.0.1:{port}"
            configuration.write_text(
                f"port {port}\nbind 127.0.0.1\ndir {daemon.folder}\n"
                f"sentinel monitor {SERVICE} 127.0.0.1 {master_port} {QUORUM}\n"
                f"sentinel auth-pass {SERVICE} {password}\n"
                f"sentinel down-after-milliseconds {SERVICE} 500\n"
                f"sentinel failover-timeout {SERVICE} 3000\n"
            )
            hand_over(configuration)
            return [program, configuration, "--sentinel"]

        daemon.launch(command, self._answers)

    def ask(self, *words: str) -> Any:
        with closing(client(f"redis://{self.address}")) as sentinel:
            return sentinel.execute_command(*words)

    def _answers(self) -> bool:
        try:
            return bool(self.ask("PING"))
        except RedisError:
            return False


class Fleet:
    """Two Redis servers and who watches over them."""

    def __init__(self, servers: list[RedisServer], sentinels: list[Sentinel]) -> None:
        self._servers = {urlsplit(server.url).port: server for server in servers}
        self._password = urlsplit(servers[0].url).password
        self.sentinels = sentinels

    @property
    def url(self) -> str:
        hosts = ",".join(sentinel.address for sentinel in self.sentinels)
        return f"redis+sentinel://:{self._password}@{hosts}/{SERVICE}/0"

    @property
    def master(self) -> RedisServer:
        """Return the server that the last sentinel takes for the master."""
        address = self.sentinels[-1].ask("SENTINEL", "GET-MASTER-ADDR-BY-NAME", SERVICE)
        return self._servers[int(address[1])]

    def fail_over(self) -> None:
        """Demote a master that is well, and wait until all sentinels know the new one."""
        before = self.master
        self.sentinels[-1].ask("SENTINEL", "FAILOVER", SERVICE)
        until(lambda: self.master is not before, TIMEOUT_SECONDS)

    def is_complete(self) -> bool:
        """Tell whether the sentinels have met, and know of the replica and that it is well."""
        for sentinel in self.sentinels:
            state = sentinel.ask("SENTINEL", "MASTER", SERVICE)
            told = dict(zip(state[::2], state[1::2], strict=True))
            if told[b"num-other-sentinels"] != b"2" or told[b"num-slaves"] != b"1":
                return False
        return b"ok" in self.sentinels[-1].ask("SENTINEL", "CKQUORUM", SERVICE).lower()


@contextmanager
def sentinel_fleet() -> Iterator[Fleet]:
    """Lend a master, its replica and three sentinels that have met."""
    password = secrets.token_hex(16)
    shared = {"private": True, "requirepass": password, "masterauth": password}
    with ExitStack() as stack:
        master = stack.enter_context(redis_server(**shared))
        port = urlsplit(master.url).port
        replica = stack.enter_context(redis_server(**shared, replicaof=f"127.0.0.1 {port}"))
        sentinels = [
            stack.enter_context(closing(Sentinel(port, password))) for _ in range(SENTINELS)
        ]
        fleet = Fleet([master, replica], sentinels)
        until(fleet.is_complete, TIMEOUT_SECONDS)
        yield fleet

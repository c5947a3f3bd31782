"""A real Redis for tests: one of our own, or one that was given by URL."""

import os
import secrets
import signal
from collections.abc import Mapping
from contextlib import closing

from redis import Redis, RedisError
from redis.backoff import NoBackoff
from redis.connection import parse_url
from redis.retry import Retry

from tests.support.binaries import REDIS, Binaries, ServerMissing
from tests.support.daemon import Command, Daemon, Server
from tests.support.os_user import hand_over


class RedisServer(Server):
    """A Redis server at `url`; one of ours forgets everything when it is stopped."""

    def __init__(self, url: str, daemon: Daemon | None = None) -> None:
        super().__init__(daemon)
        self.url = url

    @classmethod
    def given(cls, url: str) -> "RedisServer":
        """Take a server that runs already; each worker of pytest-xdist takes its own database.

        The first one has the database that the URL names, the next ones those after it.
        """
        cls.version_at(url)
        worker = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
        database = parse_url(url).get("db", 0) + worker
        return cls(f"{url}{'&' if '?' in url else '?'}db={database}" if worker else url)

    @staticmethod
    def version_at(url: str) -> str:
        """Return the version of the server at a URL; raise ServerMissing if none answers."""
        try:
            with closing(client(url)) as redis:
                return str(redis.info("server")["redis_version"])
        except (RedisError, ValueError) as error:
            raise ServerMissing(
                f"{REDIS.url_variable} is set, but there it says: {error}"
            ) from error

    @classmethod
    def private(cls, binaries: Binaries, settings: Mapping[str, object]) -> "RedisServer":
        """Start a server of our own, with `settings` as in redis.conf, but `_` for `-`."""
        daemon = Daemon("allthing-redis", crash=signal.SIGKILL)
        try:
            return cls(_launch(daemon, binaries, settings), daemon)
        except BaseException:
            daemon.close()
            raise


def client(url: str) -> "Redis":
    """Return a client that says soon and plainly if the server doesn't answer.

    By its defaults redis-py 8 retries ten times, for up to a minute.
    """
    return Redis.from_url(
        url,
        socket_timeout=1,
        socket_connect_timeout=1,
        retry=Retry(NoBackoff(), 0),
        protocol=2,
    )


def _launch(daemon: Daemon, binaries: Binaries, settings: Mapping[str, object]) -> str:
    program = binaries.within_reach("redis-server", daemon) / "redis-server"
    password = settings.get("requirepass", secrets.token_hex(16))
    configuration = daemon.folder / "redis.conf"

    def command(port: int) -> Command:
        # In a file, since anyone may read a command line.
        options = {"bind": "127.0.0.1", "dir": daemon.folder, "save": '""', "appendonly": "no"}
        named = {**options, **settings, "requirepass": password, "port": port}.items()
        configuration.write_text(
            "".join(f"{name.replace('_', '-')} {value}\n" for name, value in named)
        )
        hand_over(configuration)
        return [program, configuration]

    def url() -> str:
        return f"redis://:{password}@127.0.0.1:{daemon.port}/0"

    daemon.launch(command, lambda: _answers(url()))
    return url()


def _answers(url: str) -> bool:
    try:
        with closing(client(url)) as redis:
            return bool(redis.ping())
    except RedisError:
        return False

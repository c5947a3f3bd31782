"""What can happen to Redis. Each fault is a context: while its block runs, the fault is there."""

import secrets
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, closing, contextmanager, suppress
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from redis import Redis, RedisError

from tests.faults.relay import Relay
from tests.support.daemon import free_port
from tests.support.fake_redis import Behaviour, fake_redis, replying
from tests.support.redis_server import RedisServer, client
from tests.support.servers import redis_server

FLAP_SECONDS = 0.7
SLEEP_SECONDS = 3
KEYS_TO_LOAD = 200
BYTES_TO_LOAD = 100_000  # per key; a loading server looks at its clients every 2 MB
LOAD_MICROSECONDS = 15_000  # per key
LOADING_SECONDS = KEYS_TO_LOAD * LOAD_MICROSECONDS / 1_000_000
SPARE_SECONDS = 0.25  # before the end of a fault that ends by itself, it has been looked at
ENDLESS_SCRIPT = "while true do end"
READ_ONLY_FOLDER = 0o555

RedisFault = Callable[[RedisServer], AbstractContextManager[Any]]


def port_of(redis: RedisServer) -> int:
    port = urlsplit(redis.url).port
    assert port
    return port


@contextmanager
def nothing_else() -> Iterator[None]:
    """Add nothing to a fault that is there already."""
    yield


@contextmanager
def stopped(redis: RedisServer) -> Iterator[None]:
    redis.stop()
    yield
    redis.start()


@contextmanager
def frozen(redis: RedisServer) -> Iterator[None]:
    redis.freeze()
    yield
    redis.thaw()


@contextmanager
def flapping(redis: RedisServer) -> Iterator[None]:
    """Stop and start, and again."""
    over = threading.Event()

    def flap() -> None:
        while not over.wait(FLAP_SECONDS):
            redis.stop()
            over.wait(FLAP_SECONDS)
            redis.start()

    thread = threading.Thread(target=flap)
    thread.start()
    yield
    over.set()
    thread.join()


def pretending(behaviour: Behaviour) -> RedisFault:
    """Put a server that does this in the place of Redis."""

    @contextmanager
    def fault(redis: RedisServer) -> Iterator[None]:
        with stopped(redis), fake_redis(behaviour, port_of(redis)):
            yield

    return fault


def refusing(error: str) -> RedisFault:
    return pretending(replying(f"-{error}\r\n".encode()))


def late_by(seconds: float) -> RedisFault:
    """Put a wire that is slow before a Redis that is well."""

    @contextmanager
    def fault(redis: RedisServer) -> Iterator[None]:
        with stopped(redis), redis_server(private=True) as other:
            with closing(client(other.url)) as connection:
                connection.config_set("requirepass", urlsplit(redis.url).password or "")
            with closing(Relay(port_of(other), port_of(redis))) as wire:
                wire.delay = seconds
                yield

    return fault


@contextmanager
def unreachable(redis: RedisServer) -> Iterator[None]:
    """Let nothing answer, not even to say no: a listener whose queue is full drops what comes."""
    address = ("127.0.0.1", port_of(redis))
    with stopped(redis), ExitStack() as sockets:
        sockets.enter_context(socket.create_server(address, backlog=0))
        for _ in range(3):
            waiting = sockets.enter_context(socket.socket())
            waiting.settimeout(0)
            waiting.connect_ex(address)
        yield


@contextmanager
def asleep(redis: RedisServer) -> Iterator[None]:
    """Sleep, and then do all that was asked meanwhile."""
    sleep = threading.Thread(target=try_command, args=(redis, "DEBUG", "SLEEP", SLEEP_SECONDS))
    sleep.start()
    yield
    sleep.join()
    until_it_answers(redis)


@contextmanager
def busy(redis: RedisServer) -> Iterator[None]:
    """Run a script that never ends, so that everybody else is told BUSY."""
    with closing(client(redis.url)) as connection:
        connection.config_set("lua-time-limit", 10)
        script = threading.Thread(target=try_command, args=(redis, "EVAL", ENDLESS_SCRIPT, 0))
        script.start()
        yield
        connection.script_kill()
        script.join()


@contextmanager
def out_of_memory(redis: RedisServer) -> Iterator[None]:
    with closing(client(redis.url)) as connection:
        connection.config_set("maxmemory", 1)
        yield
        connection.config_set("maxmemory", 0)


@contextmanager
def another_password(redis: RedisServer) -> Iterator[None]:
    with closing(client(redis.url)) as connection:
        connection.config_set("requirepass", secrets.token_hex(8))
        hang_up_on_others(connection)
        yield
        connection.config_set("requirepass", urlsplit(redis.url).password or "")


@contextmanager
def no_more_clients(redis: RedisServer) -> Iterator[None]:
    with closing(client(redis.url)) as connection:
        before = connection.config_get("maxclients")["maxclients"]
        connection.config_set("maxclients", 1)
        hang_up_on_others(connection)
        yield
        connection.config_set("maxclients", before)


@contextmanager
def demoted(redis: RedisServer) -> Iterator[None]:
    """Make it the read-only replica of a master that is not there."""
    with closing(client(redis.url)) as connection:
        connection.replicaof("127.0.0.1", free_port())
        yield
        connection.replicaof("NO", "ONE")


@contextmanager
def unable_to_save(redis: RedisServer) -> Iterator[None]:
    """Let it fail to write its data file, upon which it takes no more writes (MISCONF)."""
    with closing(client(redis.url)) as connection:
        folder = Path(connection.config_get("dir")["dir"])
        mode = folder.stat().st_mode
        folder.chmod(READ_ONLY_FOLDER)
        connection.set("unsaved", "1")
        connection.bgsave()
        while connection.info("persistence")["rdb_last_bgsave_status"] == "ok":
            time.sleep(0.02)
        connection.config_set("save", "1 1")
        yield
        connection.config_set("save", "")
        folder.chmod(mode)
        connection.save()


@contextmanager
def loading(redis: RedisServer) -> Iterator[None]:
    """Restart with data that take seconds to load, in which everybody is told LOADING."""
    with closing(client(redis.url)) as connection:
        connection.flushall()  # each key takes its time
        for number in range(KEYS_TO_LOAD):
            connection.set(f"ballast:{number}", secrets.token_bytes(BYTES_TO_LOAD))
        connection.config_set("key-load-delay", LOAD_MICROSECONDS)
        connection.config_rewrite()
        connection.save()
    redis.stop()
    starting = threading.Thread(target=redis.start)
    starting.start()
    yield
    starting.join()
    with closing(client(redis.url)) as connection:
        connection.config_set("key-load-delay", 0)
        connection.config_rewrite()
        connection.flushall()
        connection.save()


def hang_up_on_others(connection: Redis) -> None:
    connection.execute_command("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")


def try_command(redis: RedisServer, *words: object) -> None:
    """Send a command that takes longer than our client waits."""
    with closing(client(redis.url)) as connection, suppress(RedisError):
        connection.execute_command(*words)


def until_it_answers(redis: RedisServer) -> None:
    with closing(client(redis.url)) as connection:
        while True:
            with suppress(RedisError):
                connection.ping()
                return
            time.sleep(0.02)

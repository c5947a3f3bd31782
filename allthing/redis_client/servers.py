"""Where Redis is, and clients that keep to a deadline whatever it does."""

import socket
from collections import Counter
from contextlib import suppress
from typing import Any
from urllib.parse import urlsplit

import redis
from redis.backoff import NoBackoff
from redis.connection import Connection, ConnectionPool, parse_url
from redis.retry import Retry

from allthing.runtime.deadlines import DeadlineExceeded, DeadlineSocket, deadline, require_time_left

REDIS_PORT, SENTINEL_PORT = 6379, 26379
SENTINEL_SUFFIX = "+sentinel"

Options = dict[str, Any]  # of a connection, as a URL of redis-py gives them


class OneServer:
    """Redis at an address that is given."""

    def __init__(self, url: str) -> None:
        self._options = options_in(url)

    def find(self) -> list[Options]:
        """Return the ways to where Redis may be, the likeliest first."""
        return [self._options]

    def close(self) -> None:
        """Leave no connection behind."""


class Sentinels:
    """Redis where sentinels say that it is; the master that most of them name comes first.

    The URL is redis+sentinel://[user:password@]host[:port][,host[:port]…]/service[/db], or
    rediss+sentinel:// for TLS; the password is that of Redis, `?sentinel_password=` theirs.
    """

    def __init__(self, url: str, timeout: float) -> None:
        parts = urlsplit(url)
        scheme = parts.scheme.removesuffix(SENTINEL_SUFFIX)
        credentials, at, hosts = parts.netloc.rpartition("@")
        self._timeout = timeout
        self._service, _, database = parts.path.strip("/").partition("/")
        options = options_in(f"{scheme}://{credentials}{at}sentinel/{database}?{parts.query}")
        theirs = {name: options.pop(f"sentinel_{name}", None) for name in ("username", "password")}
        theirs |= {name: value for name, value in options.items() if name.startswith("ssl_")}
        self._options = options
        self._sentinels: list[Any] = [
            client_for({"port": SENTINEL_PORT} | options_in(f"{scheme}://{host}") | theirs)
            for host in hosts.split(",")
        ]

    def find(self) -> list[Options]:
        """Return the ways to where Redis may be; none if no sentinel answers."""
        named: Counter[tuple[str, int]] = Counter()
        for sentinel in self._sentinels:
            with suppress(Exception), deadline(self._timeout):
                named[sentinel.sentinel_get_master_addr_by_name(self._service)] += 1
        masters = [address for address, _ in named.most_common()]
        return [self._options | {"host": host, "port": port} for host, port in masters]

    def close(self) -> None:
        for sentinel in self._sentinels:
            sentinel.close()


def servers_at(url: str, timeout: float) -> OneServer | Sentinels:
    """Read a URL; `timeout` is in seconds, for each sentinel."""
    if urlsplit(url).scheme.endswith(SENTINEL_SUFFIX):
        return Sentinels(url, timeout)
    return OneServer(url)


def options_in(url: str) -> Options:
    options: Options = parse_url(url)  # type: ignore[no-untyped-call]  # redis-py says no types
    return options


def addresses(options: Options) -> list[Options]:
    """Resolve the host in `options`, which may take as long as the resolver likes."""
    if "path" in options:
        return [options]
    name, port = options.get("host", "localhost"), options.get("port", REDIS_PORT)
    found = socket.getaddrinfo(name, port, type=socket.SOCK_STREAM)
    return [options | {"host": address[0], "server_name": name} for *_, address in found]


def client_for(options: Options) -> redis.Redis:
    """Return a client whose connections, plain, TLS or UNIX, keep to the deadline.

    A certificate has to be for `server_name`, if that is given, else for the host.
    """
    kind: type[Any] = options.get("connection_class", Connection)
    server_name = options.get("server_name")

    class Bounded(kind):  # type: ignore[misc]  # which of them the URL decides
        host: str

        def _connect(self) -> DeadlineSocket:
            self.socket_connect_timeout = require_time_left()
            return DeadlineSocket(super()._connect())

        def _wrap_socket_with_ssl(self, connected: socket.socket) -> Any:
            address, self.host = self.host, server_name or self.host
            try:
                connected.settimeout(require_time_left())
                return super()._wrap_socket_with_ssl(connected)
            except DeadlineExceeded:  # redis-py closes it at errors of its own only
                connected.close()
                raise
            finally:
                self.host = address

    ours: Options = {
        "connection_class": Bounded,
        "retry": Retry(NoBackoff(), 0),  # the default of ten nested retries waits for minutes
        "protocol": 2,
        "driver_info": None,  # two round trips less per connection
        "decode_responses": True,
        "encoding_errors": "replace",  # bytes that are no text are a miss, not a fault of Redis
    }
    known = {name: value for name, value in options.items() if name != "server_name"}
    return redis.Redis.from_pool(ConnectionPool(**known | ours))

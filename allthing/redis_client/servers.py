"""Where Redis is, and clients that keep to a deadline whatever it does."""

import socket
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from typing import Any
from urllib.parse import urlsplit

import redis
from redis.backoff import NoBackoff
from redis.connection import Connection, ConnectionPool, parse_url
from redis.retry import Retry

from allthing.deadlines import BoundedSocket, deadline, seconds_left

REDIS_PORT, SENTINEL_PORT = 6379, 26379

Options = dict[str, Any]  # of a connection, as a URL of redis-py gives them


def finder(url: str, timeout: float) -> Callable[[], list[Options]]:
    """Return a function that says how to reach Redis, by asking sentinels if the URL has any.

    Such a URL is redis+sentinel://[user:password@]host[:port][,host[:port]…]/service[/db], or
    rediss+sentinel:// for TLS; the password is that of Redis, `?sentinel_password=` theirs.
    Where sentinels disagree, the master that most of them name comes first.
    """
    parts = urlsplit(url)
    scheme, _, with_sentinels = parts.scheme.partition("+")
    if not with_sentinels:
        fixed = [options_in(url)]
        return lambda: fixed
    credentials, at, hosts = parts.netloc.rpartition("@")
    service, _, database = parts.path.strip("/").partition("/")
    options = options_in(f"{scheme}://{credentials}{at}sentinel/{database}?{parts.query}")
    login = {name: options.pop(f"sentinel_{name}", None) for name in ("username", "password")}
    sentinels: list[Any] = [
        client_for({"port": SENTINEL_PORT} | options_in(f"{scheme}://{host}") | login)
        for host in hosts.split(",")
    ]

    def find() -> list[Options]:
        named: Counter[tuple[str, int]] = Counter()
        for sentinel in sentinels:
            with suppress(Exception), deadline(timeout):
                named[sentinel.sentinel_get_master_addr_by_name(service)] += 1
        return [options | {"host": host, "port": port} for (host, port), _ in named.most_common()]

    return find


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

        def _connect(self) -> BoundedSocket:
            self.socket_connect_timeout = seconds_left()
            return BoundedSocket(super()._connect())

        def _wrap_socket_with_ssl(self, connected: socket.socket) -> Any:
            connected.settimeout(seconds_left())
            address, self.host = self.host, server_name or self.host
            try:
                return super()._wrap_socket_with_ssl(connected)
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

"""Types of settings: each reads a text of the environment, or says what is wrong with it."""

import re
from typing import Annotated
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from limits import parse_many
from pydantic import AfterValidator, BeforeValidator, Field
from pydantic_settings import NoDecode

SEVERAL_HOSTS = re.compile(
    r"^(?P<scheme>postgresql[^:]*)://(?P<user>[^/?]*@)?(?P<hosts>[^/?@]*,[^/?@]*)"
    r"(?P<name>/[^?]*)?(?:\?(?P<query>.*))?$"
)
REDIS_URL = re.compile(
    r"(rediss?://[^/?]+.*|unix://.+|rediss?\+sentinel://[^/?]+/[^/?]+(/\d+)?(\?.*)?)?"
)


def split_commas(value: object) -> object:
    """Read `a, b` as a list; leave everything else for the type to judge."""
    if isinstance(value, str):
        return [item.strip() for item in value.split(",") if item.strip()]
    return value


def check_zone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError) as error:
        raise ValueError(f"{name!r} is not a time zone such as America/New_York") from error
    return name


def check_rate(value: str) -> str:
    parse_many(value)
    return value


def check_redis_url(url: str) -> str:
    if not REDIS_URL.fullmatch(url):
        raise ValueError(
            "it is none of redis://, rediss://, unix:// and redis+sentinel://host:port,…/service/0"
        )
    return url


def check_origins(values: list[str]) -> list[str]:
    for value in values:
        parts = urlsplit(value)
        if parts.scheme not in {"http", "https"} or not parts.netloc or parts.path.strip("/"):
            raise ValueError(f"{value!r} is not an origin such as https://polls.example.org")
    return [value.rstrip("/").lower() for value in values]


def hosts_as_query(url: re.Match[str]) -> str:
    """Write libpq's `//host:port,host:port/name` as SQLAlchemy reads several hosts."""
    hosts, ports = [], []
    for pair in url["hosts"].split(","):
        host, _, port = pair.rpartition(":") if re.search(r":\d+$", pair) else (pair, "", "5432")
        hosts.append(host.strip("[]"))
        ports.append(port)
    query = f"host={','.join(hosts)}&port={','.join(ports)}"
    rest = f"&{url['query']}" if url["query"] else ""
    return f"{url['scheme']}://{url['user'] or ''}{url['name'] or '/'}?{query}{rest}"


def with_driver(url: str) -> str:
    """Write a database URL as SQLAlchemy reads it, to which a bare one means psycopg 3."""
    return SEVERAL_HOSTS.sub(
        hosts_as_query, re.sub(r"^postgres(ql)?://", "postgresql+psycopg2://", url)
    )


CommaSeparated = Annotated[list[str], NoDecode, BeforeValidator(split_commas)]
Rate = Annotated[str, AfterValidator(check_rate)]
Seconds = Annotated[float, Field(gt=0)]

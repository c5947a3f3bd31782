"""Who is calling: the client's address, behind as many proxies as are trusted."""

from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

from flask import Flask, request
from werkzeug.middleware.proxy_fix import ProxyFix

IPV6_SUBSCRIBER_PREFIX = 64
KNOWN_CLIENTS = 4096  # whose addresses need not be read again


def client_address() -> IPv4Address | IPv6Address:
    """Return the address of the client, an IPv4 one mapped into IPv6 as IPv4.

    A forwarded address that is no address is ignored: then the socket's peer is the client.
    """
    environ = request.environ
    direct = environ.get("werkzeug.proxy_fix.orig", {}).get("REMOTE_ADDR")
    return first_address(environ.get("REMOTE_ADDR"), direct)


@lru_cache(KNOWN_CLIENTS)
def first_address(*candidates: str | None) -> IPv4Address | IPv6Address:
    """Return the first of the candidates that is an address."""
    for candidate in candidates:
        try:
            address = ip_address((candidate or "").strip())
        except ValueError:
            continue
        if isinstance(address, IPv6Address):
            return address.ipv4_mapped or IPv6Address(address.packed)
        return address
    return IPv4Address(0)  # a UNIX socket has no address


def client_network() -> str:
    """Name what is one client for limits."""
    return network_of(client_address())


@lru_cache(KNOWN_CLIENTS)
def network_of(address: IPv4Address | IPv6Address) -> str:
    """Return an IPv4 address as it is, of an IPv6 one the subscriber's /64."""
    if isinstance(address, IPv6Address):
        return str(ip_network((address, IPV6_SUBSCRIBER_PREFIX), strict=False))
    return str(address)


def init_app(app: Flask) -> None:
    trusted_proxies = app.extensions["settings"].trusted_proxies
    if trusted_proxies:
        app.wsgi_app = ProxyFix(  # type: ignore[method-assign]  # Flask's documented way
            app.wsgi_app, x_for=trusted_proxies, x_proto=1, x_host=0
        )

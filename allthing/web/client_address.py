"""The client's address, behind as many proxies as are trusted."""

from ipaddress import IPv4Address, IPv6Address, ip_address
from socket import AF_INET, AF_INET6, inet_ntop, inet_pton

from flask import Flask, request
from werkzeug.middleware.proxy_fix import ProxyFix

from allthing.config import settings

SUBSCRIBER_BYTES = 8  # of an IPv6 address: a /64 is one subscriber
INTERFACE_BYTES = bytes(16 - SUBSCRIBER_BYTES)
MAPPED_PREFIX = bytes(10) + b"\xff\xff"  # of an IPv4 address mapped into IPv6
NO_ADDRESS = bytes(4)  # a UNIX socket has none


def client_address() -> IPv4Address | IPv6Address:
    """Return the address of the client, an IPv4 one mapped into IPv6 as IPv4.

    A forwarded address that is no address is ignored: then the socket's peer is the client.
    """
    return ip_address(packed_client_address())


def client_network() -> str:
    """Name what is one client for limits: see `network_of`."""
    return network_of(packed_client_address())


def network_of(packed: bytes) -> str:
    """Return an IPv4 address as it is, of an IPv6 one the subscriber's /64."""
    if len(packed) == len(NO_ADDRESS):
        return inet_ntop(AF_INET, packed)
    return f"{inet_ntop(AF_INET6, packed[:SUBSCRIBER_BYTES] + INTERFACE_BYTES)}/64"


def packed_client_address() -> bytes:
    """Return the client's address in network order; every request asks, so no object is made."""
    address = packed(forwarded_address())
    if address is None:
        address = packed(request.environ.get("REMOTE_ADDR"))
    return NO_ADDRESS if address is None else address


def forwarded_address() -> str | None:
    """Return what the outermost trusted proxy put down as its peer; None if it has not come so far.

    `ProxyFix` reads the header by its grammar, in which what a client sent can swallow what comes
    after it: an unclosed quote. A proxy adds a comma and an address, whatever it got.
    """
    trusted_proxies = settings().trusted_proxies
    forwarded = request.environ.get("HTTP_X_FORWARDED_FOR", "") if trusted_proxies else ""
    addresses = forwarded.rsplit(",", trusted_proxies)
    return addresses[-trusted_proxies] if len(addresses) >= trusted_proxies else None


def packed(text: str | None) -> bytes | None:
    """Read an address, without the zone of a link-local one; None if it is none."""
    address = (text or "").strip()
    try:
        if ":" not in address:
            return inet_pton(AF_INET, address)
        found = inet_pton(AF_INET6, address.partition("%")[0])
    except (OSError, ValueError):  # the latter for NUL
        return None
    return found[len(MAPPED_PREFIX) :] if found.startswith(MAPPED_PREFIX) else found


def init_app(app: Flask) -> None:
    if app.extensions["settings"].trusted_proxies:
        app.wsgi_app = ProxyFix(  # type: ignore[method-assign]  # Flask's documented way
            app.wsgi_app, x_for=0, x_proto=1, x_host=0
        )

"""The voter: an anonymous, signed cookie, and the origins from which it may be used."""

import functools
import secrets
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

from flask import Response, after_this_request, request
from flask.typing import ResponseReturnValue
from itsdangerous import BadData, URLSafeSerializer

from allthing.client import client_network
from allthing.config import settings
from allthing.cors import origin_is_allowed
from allthing.problems import Forbidden
from allthing.voting import Voter

COOKIE = "vt"
COOKIE_SECONDS = 365 * 24 * 3600
COOKIE_SALT = "voter-token"
TOKEN_BYTES = 24
TOKEN_LENGTHS = range(16, 129)


def for_voters(view: Callable[..., ResponseReturnValue]) -> Callable[..., ResponseReturnValue]:
    """Hand the view the request's `voter`, known before anything else can refuse it.

    So a voter whose first ballot is refused has an identity already when it is sent again.
    """

    @functools.wraps(view)
    def call(**arguments: Any) -> ResponseReturnValue:
        refuse_foreign_page()
        return view(voter=recognise_voter(), **arguments)

    return call


def serializer() -> URLSafeSerializer:
    """Sign as the original site did, so that voters keep their identity in a switch-over."""
    return URLSafeSerializer(settings().secret_key, salt=COOKIE_SALT)


def recognise_voter() -> Voter:
    """Return the voter of this request; one without a valid cookie gets one with any answer."""
    token = token_from_cookie(request.cookies.get(COOKIE, ""))
    if token is None:
        token = secrets.token_urlsafe(TOKEN_BYTES)
        cookie = serializer().dumps({"t": token})
        after_this_request(lambda response: with_cookie(response, str(cookie)))
    return Voter(
        token=token,
        address=client_network(),
        user_agent=request.headers.get("User-Agent", ""),
        country=located("cf-ipcountry", 2),
        region=located("cf-region-code", 32) or located("cf-region", 32),
    )


def token_from_cookie(cookie: str) -> str | None:
    """Return the token that we signed; None for junk, another key's or a tampered cookie."""
    try:
        token = serializer().loads(cookie)["t"]
    except (BadData, TypeError, KeyError, ValueError):
        return None
    return token if isinstance(token, str) and len(token) in TOKEN_LENGTHS else None


def with_cookie(response: Response, cookie: str) -> Response:
    response.set_cookie(
        COOKIE,
        cookie,
        max_age=COOKIE_SECONDS,
        path="/",
        domain=settings().cookie_domain or None,
        secure=settings().cookie_secure,
        httponly=True,
        samesite="Lax",
    )
    return response


def located(header: str, length: int) -> str | None:
    """Return a place header, which only a trusted proxy may set; None if it makes no sense."""
    value = request.headers.get(header, "") if settings().trusted_proxies else ""
    return value if value.isascii() and value.isprintable() and 0 < len(value) <= length else None


def refuse_foreign_page() -> None:
    """Let only our own pages vote with a cookie. What names no page is no browser: allowed."""
    page = request.headers.get("Origin") or origin_of(request.headers.get("Referer"))
    cross_site = request.headers.get("Sec-Fetch-Site") == "cross-site"
    if cross_site or (page is not None and not origin_is_allowed(page)):
        raise Forbidden("votes from this page are not accepted")


def origin_of(referer: str | None) -> str | None:
    if not referer:
        return None
    try:
        parts = urlsplit(referer)
    except ValueError:
        return "null"
    return f"{parts.scheme}://{parts.netloc}"

"""The voter: an anonymous, signed cookie, and the origins from which it may be used."""

import functools
import secrets
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

from flask import Response, after_this_request, request
from flask.typing import ResponseReturnValue
from itsdangerous import BadData, Serializer, URLSafeSerializer
from itsdangerous.encoding import base64_encode
from werkzeug.http import dump_cookie

from allthing.config import settings
from allthing.errors import Forbidden
from allthing.voting.cast import Voter
from allthing.voting.pseudonyms import pseudonym
from allthing.web.client_address import client_network
from allthing.web.cors import origin_is_allowed

COOKIE = "vt"
COOKIE_SECONDS = 365 * 24 * 3600
COOKIE_SALT = "voter-token"  # the original site's, so that its cookies stay good
TOKEN_BYTES = 24  # of randomness in a new token
TOKEN_LENGTHS = range(16, 129)  # characters of a token that is accepted


class Visitor:
    """Whoever sends a vote: known by a cookie, or unknown so far."""

    def __init__(self) -> None:
        """Read the request's cookie; one that is not of ours, signed now, comes with any answer."""
        cookie = request.cookies.get(COOKIE, "")
        current, *others = settings().secret_keys
        token = token_from_cookie(cookie, current)
        if token is None:
            after_this_request(lambda response: with_cookie(response, self.token))
            token = next(filter(None, (token_from_cookie(cookie, key) for key in others)), None)
        self.is_known = token is not None
        self.passed_bot_check = False
        self.token: str = token or secrets.token_urlsafe(TOKEN_BYTES)

    def as_voter(self, poll_id: str, key: str | None) -> Voter:
        """Return the voter. One who is unknown but sends an idempotency key is known by that.

        So whoever sends a vote again, since the answer and the cookie in it got lost, is the same.
        """
        if key is not None and not self.is_known:
            self.token = pseudonym(poll_id, "token", key)
        country = region = None
        if settings().trusted_proxies:
            country = place_header("HTTP_CF_IPCOUNTRY", 2)
            region = place_header("HTTP_CF_REGION_CODE", 32) or place_header("HTTP_CF_REGION", 32)
        return Voter(
            token=self.token,
            address=client_network(),
            user_agent=request.environ.get("HTTP_USER_AGENT", ""),
            country=country,
            region=region,
        )


def with_visitor(view: Callable[..., ResponseReturnValue]) -> Callable[..., ResponseReturnValue]:
    """Hand the view the request's `visitor`, known before anything else can refuse it.

    So a voter whose first ballot is refused has an identity already when it is sent again.
    """

    @functools.wraps(view)
    def call(**arguments: Any) -> ResponseReturnValue:
        require_allowed_page()
        return view(visitor=Visitor(), **arguments)

    return call


class TokenSerializer(URLSafeSerializer):
    """Signs as the original site did, so that voters keep their identity in a switch-over."""

    def dump_payload(self, obj: Any) -> bytes:
        # To try zlib on a random token, which can't shrink, costs four times all the rest.
        return base64_encode(Serializer.dump_payload(self, obj))


@functools.lru_cache
def serializer(secret_key: str) -> URLSafeSerializer:
    return TokenSerializer(secret_key, salt=COOKIE_SALT)


def token_from_cookie(cookie: str, secret_key: str) -> str | None:
    """Return the token that was signed; None for junk, another key's or a tampered cookie."""
    if not cookie:
        return None
    try:
        token = serializer(secret_key).loads(cookie)["t"]
    except (BadData, TypeError, KeyError, ValueError):
        return None
    return token if isinstance(token, str) and len(token) in TOKEN_LENGTHS else None


def with_cookie(response: Response, token: str) -> Response:
    ours = settings()
    signed = serializer(ours.secret_key).dumps({"t": token})
    attributes = cookie_attributes(ours.cookie_domain, ours.cookie_secure)
    response.headers.add("Set-Cookie", f"{COOKIE}={signed}{attributes}")
    return response


@functools.lru_cache
def cookie_attributes(domain: str, secure: bool) -> str:
    """Return what follows the value, which is the same for all: to write it takes long."""
    empty = dump_cookie(
        COOKIE,
        max_age=COOKIE_SECONDS,
        domain=domain or None,
        secure=secure,
        httponly=True,
        samesite="Lax",
        sync_expires=False,
    )
    return empty.removeprefix(f"{COOKIE}=")


def place_header(name: str, max_length: int) -> str | None:
    """Return a place header of a trusted proxy, named as in WSGI; None if it makes no sense."""
    # Not of `request.headers`: they raise and catch an error for each header that is missing.
    value: str = request.environ.get(name, "")
    return (
        value if value.isascii() and value.isprintable() and 0 < len(value) <= max_length else None
    )


def require_allowed_page() -> None:
    """Let only allowed pages vote with a cookie. What names no page is no browser: allowed.

    Raises `Forbidden`.
    """
    environ = request.environ
    page = environ.get("HTTP_ORIGIN") or origin_of(environ.get("HTTP_REFERER"))
    cross_site = environ.get("HTTP_SEC_FETCH_SITE") == "cross-site"
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

"""Who may administer: the key in `x-admin-key`, compared by hash in constant time."""

import hashlib
import hmac
from dataclasses import dataclass
from http import HTTPStatus

from flask import g, request

from allthing.config import settings
from allthing.errors import Problem, Unavailable
from allthing.web.client_address import client_address

USER_AGENT_LENGTH = 256  # characters that are kept
KEY_HEADERS = ("x-admin-key", "xadminkey")  # the stock cron job sends the second


class Unauthorized(Problem):
    """No key or a wrong one: the same answer for both, and for nothing else."""

    status = HTTPStatus.UNAUTHORIZED


@dataclass(frozen=True)
class AdminContext:
    """Who acts: an admin by key, known by its name and the SHA-256 of it, or the command line."""

    key_name: str | None
    key_hash: str | None
    address: str | None
    user_agent: str | None
    via: str = "http"


def require_admin() -> None:
    """Let a request pass with one of the configured keys, and note whose it is in `g.admin`.

    Raises `Unauthorized`, and `Unavailable` if no key is configured.
    """
    presented = hash_of_key()
    g.admin = AdminContext(
        key_name=None,
        key_hash=presented,
        address=str(client_address()),
        user_agent=request.headers.get("User-Agent", "")[:USER_AGENT_LENGTH] or None,
    )
    known = settings().admin_key_hashes
    if not known:
        raise Unavailable("administration is off: no admin key is configured")
    matches = [name for key_hash, name in known.items() if is_same(key_hash, presented)]
    if not matches:
        raise Unauthorized("the admin key is missing or wrong", {"WWW-Authenticate": "ApiKey"})
    g.admin = AdminContext(matches[0], presented, g.admin.address, g.admin.user_agent)


def acting_admin() -> str:
    """Return the name of the key that this request was let in with."""
    return str(g.admin.key_name)


def hash_of_key() -> str | None:
    """Return the SHA-256 hex of the presented key, over the bytes as they came; None without.

    Two headers count as HTTP joins them, whatever their spelling: as no key that there is.
    """
    values = [request.headers[name] for name in KEY_HEADERS if name in request.headers]
    key = ",".join(values).encode("latin-1", "backslashreplace")
    return hashlib.sha256(key).hexdigest() if values else None


def is_same(known: str, presented: str | None) -> bool:
    return hmac.compare_digest(known.encode(), (presented or "").encode())

"""The bot check: Cloudflare Turnstile, if a secret is configured.

https://developers.cloudflare.com/turnstile/get-started/server-side-validation/
"""

import json
import logging
from http.client import HTTPException
from urllib.parse import urlencode
from urllib.request import Request, urlopen

from allthing.config import settings
from allthing.errors import Forbidden

TIMEOUT_SECONDS = 3
MAX_RESPONSE_BYTES = 64 * 1024

log = logging.getLogger(__name__)


def is_required() -> bool:
    return bool(settings().turnstile_secret_key)


def refuse_bots(token: str | None, address: str) -> None:
    """Let pass whom Turnstile vouches for; a token is good for one call.

    Without an answer from Turnstile nobody passes, unless `TURNSTILE_FAIL_OPEN` says otherwise.
    Raises `Forbidden`.
    """
    if not token:
        raise Forbidden("the bot check is missing: reload the page and try again")
    try:
        passed = verify(token, address)
    except (OSError, HTTPException, ValueError) as error:
        log.warning("turnstile does not respond", extra={"error": str(error)[:200]})
        passed = settings().turnstile_fail_open
    if not passed:
        raise Forbidden("the bot check was not passed: reload the page and try again")


def verify(token: str, address: str) -> bool:
    secret = settings().turnstile_secret_key
    form = urlencode({"secret": secret, "response": token, "remoteip": address})
    request = Request(settings().turnstile_url, data=form.encode())  # noqa: S310  # our own setting
    with urlopen(request, timeout=TIMEOUT_SECONDS) as response:  # noqa: S310  # as above
        answer = json.loads(response.read(MAX_RESPONSE_BYTES))
    return isinstance(answer, dict) and answer.get("success") is True

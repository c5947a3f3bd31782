"""Hashes that stand for a voter in one poll: they can be neither guessed nor linked across polls.

While the secret is being rotated, a voter goes by several: one under each configured secret.
"""

import hmac

from allthing.config import settings


def pseudonym(poll_id: str, purpose: str, value: str) -> str:
    """Return the hash under the current secret, in hex; `purpose` keeps kinds of values apart."""
    return keyed(settings().secret_key, poll_id, purpose, value)


def pseudonyms(poll_id: str, purpose: str, value: str) -> list[str]:
    """Return the hashes under all configured secrets, the current one first."""
    return [keyed(secret, poll_id, purpose, value) for secret in settings().secret_keys]


def keyed(secret: str, poll_id: str, purpose: str, value: str) -> str:
    message = f"{purpose}\0{poll_id}\0{value}"
    return hmac.digest(secret.encode(), message.encode(), "sha256").hex()

"""What is asked of the served app, and what is expected of its answers."""

import time
from collections.abc import Callable

import requests

from tests.conftest import ADMIN_KEY
from tests.support.served import ServedApp

FIRST_SECONDS = 4.0  # that who meets a fault first may wait; 1.6 s where nothing else runs
LATER_SECONDS = 1.0  # that anybody after that may wait; some ms where nothing else runs
KEY = {"x-admin-key": ADMIN_KEY}
ASK = "/connection?setting=TimeZone"  # a read that nothing caches


def new_category(server: ServedApp, key: str) -> requests.Response:
    body = {"key": key, "name": "Away"}
    return server.post("/admin/categories", json=body, headers=KEY)


def timed_answer(call: Callable[[], requests.Response]) -> tuple[int, float]:
    """Return the status of an answer, and the seconds until it was there."""
    begun = time.monotonic()
    return call().status_code, time.monotonic() - begun


def assert_unavailable(answer: requests.Response) -> None:
    assert answer.status_code == 503, answer.text
    assert int(answer.headers["Retry-After"]) > 0
    assert isinstance(answer.json()["detail"], str)

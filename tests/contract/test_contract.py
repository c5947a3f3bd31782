"""The app as served keeps the wire contract, walked as the site and the portal would."""

import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest
from flask import Flask

from tests.conftest import ADMIN_KEY, ROOT
from tests.contract.site import PAGES_ZONE
from tests.support.served import ServedApp, served

pytestmark = [pytest.mark.postgresql, pytest.mark.long]

Settings = dict[str, Any]


def walk(base: str, *arguments: str, key: str = ADMIN_KEY) -> subprocess.CompletedProcess[str]:
    command = (sys.executable, "-m", "tests.contract", "--base", base, "--key", key)
    return subprocess.run(
        [*command, *arguments], cwd=ROOT, capture_output=True, text=True, timeout=300, check=False
    )


@pytest.fixture
def settings(settings_of_tests: Settings) -> Settings:
    return settings_of_tests | {"poll_timezone": PAGES_ZONE.key}


@pytest.fixture
def server(app: Flask, settings: Settings) -> Iterator[ServedApp]:
    with served(**settings) as server:
        yield server


def assert_kept(done: subprocess.CompletedProcess[str]) -> None:
    lines = done.stdout.splitlines()
    faults = [line for line in lines if not line.startswith("ok   ")][:-1]
    assert (faults, done.stderr, done.returncode) == ([], "", 0), "\n".join(faults)
    assert lines[-1] == f"{len(lines) - 1} passed, 0 failed"


def test_contract_is_kept_without_redis(app: Flask, settings: Settings) -> None:
    with served(**settings | {"redis_url": ""}) as server:
        assert_kept(walk(server.url, "--alone"))


def test_contract_is_kept_by_a_server_walked_before(server: ServedApp) -> None:
    """A walk leaves only categories of its own, and does not mind those of another."""
    assert_kept(walk(server.url, "--alone"))
    assert_kept(walk(server.url))
    headers = {"x-admin-key": ADMIN_KEY}
    for path, name in (("templates", "templates"), ("presets", "presets")):
        assert server.get(f"/admin/{path}", headers=headers).json()[name] == []
    assert server.get("/polls/today").json()["data"]["categories"] == []


def test_walk_tells_what_is_wrong_and_changes_nothing_where_it_may_not(server: ServedApp) -> None:
    done = walk(server.url, "--origin", "https://elsewhere.example")
    assert done.returncode == 1
    assert "FAIL The login probe takes the key" in done.stdout
    assert done.stdout.splitlines()[-1].endswith(" failed")
    headers = {"x-admin-key": ADMIN_KEY}
    assert server.get("/admin/categories", headers=headers).json() == {"categories": []}

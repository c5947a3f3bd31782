"""The log: a line of JSON for each request, and none is lost at an orderly end."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

from flask import Flask

from tests.support.served import WORKERS, served

CROWD = 8
REQUESTS = 400


def test_every_request_is_logged_though_we_are_stopped_at_once(
    app: Flask, settings_of_tests: dict[str, Any]
) -> None:
    with served(**settings_of_tests) as server:
        before = len(server.logged("request"))

        def ask(number: int) -> int:
            return server.get(f"/polls/{number}/results?voter=secret").status_code

        with ThreadPoolExecutor(CROWD) as pool:
            assert set(pool.map(ask, range(REQUESTS))) == {404}
        server.stop()

        lines = server.logged("request")[before:]
    assert len(lines) == REQUESTS
    assert len({line["process"] for line in lines}) == WORKERS
    for line in lines:
        assert (line["level"], line["logger"]) == ("INFO", "allthing.requests")
        assert (line["method"], line["route"]) == ("GET", "/polls/<poll_id>/results")
        assert line["status"] == 404
        assert line["milliseconds"] >= 0
        assert line["timestamp"].endswith("+00:00")
        assert "secret" not in str(line)

"""The log: a line of JSON for each request, and none is lost at an orderly end."""

import json
import logging
from concurrent.futures import ThreadPoolExecutor
from queue import SimpleQueue
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from gunicorn.config import Config

from allthing.runtime.gunicorn_worker import Logger
from allthing.runtime.logs import MAX_LINES, GatheringListener, JsonFormatter
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


def test_handlers_and_filters_of_others_see_every_request(
    client: FlaskClient, caplog: pytest.LogCaptureFixture
) -> None:
    log = logging.getLogger("allthing.requests")

    def is_wanted(record: logging.LogRecord) -> bool:
        record.release = "0.2.0"  # as error trackers add to what they are shown
        return vars(record)["route"] != "/healthz"

    log.addFilter(is_wanted)
    try:
        with caplog.at_level(logging.INFO):
            for path in ("/healthz", "/polls/today", "/no-such-path"):
                client.get(path)
    finally:
        log.removeFilter(is_wanted)

    records = [vars(record) for record in caplog.records if record.name == log.name]
    assert [record["route"] for record in records] == ["/polls/today", None]
    assert [record["status"] for record in records] == [200, 404]
    assert {record["release"] for record in records} == {"0.2.0"}


def test_gunicorn_makes_up_no_line_of_its_own() -> None:
    config = Config()
    config.set("accesslog", "-")

    Logger(config).access(None, None, {}, None)  # it would look into request and response


@pytest.mark.parametrize(
    "value", [2**64, "half a pair \ud83c", {1: "a", (2, 3): "b"}, float("nan"), object], ids=repr
)
def test_a_record_is_written_whatever_it_holds(value: object) -> None:
    record = logging.makeLogRecord({"levelname": "INFO", "msg": "said", "extra": value})

    line = json.loads(JsonFormatter().format(record))

    assert (line["level"], line["message"], "extra" in line) == ("INFO", "said", True)


def test_lines_are_written_whole_and_none_is_held_back_for_long(
    capfd: pytest.CaptureFixture[str],
) -> None:
    listener = GatheringListener(SimpleQueue())
    texts = ["x" * 100_000, *map(str, range(MAX_LINES - 1))]

    for text in texts:
        listener.handle(logging.makeLogRecord({"msg": text}))

    lines = capfd.readouterr().err.splitlines()
    assert [json.loads(line)["message"] for line in lines] == texts

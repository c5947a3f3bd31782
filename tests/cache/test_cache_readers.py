"""Readers of one cached value: one computes for all; without the database they get the last one."""

import threading
import time
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import pytest
from flask import Flask

from allthing.cache import CachedRead, cached, invalidate
from allthing.errors import Unavailable
from tests.conftest import AppFactory

CROWD = 20


class Reader:
    """Threads that read one value of an app, and a computation that waits to be let on."""

    def __init__(self, app: Flask, pool: ThreadPoolExecutor) -> None:
        self.app = app
        self.topic = str(uuid.uuid4())  # no other test's: emptied, Redis would tell of a change
        self.pool = pool
        self.computed = 0
        self.go_on = threading.Event()
        self.at_work = threading.Event()

    def compute(self) -> bytes:
        self.computed += 1
        self.at_work.set()
        assert self.go_on.wait(10)
        return b"%d" % self.computed

    def fail(self) -> bytes:
        self.compute()
        raise Unavailable("the database does not answer")

    def read(self, compute: Callable[[], bytes] | None = None) -> CachedRead:
        with self.app.app_context():
            return cached(self.topic, "name", compute or self.compute)

    def start(self, compute: Callable[[], bytes] | None = None) -> "Future[CachedRead]":
        return self.pool.submit(self.read, compute)

    def crowd(self, compute: Callable[[], bytes] | None = None) -> list["Future[CachedRead]"]:
        """Begin to read in many threads, and return once one of them computes."""
        readings = [self.start(compute) for _ in range(CROWD)]
        assert self.at_work.wait(10)
        time.sleep(0.05)
        return readings

    def invalidate(self) -> None:
        with self.app.app_context():
            invalidate(self.topic)


@pytest.fixture
def reader(make_app: AppFactory) -> Iterator[Reader]:
    with ThreadPoolExecutor(CROWD + 2) as pool:
        yield Reader(make_app(cache_ttl=1), pool)


def data(readings: list["Future[CachedRead]"]) -> set[bytes]:
    return {reading.result(10).value.data for reading in readings}


def outcome(reading: "Future[CachedRead]") -> Any:
    error = reading.exception(10)
    return type(error) if error else reading.result()


class TestWaiting:
    """One computes for all who come meanwhile; nobody gets what is older than his question."""

    def test_many_readers_compute_once(self, reader: Reader) -> None:
        readings = reader.crowd()
        reader.go_on.set()

        assert data(readings) == {b"1"}
        assert reader.computed == 1

    def test_who_comes_after_a_change_gets_what_was_computed_after_it(self, reader: Reader) -> None:
        first = reader.crowd()
        reader.invalidate()
        later = [reader.start() for _ in range(CROWD // 2)]
        time.sleep(0.05)
        reader.go_on.set()

        assert data(later) == {b"2"}
        assert data(first) <= {b"1", b"2"}
        assert reader.computed == 2

    def test_a_failure_is_that_of_all_who_wait(self, reader: Reader) -> None:
        readings = reader.crowd(reader.fail)
        reader.go_on.set()

        assert {outcome(reading) for reading in readings} == {Unavailable}
        assert reader.computed == 1

    def test_a_bug_hangs_nobody(self, reader: Reader) -> None:
        def break_down() -> bytes:
            reader.compute()
            raise ZeroDivisionError

        readings = reader.crowd(break_down)
        reader.go_on.set()

        assert {outcome(reading) for reading in readings} == {ZeroDivisionError}
        assert reader.read(lambda: b"again").value.data == b"again"


class TestWithoutTheDatabase:
    @pytest.fixture(autouse=True)
    def old_value(self, reader: Reader) -> None:
        reader.read(lambda: b"old")
        time.sleep(1.1)

    def test_the_last_value_is_taken_and_said_to_be_stale(self, reader: Reader) -> None:
        readings = reader.crowd(reader.fail)
        reader.go_on.set()

        assert {(r.result(10).value.data, r.result().is_stale) for r in readings} == {
            (b"old", True)
        }
        assert reader.computed == 1

    def test_a_changed_value_is_taken_as_well(self, reader: Reader) -> None:
        reader.invalidate()
        reader.go_on.set()

        assert reader.read(reader.fail).is_stale

    def test_nobody_waits_long_for_one_that_hangs(self, reader: Reader) -> None:
        first = reader.start()
        assert reader.at_work.wait(10)
        began = time.monotonic()

        assert reader.read().is_stale
        assert time.monotonic() - began < 0.5

        reader.go_on.set()
        assert not first.result(10).is_stale

    def test_who_has_changed_something_waits_for_it(self, reader: Reader) -> None:
        first = reader.start()
        assert reader.at_work.wait(10)
        reader.invalidate()
        later = reader.start()
        time.sleep(0.5)
        reader.go_on.set()

        assert not later.result(10).is_stale
        assert later.result().value.data == b"2"
        assert first.result(10).value.data == b"1"

    def test_it_is_not_asked_again_for_a_moment(self, reader: Reader) -> None:
        reader.go_on.set()
        assert all(reader.read(reader.fail).is_stale for _ in range(CROWD))
        assert reader.computed == 1
        time.sleep(1.1)

        assert not reader.read().is_stale

    def test_without_a_value_it_is_an_error(self, reader: Reader) -> None:
        reader.go_on.set()

        with reader.app.app_context(), pytest.raises(Unavailable):
            cached(reader.topic, "another name", reader.fail)

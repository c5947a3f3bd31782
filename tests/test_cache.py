"""Cached values: taken until what they show has changed, and not a moment longer."""

import threading
import time
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import pytest
from flask import Flask

from allthing.cache import MOST_BYTES, Reading, cached, forget, forget_on_commit
from allthing.database import db
from allthing.problems import NotFound, Unavailable
from tests.conftest import AppFactory

CROWD = 20


@pytest.fixture
def topic() -> str:
    """Return one of the test's own: Redis, emptied for the next test, would tell of a change."""
    return str(uuid.uuid4())


@pytest.fixture
def app_of_test(make_app: AppFactory) -> Flask:
    """Return an app in which nothing is cached yet."""
    return make_app(cache_ttl=1)


@pytest.fixture
def context(app_of_test: Flask) -> Iterator[None]:
    with app_of_test.app_context():
        yield


def is_cached(topic: str) -> bool:
    return cached(topic, "name", lambda: b"value").was_cached


@pytest.mark.usefixtures("context")
class TestForgetting:
    def test_a_value_is_taken_again(self, topic: str) -> None:
        assert [is_cached(topic), is_cached(topic)] == [False, True]

    def test_it_is_taken_no_longer_than_its_time(self, topic: str) -> None:
        is_cached(topic)
        time.sleep(1.1)

        assert not is_cached(topic)

    def test_it_is_forgotten_at_once(self, topic: str) -> None:
        is_cached(topic)

        forget(topic)

        assert not is_cached(topic)

    def test_it_is_forgotten_when_the_change_is_committed_and_not_before(self, topic: str) -> None:
        is_cached(topic)
        db.session.connection()
        forget_on_commit(topic)
        assert is_cached(topic)

        db.session.commit()

        assert not is_cached(topic)

    def test_a_change_that_is_taken_back_forgets_nothing(self, topic: str) -> None:
        is_cached(topic)
        db.session.connection()
        forget_on_commit(topic)

        db.session.rollback()
        db.session.commit()

        assert is_cached(topic)

    def test_a_savepoint_neither_forgets_too_early_nor_keeps_from_forgetting(
        self, topic: str
    ) -> None:
        is_cached(topic)
        with db.session.begin_nested():
            db.session.connection()
            forget_on_commit(topic)
        assert is_cached(topic)
        db.session.begin_nested().rollback()

        db.session.commit()

        assert not is_cached(topic)

    def test_a_reader_overtaken_by_a_change_stores_nothing_that_is_taken(self, topic: str) -> None:
        def compute() -> bytes:
            forget(topic)  # a change while the reader is at it
            return b"old"

        cached(topic, "name", compute)

        assert not is_cached(topic)

    def test_what_there_is_not_is_not_kept(self, topic: str) -> None:
        def compute() -> bytes:
            raise NotFound("there is no such thing")

        with pytest.raises(NotFound):
            cached(topic, "name", compute)

        assert not is_cached(topic)

    def test_the_oldest_values_make_room_for_new_ones(self, topic: str) -> None:
        megabyte = bytes(1024 * 1024)
        count = 2 * MOST_BYTES // len(megabyte)
        for number in range(count):
            cached(topic, str(number), lambda: megabyte)

        kept = [cached(topic, str(number), lambda: b"").was_cached for number in range(count)]

        assert not any(kept[: count // 2])
        assert sum(kept) > count // 3


class Reader:
    """Threads that read one value of an app, and a computation that waits to be let on."""

    def __init__(self, app: Flask, topic: str, pool: ThreadPoolExecutor) -> None:
        self.app = app
        self.topic = topic
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

    def read(self, compute: Callable[[], bytes] | None = None) -> Reading:
        with self.app.app_context():
            return cached(self.topic, "name", compute or self.compute)

    def start(self, compute: Callable[[], bytes] | None = None) -> "Future[Reading]":
        return self.pool.submit(self.read, compute)

    def crowd(self, compute: Callable[[], bytes] | None = None) -> list["Future[Reading]"]:
        """Begin to read in many threads, and return once one of them computes."""
        readings = [self.start(compute) for _ in range(CROWD)]
        assert self.at_work.wait(10)
        time.sleep(0.05)
        return readings

    def forget(self) -> None:
        with self.app.app_context():
            forget(self.topic)


@pytest.fixture
def reader(app_of_test: Flask, topic: str) -> Iterator[Reader]:
    with ThreadPoolExecutor(CROWD + 2) as pool:
        yield Reader(app_of_test, topic, pool)


def data(readings: list["Future[Reading]"]) -> set[bytes]:
    return {reading.result(10).value.data for reading in readings}


def outcome(reading: "Future[Reading]") -> Any:
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
        reader.forget()
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
        reader.forget()
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
        reader.forget()
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

    def test_without_a_value_it_is_an_error(self, app_of_test: Flask, reader: Reader) -> None:
        reader.go_on.set()

        with app_of_test.app_context(), pytest.raises(Unavailable):
            cached(reader.topic, "another name", reader.fail)

"""Cached values: taken until what they show has changed, and not a moment longer."""

import time
import uuid
from collections.abc import Iterator

import pytest

from allthing.cache import MAX_BYTES, cached, invalidate, invalidate_on_commit
from allthing.database import db
from allthing.errors import NotFound
from tests.conftest import AppFactory


@pytest.fixture
def topic() -> str:
    """Return one of the test's own: Redis, emptied for the next test, would tell of a change."""
    return str(uuid.uuid4())


@pytest.fixture
def context(make_app: AppFactory) -> Iterator[None]:
    """Be in an app in which nothing is cached yet."""
    with make_app(cache_ttl=1).app_context():
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

        invalidate(topic)

        assert not is_cached(topic)

    def test_it_is_forgotten_when_the_change_is_committed_and_not_before(self, topic: str) -> None:
        is_cached(topic)
        db.session.connection()
        invalidate_on_commit(topic)
        assert is_cached(topic)

        db.session.commit()

        assert not is_cached(topic)

    def test_a_change_that_is_taken_back_forgets_nothing(self, topic: str) -> None:
        is_cached(topic)
        db.session.connection()
        invalidate_on_commit(topic)

        db.session.rollback()
        db.session.commit()

        assert is_cached(topic)

    def test_a_savepoint_neither_forgets_too_early_nor_keeps_from_forgetting(
        self, topic: str
    ) -> None:
        is_cached(topic)
        with db.session.begin_nested():
            db.session.connection()
            invalidate_on_commit(topic)
        assert is_cached(topic)
        db.session.begin_nested().rollback()

        db.session.commit()

        assert not is_cached(topic)

    def test_a_reader_overtaken_by_a_change_stores_nothing_that_is_taken(self, topic: str) -> None:
        def compute() -> bytes:
            invalidate(topic)  # a change while the reader is at it
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
        count = 2 * MAX_BYTES // len(megabyte)
        for number in range(count):
            cached(topic, str(number), lambda: megabyte)

        kept = [cached(topic, str(number), lambda: b"").was_cached for number in range(count)]

        assert not any(kept[: count // 2])
        assert sum(kept) > count // 3

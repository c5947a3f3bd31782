"""Cached values: taken until what they show has changed, and not a moment longer."""

from collections.abc import Iterator

import pytest
from flask import Flask

from allthing.cache import cached, forget_on_commit
from allthing.database import db

TOPIC = "a-topic"


@pytest.fixture
def context(app: Flask) -> Iterator[None]:
    with app.app_context():
        yield


def is_cached() -> bool:
    return cached(TOPIC, "name", lambda: "value")[1]


pytestmark = pytest.mark.usefixtures("context")


def test_a_value_is_taken_again() -> None:
    assert [is_cached(), is_cached()] == [False, True]


def test_it_is_forgotten_when_the_change_is_committed_and_not_before() -> None:
    is_cached()
    db.session.connection()
    forget_on_commit(TOPIC)
    assert is_cached()

    db.session.commit()

    assert not is_cached()


def test_a_change_that_is_taken_back_forgets_nothing() -> None:
    is_cached()
    db.session.connection()
    forget_on_commit(TOPIC)

    db.session.rollback()
    db.session.commit()

    assert is_cached()


def test_a_savepoint_neither_forgets_too_early_nor_keeps_from_forgetting() -> None:
    is_cached()
    with db.session.begin_nested():
        db.session.connection()
        forget_on_commit(TOPIC)
    assert is_cached()
    db.session.begin_nested().rollback()

    db.session.commit()

    assert not is_cached()


def test_a_reader_overtaken_by_a_change_stores_nothing_that_is_taken() -> None:
    def compute() -> str:
        db.session.connection()
        forget_on_commit(TOPIC)
        db.session.commit()  # a change while the reader is at it
        return "old"

    cached(TOPIC, "name", compute)

    assert not is_cached()

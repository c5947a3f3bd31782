"""Deadlines of a thread: one within another never lasts longer, and gives it back."""

from allthing.deadlines import NEVER, deadline, set_deadline, time_left


def test_the_nearer_of_two_deadlines_counts_and_the_outer_one_comes_back() -> None:
    with deadline(10):
        with deadline(1):
            assert time_left() <= 1
        assert 1 < time_left() <= 10
        with deadline(100):
            assert time_left() <= 10
    assert time_left() == NEVER


def test_a_door_may_give_more_time() -> None:
    with deadline(1):
        set_deadline(10)
        assert time_left() > 1
    assert time_left() == NEVER

"""device.sources.backoff: how long to wait before trying again."""

from collections.abc import Callable
from itertools import cycle

import pytest

from device.sources.backoff import Backoff


def always(value: float) -> Callable[[], float]:
    """A source of chance that has none."""
    return lambda: value


def test_waits_double_up_to_the_longest() -> None:
    """Without jitter each wait is twice the one before, and none exceeds the longest."""
    backoff = Backoff(first_s=0.5, longest_s=5, jitter=0)
    assert [backoff.next_s() for _ in range(6)] == [0.5, 1, 2, 4, 5, 5]


def test_jitter_shortens_a_wait_by_its_share_of_chance() -> None:
    """A wait lies between (1 - jitter) and 1 times its ceiling, where chance puts it."""
    numbers = cycle([0.0, 0.5, 1.0])
    backoff = Backoff(first_s=8, longest_s=8, jitter=0.5, random=lambda: next(numbers))
    assert [backoff.next_s() for _ in range(3)] == [8, 6, 4]


def test_reset_starts_with_the_shortest_wait() -> None:
    """After a success the next failure waits briefly again."""
    backoff = Backoff(first_s=1, jitter=0.5, random=always(0))
    for _ in range(5):
        backoff.next_s()
    backoff.reset()
    assert backoff.next_s() == 1


def test_a_year_of_failures_does_not_overflow() -> None:
    """The ceiling stays where it is, however often it is asked."""
    backoff = Backoff(jitter=0)
    for _ in range(10_000):
        wait_s = backoff.next_s()
    assert wait_s == 60


@pytest.mark.parametrize(("first_s", "longest_s"), [(0, 1), (2, 1)])
def test_waits_that_cannot_be_are_refused(first_s: float, longest_s: float) -> None:
    """None at all, or a first one beyond the longest."""
    with pytest.raises(ValueError, match="first_s <= longest_s"):
        Backoff(first_s=first_s, longest_s=longest_s)

"""What is the log told of a store that is out of reach?"""

from __future__ import annotations

from typing import TYPE_CHECKING

from makegood.journal.outage import SECONDS_BETWEEN_LINES, Outage

if TYPE_CHECKING:
    import pytest


class Clock:
    """Says what it is told to say."""

    def __init__(self) -> None:
        self.seconds = 100.0

    def __call__(self) -> float:
        return self.seconds


def test_an_outage_is_told_of_when_it_begins_each_minute_and_when_it_is_over(
    caplog: pytest.LogCaptureFixture,
) -> None:
    clock = Clock()
    outage = Outage("the store", now=clock)

    outage.is_over()
    for number in range(1_000):
        outage.tell(f"run {number}", "no room")
    clock.seconds += SECONDS_BETWEEN_LINES
    outage.tell("run 7", "still no room")
    outage.is_over()
    outage.is_over()

    assert [record.getMessage() for record in caplog.records] == [
        "run 0 waits for the store: no room",
        "run 7 waits for the store: still no room (999 times more since the last line)",
        "the store answers again",
    ]


def test_outages_that_follow_each_other_closely_are_told_of_once(
    caplog: pytest.LogCaptureFixture,
) -> None:
    clock = Clock()
    outage = Outage("the store", now=clock)

    for _ in range(50):
        outage.tell("an append", "the connection is lost")
        outage.is_over()
        clock.seconds += 1

    assert [record.getMessage() for record in caplog.records] == [
        "an append waits for the store: the connection is lost",
        "the store answers again",
    ]

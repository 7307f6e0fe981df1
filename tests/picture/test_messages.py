"""What waits for a message and what sends one, in every picture."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from msgspec import Raw

from makegood import Held, hold
from makegood.decision import facts
from makegood.definition.flow.messaging import send, wait
from makegood.definition.step import step
from makegood.definition.workflow import workflow
from makegood.picture import mermaid, svg, text
from makegood.values.held import HELD, claim_id
from tests.picture.flowing import VALUE, at, reported, told_of
from tests.picture.test_svg import read, said_in

DAY = 86_400.0
NULL = Raw(b"null")


@dataclass(frozen=True)
class Shipped:
    parcel: str


async def pack(order: str) -> Shipped: ...


packed = step(pack, irreversible="it is only packed")


@workflow
def follow(order: str) -> Shipped | None:
    """Wait for one message, and perhaps for another one."""
    first = wait.named("ever")(Shipped, key=order, forever=True)
    return wait.after(first)(Shipped, key=order, within=timedelta(days=1), optional=True)


@workflow
def ship(order: str) -> None:
    """Say it at once, and once all is well."""
    parcel = packed(order)
    send(parcel, key=order)
    send.named("later")(parcel, key=order, on="success")


def lines(drawing: str) -> list[str]:
    """Return what a picture says, line by line, whatever stands below what."""
    return [" ".join(line.split()) for line in drawing.splitlines()]


NAME = "tests.picture.test_messages.Shipped"


def test_a_plan_says_what_is_waited_for_and_for_how_long() -> None:
    assert lines(text(follow))[-2:] == [
        "✉ ever wait for Shipped, for ever · → Shipped",
        "✉ wait wait for Shipped · → Shipped · optional",
    ]
    drawn = mermaid(follow)
    assert "for Shipped, for ever" in drawn
    assert "classDef wait" in drawn
    assert "for Shipped, for ever" in str(said_in(read(svg(follow))))


def test_a_plan_says_what_is_sent_and_when() -> None:
    assert lines(text(ship))[-2:] == [
        "➤ │ send send Shipped",
        "➤ later send Shipped, once the run has completed",
    ]


def message(id: str, when: float, misfit: str | None = None) -> facts.MessageCame:
    return facts.MessageCame(id, NAME, "order-1", VALUE, at(9 * DAY), at(when), misfit)


def test_a_story_tells_what_was_waited_for_and_what_came() -> None:
    history = [
        facts.WaitBegan("ever", NAME, "order-1", None, at(0)),
        message("1", 5),
        facts.WaitBegan("wait", NAME, "order-1", at(DAY), at(5)),
        message("2", 7),
        message("3", 8),
    ]

    told = text(told_of(follow.plan, history))

    assert [line for line in lines(told) if line.startswith("22:13:") and "order-1" in line] == [
        "22:13:20.000 ◷ ever waits for Shipped order-1",
        "22:13:25.000 ✉ ever was given Shipped order-1",
        "22:13:25.000 ◷ wait waits for Shipped order-1 until 2023-11-15 22:13:20",
        "22:13:27.000 ✉ wait was given Shipped order-1",
        "22:13:28.000 ✉ Shipped order-1 came too late and is given back",
    ]


def test_a_story_tells_who_waits_for_a_key_and_holds_it() -> None:
    @workflow
    def pay(account: str) -> Held:
        return hold(account, within=timedelta(days=1))

    def grant(number: int, when: float) -> facts.MessageCame:
        id = claim_id("hold", at(number))
        return facts.MessageCame(id, HELD, "a/1", Raw(b'{"key":"a/1"}'), at(0), at(when))

    history = [facts.WaitBegan("hold", HELD, "a/1", at(DAY), at(0)), grant(0, 5), grant(9, 6)]

    told = text(told_of(pay.plan, history))

    assert [line for line in lines(told) if "a/1" in line and line.startswith("22:13")] == [
        "22:13:20.000 ◷ hold waits until 2023-11-15 22:13:20 to hold a/1",
        "22:13:25.000 ✉ hold holds a/1",
        "22:13:26.000 ✉ holds a/1, too late, and lets it go",
    ]
    assert "to hold a key" in mermaid(pay)


def test_a_story_tells_of_a_wait_that_came_to_nothing() -> None:
    refused = text(
        told_of(
            follow.plan,
            [
                facts.WaitBegan("ever", NAME, "order-1", None, at(0)),
                facts.WaitRefused("ever", at(1)),
            ],
        )
    )
    unread = text(
        told_of(
            follow.plan,
            [
                facts.WaitBegan("ever", NAME, "order-1", None, at(0)),
                message("1", 5, "it has no parcel"),
            ],
        )
    )

    assert "22:13:21.000 ✗ ever another wait is for the same message" in lines(refused)
    assert "22:13:25.000 ✗ ever Shipped order-1 cannot be read: it has no parcel" in lines(unread)


def test_a_story_tells_what_was_sent() -> None:
    history = [
        facts.NodeStarted("pack", 1, at(0)),
        facts.NodeDone("pack", VALUE, at(1)),
        facts.MessageSent("send", NAME, "order-1", VALUE, "now", at(DAY), at(1)),
        facts.MessageSent("later", NAME, "order-1", VALUE, "success", at(DAY), at(1)),
    ]

    told = text(told_of(ship.plan, history))

    assert lines(told)[-2:] == [
        "22:13:21.000 ➤ send sends Shipped order-1",
        "22:13:21.000 ➤ later sends Shipped order-1, once the run has completed",
    ]


def test_a_report_says_until_when_a_node_waits() -> None:
    history = [
        facts.WaitBegan("ever", NAME, "order-1", None, at(0)),
        message("1", 5),
        facts.WaitBegan("wait", NAME, "order-1", at(DAY), at(5)),
    ]

    report = str(reported(follow.plan, history))

    assert [" ".join(line.split()) for line in report.splitlines()[1:]] == [
        "ever wait done",
        "wait wait listening, until 2023-11-15 22:13:20",
    ]

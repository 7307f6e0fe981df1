"""Which sagas are crashed, each once to its good end and once so late that all is undone."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Literal

from makegood import Breaker, Rate, Service
from makegood.commerce import place_order
from makegood.commerce.extension import commerce
from makegood.payments import PaymentDetails
from tests.simulation.crashing.checks import RUN_KEY
from tests.simulation.crashing.outside import Answer, Companies, Desk
from tests.simulation.crashing.repairs import Accepted, Paid, Repair, repairs
from tests.simulation.crashing.sagas import (
    LABELS,
    Way,
    hand_in_claim,
    move_in,
    move_money,
    send_gift,
    send_parcel,
    tour,
    travel,
    write_to_oneself,
)
from tests.simulation.crashing.shop import (
    BLOCKED,
    CUSTOMER,
    GOOD,
    STOCK,
    ShopOutside,
    shop_services,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from makegood import Call
    from makegood.extension import Extension
    from tests.simulation.crashing.outside import Asking, Foresight, Outside

__all__ = ["CASES", "Case"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One saga in one direction: what is started, who is asked, and what must come of it."""

    name: str
    ends: Literal["completed", "undone"]
    call: Call[Any]  # Any: what the workflows return.
    outside: Callable[[Foresight], Outside]
    services: Callable[[Asking], dict[type, object]]
    extensions: Sequence[Extension] = ()
    letters: Sequence[tuple[float, object]] = ()
    """What is sent to the run from outside, until that is acknowledged, and after how many seconds
    at the soonest."""

    def __str__(self) -> str:
        return f"{self.name} {self.ends}"


def _asking_desk(way: Asking) -> dict[type, object]:
    return {Desk: Desk(way)}


def _guarded_desk(way: Asking) -> dict[type, object]:
    """Return a desk that is halted after two failures, and asked by one step at a time."""
    breaker = Breaker(failures=2, open_for=timedelta(seconds=3))
    rate = Rate(2, per=timedelta(seconds=1))
    return {Desk: Service(Desk(way), breaker=breaker, rate=rate, at_once=1)}


def _both(
    name: str,
    call: Call[Any],  # Any: as above.
    *,
    does: str,
    answers: Mapping[str, Sequence[Answer]],
    last: Mapping[str, Sequence[Answer]],
    closed: Mapping[str, int] | None = None,
    extensions: Sequence[Extension] = (),
    services: Callable[[Asking], dict[type, object]] = _asking_desk,
    letters: Sequence[tuple[float, object]] = (),
) -> tuple[Case, Case]:
    """Return a saga in both directions; `last` is answered besides where it is to fail."""

    def outside(
        answers: Mapping[str, Sequence[Answer]], must_do: frozenset[str]
    ) -> Callable[[Foresight], Outside]:
        return lambda foresight: Companies(
            answers=answers,
            closed=closed or {},
            barring=frozenset({"deposit"}),
            must_do=must_do,
            foresight=foresight,
        )

    good = outside(answers, frozenset(does.split()))
    bad = outside({**answers, **last}, frozenset())
    return (
        Case(
            name=name,
            ends="completed",
            call=call,
            outside=good,
            services=services,
            extensions=extensions,
            letters=letters,
        ),
        Case(
            name=name,
            ends="undone",
            call=call,
            outside=bad,
            services=services,
            extensions=extensions,
            letters=letters,
        ),
    )


_CARD = PaymentDetails(token="tok_visa")

CASES: tuple[Case, ...] = (
    Case(
        name="place_order",
        ends="completed",
        call=place_order(GOOD, _CARD, CUSTOMER),
        outside=lambda foresight: ShopOutside(GOOD, foresight),
        services=shop_services,
        extensions=(commerce, STOCK),
    ),
    Case(
        name="place_order",
        ends="undone",
        call=place_order(BLOCKED, _CARD, CUSTOMER),
        outside=lambda foresight: ShopOutside(None, foresight),
        services=shop_services,
        extensions=(commerce, STOCK),
    ),
    *_both(
        "travel",
        travel("Ada"),
        does="seat ticket room voucher charge",
        answers={},
        last={"voucher": [Answer.DECLINED] * 9},
    ),
    *_both(
        "move_money",
        move_money("account-1"),
        does="freeze transfer entry letter",
        answers={"entry": [Answer.BUSY, Answer.LOST], "letter": [Answer.DROPPED]},
        last={"transfer": [Answer.DECLINED] * 9},
    ),
    *_both(
        "hand_in_claim",
        hand_in_claim("claim-1"),
        does="register deposit post certify",
        answers={
            "register": [Answer.LOST],
            "deposit": [Answer.DROPPED],
            "post": [Answer.DROPPED],
        },
        last={"certify": [Answer.REFUSED] * 9},
        closed={"post": 1},
    ),
    *_both(
        "send_parcel",
        send_parcel("parcel-1", True),
        does="postage insurance parcel",
        answers={
            "postage": [Answer.BUSY, Answer.LOST],
            "undo insurance": [Answer.BUSY],
            "undo postage": [Answer.LOST],
        },
        last={"parcel": [Answer.DECLINED] * 9},
        extensions=(LABELS,),
    ),
    *_both(
        "send_gift",
        send_gift("gift-1"),
        does="paper choice bike card",
        answers={"paper": [Answer.BUSY], "bike": [Answer.LOST]},
        last={"card": [Answer.DECLINED] * 9},
    ),
    *_both(
        "tour",
        tour(["Oslo", "Rome"], Way.TRAIN),
        does="visit-Oslo visit-Rome ride stamp-0 stamp-1",
        answers={"visit-Rome": [Answer.LOST], "stamp-0": [Answer.BUSY]},
        last={"stamp-1": [Answer.DECLINED] * 9},
    ),
    *_both(
        "move_in",
        move_in("flat-1"),
        does="lease keys",
        answers={"lease": [Answer.LOST], "undo lease": [Answer.BUSY]},
        last={"keys": [Answer.DECLINED] * 9},
    ),
    *_both(
        "write_to_oneself",
        write_to_oneself("Ada"),
        does="card mailing filing",
        answers={"card": [Answer.LOST], "undo card": [Answer.BUSY]},
        last={"filing": [Answer.DECLINED] * 9},
    ),
    *_both(
        "guarded_travel",
        travel("Eve"),
        does="seat ticket room voucher charge",
        answers={
            "seat": [Answer.BUSY, Answer.LOST],
            "voucher": [Answer.BUSY],
            "undo ticket": [Answer.BUSY, Answer.BUSY],
        },
        last={"charge": [Answer.DECLINED] * 9},
        services=_guarded_desk,
    ),
    *_both(
        "repair",
        repairs(Repair(RUN_KEY)),
        does="look-0 look-1 parts glue charge bringing signature",
        answers={
            "look-1": [Answer.BUSY],
            "parts": [Answer.LOST],
            "undo charge": [Answer.LOST],
        },
        last={"signature": [Answer.DECLINED] * 9},
        # The first one comes long before it is heard, the second one while it is waited for.
        letters=((0.0, Accepted(7)), (9.0, Paid(7))),
    ),
)
"""Every case, by saga and direction."""

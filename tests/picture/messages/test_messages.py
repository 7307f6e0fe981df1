"""Receptors drawn by what they declare: who says what to whom."""

from __future__ import annotations

from dataclasses import dataclass
from math import dist
from pathlib import Path
from typing import ClassVar
from xml.etree import ElementTree as ET

import pytest

from makegood import InvalidInput, Receptors
from makegood.cli.app import main
from makegood.cli.status import DONE, MISTAKE
from makegood.commerce.services.town import RECEPTORS
from makegood.picture import mermaid, message_flow, svg, text
from makegood.picture.messages.figure import Exchange, Party, Said

DRAWN = Path("docs/explanation/order-flow.svg")
HEAD = 8.0
"""How long the head of an arrow is."""
TITLE = "The order flow of five services"
APP = "makegood.commerce.services.town:RECEPTORS"


@dataclass(frozen=True)
class Ship:
    message_name: ClassVar[str] = "shop.Ship"
    message_kind: ClassVar[str] = "command"

    order: str


@dataclass(frozen=True)
class Shipped:
    message_name: ClassVar[str] = "shop.Shipped"

    order: str


@dataclass(frozen=True)
class Look:
    message_name: ClassVar[str] = "carrier.Look"

    order: str


@dataclass(frozen=True)
class OtherLook:
    message_name: ClassVar[str] = "other.Look"

    order: str


async def carry(command: Ship | Look | OtherLook) -> Shipped | Look: ...


async def tell(event: Shipped) -> OtherLook: ...


CARRIER = Receptors("carrier").on(carry)
MAIL = Receptors("mail").on(tell)


def test_who_says_what_to_whom_is_read_from_the_declarations() -> None:
    flow = message_flow([CARRIER, MAIL], title="Parcels")

    ship, shipped = Said(name="Ship", kind="command"), Said(name="Shipped", kind="event")
    look, other = Said(name="carrier.Look", kind="event"), Said(name="other.Look", kind="event")
    assert flow.parties == (
        Party(name="carrier", receptors=("carry",), to_itself=(look,)),
        Party(name="mail", receptors=("tell",), to_itself=()),
    )
    assert flow.exchanges == (
        Exchange(sender=None, receiver="carrier", messages=(ship,)),
        Exchange(sender="carrier", receiver="mail", messages=(shipped,)),
        Exchange(sender="mail", receiver="carrier", messages=(other,)),
    )


def test_what_nobody_here_receives_goes_outside() -> None:
    flow = message_flow(MAIL)

    told = [(each.sender, each.receiver) for each in flow.exchanges]
    assert told == [(None, "mail"), ("mail", None)]


def test_no_receptors_are_refused() -> None:
    with pytest.raises(InvalidInput, match="there are no receptors to draw"):
        message_flow([Receptors("empty")])


def test_the_text_names_every_message_at_both_its_ends() -> None:
    assert text(message_flow([CARRIER, MAIL])).splitlines() == [
        "carrier",
        "  by: carry",
        "  from outside: ▸Ship",
        "  from mail: •other.Look",
        "  to itself: •carrier.Look",
        "  to mail: •Shipped",
        "",
        "mail",
        "  by: tell",
        "  from carrier: •Shipped",
        "  to carrier: •other.Look",
        "",
        "▸ a command, which one receives   • an event, for whoever wants it",
    ]


def test_mermaid_has_an_arrow_for_each_pair() -> None:
    assert mermaid(message_flow([CARRIER, MAIL], title="Parcels")).splitlines() == [
        "---",
        "title: Parcels",
        "---",
        "flowchart LR",
        '    g_carrier["<b>carrier</b><br/>carry<br/>to itself:<br/>• carrier.Look"]',
        '    g_mail["<b>mail</b><br/>tell"]',
        '    from_outside(("from outside"))',
        '    from_outside -->|"▸ Ship"| g_carrier',
        '    g_carrier -->|"• Shipped"| g_mail',
        '    g_mail -->|"• other.Look"| g_carrier',
    ]


def test_the_svg_holds_every_message_and_says_in_words_what_it_shows() -> None:
    drawn = ET.fromstring(svg(message_flow([CARRIER, MAIL])))  # noqa: S314 - we wrote it

    said = {each.text for each in drawn.iter("{http://www.w3.org/2000/svg}text")}
    assert {"▸ Ship", "• Shipped", "• other.Look", "• carrier.Look", "from outside"} <= said
    described = drawn.find("{http://www.w3.org/2000/svg}desc")
    assert described is not None
    assert "carrier to mail: Shipped" in (described.text or "")


def test_no_arrow_turns_so_near_to_a_box_that_its_head_has_no_room() -> None:
    drawn = ET.fromstring(svg(message_flow(RECEPTORS)))  # noqa: S314 - we wrote it

    heads = [each.attrib["points"] for each in drawn.iter("{http://www.w3.org/2000/svg}polygon")]
    assert heads != []
    for tip, left, right in ([point.split(",") for point in head.split()] for head in heads):
        neck = [(float(one) + float(other)) / 2 for one, other in zip(left, right, strict=True)]
        assert dist(map(float, tip), neck) == pytest.approx(HEAD)


def test_the_picture_in_the_docs_is_that_of_the_services() -> None:
    """`python -m tests.picture.messages.test_messages` draws it anew."""
    assert DRAWN.read_text(encoding="utf-8") == svg(message_flow(RECEPTORS, title=TITLE))


def test_the_messages_of_a_program_are_drawn_by_the_command_line(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["diagram", "messages", "--app", APP]) == DONE
    assert capsys.readouterr().out == text(message_flow(RECEPTORS, title=f"Messages of {APP}"))

    assert main(["diagram", "stock", "--app", APP, "--format", "mermaid"]) == DONE
    assert "from_outside -->" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (["messages", "--format", "chart"], "messages are none"),
        (["messages", "--census"], "messages are none"),
        (["nobody"], "is no workflow and holds none"),
    ],
)
def test_what_messages_have_not_is_refused(
    options: list[str], told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["diagram", *options, "--app", APP]) == MISTAKE
    assert told in capsys.readouterr().err


if __name__ == "__main__":
    DRAWN.write_text(svg(message_flow(RECEPTORS, title=TITLE)), encoding="utf-8")

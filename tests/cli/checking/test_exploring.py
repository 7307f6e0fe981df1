"""`makegood explore`: what would be left behind, for people and for programs."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
import pytest

from makegood.cli.app import main
from makegood.cli.status import DONE, ERROR, MISTAKE
from makegood.exploring.exploration import Exploration, explore
from makegood.exploring.report import as_text
from tests.exploring import shop

if TYPE_CHECKING:
    from collections.abc import Sequence

    from makegood.testing import Explored

PLACE_ORDER = "makegood.commerce.place_order:place_order"

EXAMPLES = {str: "A-17"}
NO_EXAMPLES = 17


@pytest.mark.parametrize(
    ("words", "status"),
    [
        ([PLACE_ORDER], ERROR),
        (["tests.exploring.shop:harmless"], DONE),
        (["tests.exploring.shop:order", "--pairs"], ERROR),
    ],
)
def test_the_status_says_whether_anything_would_be_left(
    words: Sequence[str], status: int, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["explore", *words]) == status
    assert main(["explore", *words, "--json"]) == status
    assert capsys.readouterr().err == ""


def test_a_program_is_told_the_same_as_a_person(capsys: pytest.CaptureFixture[str]) -> None:
    main(["explore", "tests.exploring.shop:order"])
    assert capsys.readouterr().out == as_text(explore(shop.order))
    main(["explore", "tests.exploring.shop:order", "--json"])
    told = msgspec.json.decode(capsys.readouterr().out, type=Exploration)
    assert told == explore(shop.order)


def test_examples_are_taken_from_where_they_are_said_to_be(
    capsys: pytest.CaptureFixture[str],
) -> None:
    words = ["explore", "tests.exploring.shop:harmless", "--examples"]
    assert main([*words, "tests.cli.checking.test_exploring:EXAMPLES"]) == DONE
    assert main([*words, "tests.cli.checking.test_exploring:NO_EXAMPLES"]) == MISTAKE
    assert capsys.readouterr().err == (
        "--examples tests.cli.checking.test_exploring:NO_EXAMPLES is no dict; "
        "name one as {OrderId: OrderId('A-17')}\n"
    )


def unhappy(world: Explored) -> list[str]:
    return ["nobody is told"] if "tell" not in world.stands else []


def test_an_invariant_is_asked_where_it_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    words = ["explore", "tests.exploring.shop:kept", "--invariant"]
    assert main([*words, "tests.cli.checking.test_exploring:unhappy"]) == ERROR
    assert "BROKEN  nobody is told" in capsys.readouterr().out
    assert main([*words, "tests.cli.checking.test_exploring:NO_EXAMPLES"]) == MISTAKE
    assert "is no function; name one that takes an Explored" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("place", "sentence"),
    [
        ("no.such.place:order", "the module `no.such.place` cannot be imported"),
        ("tests.exploring.shop:oder", "`tests.exploring.shop` has no `oder`; name a workflow"),
        ("tests.exploring.shop:pay", "tests.exploring.shop:pay is no workflow; name one as"),
        ("tests.exploring.shop", "tests.exploring.shop is no workflow; name one as"),
        ("tests.exploring.shop:guarded", "no example of `secret: Secret` can be made"),
    ],
)
def test_a_mistake_is_one_sentence(
    place: str, sentence: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["explore", place]) == MISTAKE
    told = capsys.readouterr().err
    assert sentence in told
    assert told.count("\n") == 1

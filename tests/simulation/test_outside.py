"""What the outside promises those who ask, and what it notices about them."""

from __future__ import annotations

import pytest

from makegood.errors import Declined, Unavailable
from tests.simulation.orders.destiny import Destiny
from tests.simulation.outside import FORGOTTEN_AFTER, Answer, Outside, Request


class Place:
    """An outside at a time that the test says."""

    def __init__(self, destiny: Destiny | None = None) -> None:
        self.now = 0
        self.broken: list[str] = []
        self.outside = Outside(
            {"o1": destiny or Destiny()},
            lambda: self.now,
            broken=lambda rule, _what: self.broken.append(rule),
            before=lambda _request: None,
        )

    def ask(self, operation: str, key: str, *, amount: int = 5, reference: str = "") -> Answer:
        request = Request(
            operation=operation, key=key, order="o1", amount=amount, reference=reference
        )
        return self.outside.ask(request)


def test_the_same_key_has_one_effect_and_one_answer() -> None:
    place = Place()

    assert place.ask("ship", "k1") == place.ask("ship", "k1")
    assert (len(place.outside.books), place.broken) == (1, [])


def test_a_key_with_other_parameters_is_refused_and_put_on_record() -> None:
    place = Place()
    place.ask("ship", "k1")
    with pytest.raises(Declined):
        place.ask("ship", "k1", amount=6)

    assert place.broken == ["same key, same parameters"]


def test_a_key_that_is_too_old_is_not_known_any_more() -> None:
    place = Place()
    place.ask("charge", "k1")
    place.now = FORGOTTEN_AFTER["charge"] + 1
    place.ask("charge", "k1")

    assert place.outside.net("o1", "charge") == 2


def test_an_undo_takes_back_what_was_done_and_only_once() -> None:
    place = Place()
    receipt = place.ask("ship", "k1")
    place.ask("recall", "k2", reference=receipt.reference)
    assert (place.outside.net("o1", "ship"), place.broken) == (0, [])

    place.ask("recall", "k3", reference=receipt.reference)
    assert place.broken == ["only what was done is taken back, once"]


def test_an_undo_of_what_never_was_is_put_on_record() -> None:
    place = Place()
    place.ask("recall", "k1", reference="ship-7")

    assert place.broken == ["only what was done is taken back, once"]


def test_an_undo_that_does_not_work_yet_is_unavailable() -> None:
    place = Place(Destiny(undo_from=10))
    receipt = place.ask("ship", "k1")
    with pytest.raises(Unavailable):
        place.ask("recall", "k2", reference=receipt.reference)
    place.now = 10
    place.ask("recall", "k2", reference=receipt.reference)

    assert place.outside.net("o1", "ship") == 0


def test_a_look_up_that_finds_nothing_can_close_the_key() -> None:
    place = Place(Destiny(absence="close"))

    assert place.ask("find capture", "k1").state == "close"
    with pytest.raises(Declined):
        place.ask("capture", "k1")
    assert place.outside.books == []


@pytest.mark.parametrize(
    ("destiny", "state"),
    [
        (Destiny(), "done"),
        (Destiny(unsure=frozenset({"capture"})), "unsure"),
        (Destiny(unsure_until=9), "unsure"),
    ],
)
def test_a_look_up_tells_what_is_known(destiny: Destiny, state: str) -> None:
    place = Place(destiny)
    place.ask("capture", "k1")

    assert place.ask("find capture", "k1").state == state


def test_what_is_declined_for_good_is_declined_each_time() -> None:
    place = Place(Destiny(declined=frozenset({"capture", "credit"})))
    for key in ("k1", "k1", "k2"):
        with pytest.raises(Declined):
            place.ask("capture", key)

    assert place.ask("credit", "k3").state == "no"
    assert place.outside.books == []

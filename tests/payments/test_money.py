"""Money: integers of one currency, shared out to the last cent."""

from __future__ import annotations

from typing import cast

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from makegood import InvalidInput
from makegood.payments import Money, split

amounts = st.integers(min_value=0, max_value=10**12)
weights = st.lists(st.integers(min_value=0, max_value=10**6), min_size=1, max_size=40).filter(any)


@pytest.mark.parametrize("minor", [11.77, True, "1177", None])
def test_an_amount_that_is_no_whole_number_is_refused(minor: object) -> None:
    with pytest.raises(InvalidInput, match="minor units"):
        Money(cast("int", minor), "USD")


@pytest.mark.parametrize("currency", ["usd", "US", "USDX", "", "ÜSD"])
def test_a_currency_that_is_no_code_is_refused(currency: str) -> None:
    with pytest.raises(InvalidInput, match="three letters"):
        Money(1, currency)


def test_amounts_of_one_currency_are_added_subtracted_and_compared() -> None:
    assert Money(2, "USD") + Money(3, "USD") == Money(5, "USD")
    assert Money(2, "USD") - Money(3, "USD") == Money(-1, "USD")
    assert Money(2, "USD") < Money(3, "USD")
    assert Money(3, "USD") <= Money(3, "USD")


def test_amounts_of_two_currencies_are_kept_apart() -> None:
    dollars, euros = Money(1, "USD"), Money(1, "EUR")
    assert dollars != euros
    for mix in (lambda: dollars + euros, lambda: dollars - euros, lambda: dollars < euros):
        with pytest.raises(InvalidInput, match="two currencies"):
            mix()


def test_an_amount_read_from_json_is_checked_too() -> None:
    assert msgspec.json.decode(b'{"minor":1177,"currency":"USD"}', type=Money).minor == 1177
    with pytest.raises(msgspec.ValidationError):
        msgspec.json.decode(b'{"minor":11.77,"currency":"USD"}', type=Money)
    with pytest.raises(msgspec.ValidationError):
        msgspec.json.decode(b'{"minor":1177,"currency":"dollars"}', type=Money)


@given(amounts, weights)
def test_the_parts_add_up_to_the_amount(minor: int, shares: list[int]) -> None:
    parts = split(Money(minor, "USD"), shares)
    assert sum(part.minor for part in parts) == minor
    assert len(parts) == len(shares)


@given(weights, st.data())
def test_no_part_exceeds_its_weight_while_the_amount_fits(
    shares: list[int], data: st.DataObject
) -> None:
    minor = data.draw(st.integers(min_value=0, max_value=sum(shares)))
    parts = split(Money(minor, "USD"), shares)
    assert all(part.minor <= share for part, share in zip(parts, shares, strict=True))


@given(weights, st.data())
def test_refunds_that_add_up_to_the_total_leave_every_line_at_zero(
    lines: list[int], data: st.DataObject
) -> None:
    left = list(lines)
    while sum(left):
        minor = data.draw(st.integers(min_value=(sum(left) + 3) // 4, max_value=sum(left)))
        parts = split(Money(minor, "USD"), left)
        left = [line - part.minor for line, part in zip(left, parts, strict=True)]
    assert left == [0] * len(lines)


def test_equal_parts_differ_by_one_cent_at_most_and_the_first_are_larger() -> None:
    parts = split(Money(1000, "USD"), [1, 1, 1])
    assert parts == (Money(334, "USD"), Money(333, "USD"), Money(333, "USD"))


@pytest.mark.parametrize(("minor", "shares"), [(-1, [1]), (1, []), (1, [0, 0]), (1, [2, -1])])
def test_a_split_that_cannot_be_is_refused(minor: int, shares: list[int]) -> None:
    with pytest.raises(InvalidInput, match="cannot be split"):
        split(Money(minor, "USD"), shares)

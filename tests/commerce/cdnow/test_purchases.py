"""The data set: it is whole, each row of it is understood, and every cent of it is kept."""

from __future__ import annotations

import hashlib
import lzma
import re
from collections import Counter
from collections.abc import Sequence
from datetime import date
from importlib import resources
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from makegood.commerce.cdnow import (
    CATALOGUE_TITLES,
    MalformedRow,
    Purchase,
    order_of,
    parse_row,
    read_rows,
    spread,
)
from makegood.commerce.orders import Order


@pytest.fixture(scope="module")
def purchases() -> Sequence[Purchase]:
    rows = read_rows()
    found = [row for row in rows if isinstance(row, Purchase)]
    assert len(found) == len(rows), "no row of the data set is malformed"
    return found


def test_the_copy_is_the_one_that_its_readme_describes() -> None:
    folder = resources.files("makegood.commerce.cdnow")
    text = lzma.decompress(folder.joinpath("purchases.txt.xz").read_bytes())
    readme = folder.joinpath("README.md").read_text(encoding="utf-8")
    assert re.findall(r"\b[0-9a-f]{64}\b", readme) == [hashlib.sha256(text).hexdigest()]
    assert text.count(b"\r\n") == text.count(b"\n") == 69_660


def test_the_data_set_is_whole(purchases: Sequence[Purchase]) -> None:
    assert len(purchases) == 69_659
    assert len({purchase.customer for purchase in purchases}) == 23_570
    assert sum(purchase.cents == 0 for purchase in purchases) == 80
    assert sum(purchase.cents for purchase in purchases) == 250_031_563
    assert sum(purchase.items for purchase in purchases) == 167_881
    assert purchases[0] == Purchase(
        line=2, customer="00001", placed_on=date(1997, 1, 1), items=1, cents=1177
    )


def test_the_first_purchase_of_no_dollars_is_where_the_authors_have_it(
    purchases: Sequence[Purchase],
) -> None:
    first = next(purchase for purchase in purchases if purchase.cents == 0)
    assert (first.line, first.customer, first.items) == (1550, "00455", 1)


def test_rows_that_repeat_another_are_purchases_of_their_own(
    purchases: Sequence[Purchase],
) -> None:
    seen = Counter((row.customer, row.placed_on, row.items, row.cents) for row in purchases)
    assert sum(count - 1 for count in seen.values()) == 255
    assert len({order_of(purchase).id for purchase in purchases}) == len(purchases)


def test_every_order_of_the_data_set_adds_up_to_its_cents(purchases: Sequence[Purchase]) -> None:
    orders = [order_of(purchase) for purchase in purchases[::7]]
    lines = sum(line.price.minor for order in orders for line in order.lines)
    assert lines == sum(purchase.cents for purchase in purchases[::7])
    assert all(order.lines for order in orders)


sold = st.builds(
    Purchase,
    line=st.integers(min_value=2, max_value=10**6),
    customer=st.from_regex(r"[0-9]{5}", fullmatch=True),
    placed_on=st.dates(min_value=date(1990, 1, 1), max_value=date(2030, 1, 1)),
    items=st.integers(min_value=0, max_value=CATALOGUE_TITLES),
    cents=st.integers(min_value=0, max_value=10**8),
)


@given(sold)
def test_a_purchase_becomes_an_order_of_single_copies_to_the_cent(purchase: Purchase) -> None:
    order = order_of(purchase)
    assert order.total.minor == purchase.cents
    assert len(order.lines) == purchase.items
    assert len({line.sku for line in order.lines}) == purchase.items
    prices = [line.price.minor for line in order.lines]
    if prices:
        assert sum(prices) == purchase.cents
        assert max(prices) - min(prices) <= 1


@given(sold)
def test_a_row_that_is_written_is_read_back(purchase: Purchase) -> None:
    dollars = f"{purchase.cents // 100}.{purchase.cents % 100:02d}"
    row = f" {purchase.customer} {purchase.placed_on:%Y%m%d} {purchase.items:2d} {dollars:>7}"
    assert parse_row(purchase.line, row) == purchase


@pytest.mark.parametrize(
    ("row", "why"),
    [
        ("", "is not customer, date"),
        ("00001 19970101 1", "is not customer, date"),
        ("00001 19970101 1 11.7", "is not customer, date"),
        ("00001 19970101 1 11.775", "is not customer, date"),
        ("00001 19970101 1 -1.00", "is not customer, date"),
        ("00001 19970101 1.5 1.00", "is not customer, date"),
        ("00001 19970101 1 1e9", "is not customer, date"),
        ("00001 19970101 1 nan", "is not customer, date"),
        ("٠٠٠٠١ 19970101 1 1.00", "is not customer, date"),
        ("00001 19970231 1 11.77", "19970231 is not a date"),
        ("00001 19970101 101 11.77", "101 CDs are more"),
    ],
)
def test_a_malformed_row_is_named_with_the_reason(row: str, why: str) -> None:
    found = parse_row(9, row)
    assert isinstance(found, MalformedRow)
    assert found.line == 9
    assert why in found.why


def test_a_file_of_ones_own_is_read_line_by_line(tmp_path: Path) -> None:
    path = tmp_path / "purchases.txt"
    path.write_bytes(b"header\r\n00001 19970101 1 11.77\r\nnonsense\r\n00002 19970102 0 0.00\r\n")
    rows = read_rows(path)
    assert [type(row) for row in rows] == [Purchase, MalformedRow, Purchase]
    assert [row.line for row in rows] == [2, 3, 4]


def test_an_order_of_nothing_has_no_lines_and_keeps_its_total() -> None:
    row = parse_row(4, "00002 19970102 0 0.00")
    assert isinstance(row, Purchase)
    order: Order = order_of(row)
    assert (order.lines, order.total.minor) == ((), 0)


@pytest.mark.parametrize("orders", [1, 7, 100, 1_000, 69_659])
def test_a_sample_is_spread_over_the_whole_file_and_repeats_nothing(
    orders: int, purchases: Sequence[Purchase]
) -> None:
    lines = [purchase.line for purchase in spread(purchases, orders, seed=3)]
    assert len(set(lines)) == orders
    step = len(purchases) // orders
    between = {(after - before) % len(purchases) for before, after in pairwise(lines)}
    assert between <= {step, step + 1}


@pytest.mark.parametrize("orders", [100, 300, 1_000])
def test_the_demonstrations_own_sample_meets_purchases_of_no_dollars(
    orders: int, purchases: Sequence[Purchase]
) -> None:
    assert any(purchase.cents == 0 for purchase in spread(purchases, orders, seed=1701))


def test_another_seed_begins_the_sample_elsewhere(purchases: Sequence[Purchase]) -> None:
    first, second = (spread(purchases, 10, seed=seed)[0].line for seed in (1, 2))
    assert first != second

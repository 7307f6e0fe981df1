"""Card numbers are recognised in every disguise, and what is none passes."""

from __future__ import annotations

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from makegood.payments.card_number import holds_card_number

VISA = "4111111111111111"


@pytest.mark.parametrize(
    "text",
    [
        VISA,
        "4111 1111 1111 1111",
        "4111-1111-1111-1111",
        "4111.1111.1111.1111",
        "4111 - 1111 - 1111 - 1111",
        "my card is 4111 1111 1111 1111, thanks",
        f"tok_{VISA}",
        "378282246310005",
        "4222222222222",
        "6011000990139424",
        "٤١١١١١١١١١١١١١١١",
        "４１１１１１１１１１１１１１１１",
        "4111%201111%201111%201111",
        "%34111111111111111",
        base64.b64encode(VISA.encode()).decode(),
        f"{VISA}1226123",
        "x" * 1_001,
    ],
)
def test_a_card_number_is_found_however_it_is_written(text: str) -> None:
    assert holds_card_number(text)


@pytest.mark.parametrize(
    "text",
    [
        "tok_visa",
        "tok_00001",
        "pm_1NXyz2eZvKYlo2C",
        "4111111111111112",
        "0000000000000000",
        "411111111111",
        "0192f0c4-7b1e-7c3a-9f00-1234abcd5678",
        "",
    ],
)
def test_what_is_no_card_number_passes(text: str) -> None:
    assert not holds_card_number(text)


def with_check_digit(digits: str) -> str:
    total = 0
    for place, digit in enumerate(reversed(digits)):
        value = int(digit) * (2 if place % 2 == 0 else 1)
        total += value - 9 if value > 9 else value
    return f"{digits}{-total % 10}"


numbers = st.from_regex(r"[3-6][0-9]{11,17}", fullmatch=True).map(with_check_digit)


@given(numbers, st.sampled_from(["", " ", "-", ".", "/"]), st.integers(min_value=2, max_value=6))
def test_every_number_with_its_check_digit_is_found(number: str, mark: str, size: int) -> None:
    groups = [number[start : start + size] for start in range(0, len(number), size)]
    assert holds_card_number(mark.join(groups))

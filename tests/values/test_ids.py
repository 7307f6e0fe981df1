"""What identifies an effect and a run: the same for the same thing, different for another."""

from __future__ import annotations

from hashlib import blake2b
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from makegood.errors import InvalidInput
from makegood.values.ids import (
    Direction,
    effect_key,
    parse_engine,
    parse_run_id,
    parse_run_key,
    receipt_key,
)
from makegood.values.limits import KEY_BYTES_MAX

names = st.text(alphabet=st.characters(codec="utf-8", exclude_characters="\x1f"))
effects = st.tuples(names, names, names, st.sampled_from(["do", "undo"]), st.integers(0, 9))


def key_of(effect: tuple[str, str, str, Direction, int]) -> str:
    workflow, run, path, direction, generation = effect
    return effect_key(workflow, run, path, direction, generation=generation)


def test_an_effect_key_never_changes() -> None:
    key = effect_key("place_order", "order-17", "capture", "do", generation=0)

    assert key == "3c2c69a2-8ce4-520c-aed8-a4ef7a97ce0f"


@given(effects, effects)
def test_two_effects_have_one_key_only_if_they_are_the_same(
    one: tuple[str, str, str, Direction, int], other: tuple[str, str, str, Direction, int]
) -> None:
    assert (one == other) == (key_of(one) == key_of(other))


@given(effects)
def test_an_effect_key_is_36_characters_like_a_uuid(
    effect: tuple[str, str, str, Direction, int],
) -> None:
    key = key_of(effect)

    assert len(key) == 36
    assert str(UUID(key)) == key


@given(st.uuids())
def test_a_run_id_has_one_spelling(uuid: UUID) -> None:
    spellings = {str(uuid), str(uuid).upper(), f"{{{uuid}}}", uuid.hex, uuid.urn}

    assert {parse_run_id(text) for text in spellings} == {str(uuid)}


@pytest.mark.parametrize("text", ["", "17", "order-17", "0192f0c4", "z" * 32, "1" * 33])
def test_what_is_no_run_id_is_refused_with_the_form(text: str) -> None:
    with pytest.raises(InvalidInput, match="is not a run id; a run id looks like"):
        parse_run_id(text)


@pytest.mark.parametrize("key", ["order-17", " x ", "ключ", "x" * KEY_BYTES_MAX, "a:b/c[0]"])
def test_a_printable_key_is_kept_as_it_is(key: str) -> None:
    assert parse_run_key(key) == key


@pytest.mark.parametrize(
    ("key", "why"),
    [
        ("", "the key is empty"),
        ("   ", "the key is empty"),
        ("\n", "the key is empty"),
        ("a\nb", "cannot be printed"),
        ("a\x00b", "cannot be printed"),
        ("a\u202eb", "cannot be printed"),
        ("a\ud800b", "cannot be printed"),
        ("x" * (KEY_BYTES_MAX + 1), "has 256 bytes; at most 255 are allowed"),
        ("ü" * 128, "has 256 bytes; at most 255 are allowed"),
    ],
)
def test_a_key_that_cannot_be_told_from_others_is_refused(key: str, why: str) -> None:
    with pytest.raises(InvalidInput, match=why):
        parse_run_key(key)


@pytest.mark.parametrize("name", ["till-2", "ü 7"])
def test_an_engine_may_be_called_what_can_be_printed(name: str) -> None:
    assert parse_engine(name) == name


@pytest.mark.parametrize(
    ("name", "why"),
    [
        (" ", "the engine's name is empty"),
        ("a\nb", "cannot be printed"),
        ("*", "stands for all of them"),
    ],
)
def test_an_engine_is_not_called_what_means_nothing_or_all(name: str, why: str) -> None:
    with pytest.raises(InvalidInput, match=why):
        parse_engine(name)


def test_the_key_of_a_receipt_is_its_hash_as_a_uuid() -> None:
    for number in range(500):
        parts = ("payments/charge", "acme", "shop", f"event-{number}")
        digest = blake2b("\x1f".join(parts).encode(), digest_size=16, person=b"makegood.receive")

        assert receipt_key(*parts) == str(UUID(bytes=digest.digest(), version=5))

"""API keys: shown once, kept as hashes in a file of its owner's alone."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from makegood import InvalidInput
from makegood.http import KeyFile, made_key
from makegood.http.keys import bearer, fits
from tests.http.doors import NOON

if TYPE_CHECKING:
    from pathlib import Path


def test_a_key_is_kept_as_its_hash_and_known_again(tmp_path: Path) -> None:
    file = KeyFile(tmp_path / "keys.json")
    text, key = made_key("shop front", ["runs:read", "runs:read"], now=NOON)
    file.add(key)

    given = bearer(f"Bearer {text}")
    assert given == (key.id, text)
    kept = KeyFile(file.path).find(key.id)
    assert kept == key
    assert fits(kept, text, now=NOON)
    assert text not in file.path.read_text()
    assert text.split("_", 2)[2] not in file.path.read_text()
    assert key.scopes == ("runs:read",)
    assert file.path.stat().st_mode & 0o777 == 0o600


def test_a_key_that_is_revoked_elsewhere_is_not_found_any_more(tmp_path: Path) -> None:
    ours = KeyFile(tmp_path / "keys.json")
    keys = [made_key(name, ["runs:read"], now=NOON)[1] for name in ("Ada", "Bob")]
    for key in keys:
        ours.add(key)
    assert ours.find(keys[0].id) == keys[0]

    assert KeyFile(ours.path).revoke(keys[0].id) == keys[0]

    assert ours.find(keys[0].id) is None
    assert ours.find(keys[1].id) == keys[1]
    ours.path.unlink()
    assert ours.find(keys[1].id) is None


def test_no_text_fits_a_key_that_is_not_there_or_has_expired() -> None:
    text, key = made_key("Ada", ["runs:read"], now=NOON, expires_at=NOON + timedelta(days=1))
    assert fits(key, text, now=NOON)
    assert not fits(key, text + "x", now=NOON)
    assert not fits(key, text, now=NOON + timedelta(days=1))
    assert not fits(None, text, now=NOON)


def test_a_file_that_others_can_read_is_refused(tmp_path: Path) -> None:
    file = KeyFile(tmp_path / "keys.json")
    file.add(made_key("Ada", ["runs:read"], now=NOON)[1])
    file.path.chmod(0o640)
    with pytest.raises(InvalidInput, match="chmod 600"):
        file.find("0123456789ab")


@pytest.mark.parametrize("content", ["", "{}", "[1]", '[{"id": "a"}]'])
def test_a_file_that_is_none_of_keys_is_refused(tmp_path: Path, content: str) -> None:
    path = tmp_path / "keys.json"
    path.write_text(content)
    path.chmod(0o600)
    with pytest.raises(InvalidInput, match="cannot be read as a file of API keys"):
        KeyFile(path).all()


@pytest.mark.parametrize(
    ("name", "scopes", "why"),
    [
        ("", ["runs:read"], "the name '' is none"),
        ("a\nb", ["runs:read"], "is none"),
        ("Ada", [], "nothing is no scope"),
        ("Ada", ["runs:read", "all"], "all is no scope"),
    ],
)
def test_a_name_or_a_scope_that_is_none_is_refused(name: str, scopes: list[str], why: str) -> None:
    with pytest.raises(InvalidInput, match=why):
        made_key(name, scopes, now=NOON)


def test_a_key_that_is_not_there_cannot_be_revoked(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="makegood keys list"):
        KeyFile(tmp_path / "keys.json").revoke("0123456789ab")

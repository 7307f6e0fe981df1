"""API keys from a terminal: made, listed, revoked."""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import msgspec

from makegood import InvalidInput
from makegood.cli.status import DONE
from makegood.cli.writing import json_of, look_of, table, write
from makegood.http.keys import KeyFile, made_key
from makegood.picture.typeset import visible

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import timedelta
    from pathlib import Path

    from makegood.http.keys import ApiKey

__all__ = ["create", "listed", "revoke"]


class Shown(msgspec.Struct, frozen=True, kw_only=True):
    """An API key as it may be shown to people."""

    id: str
    name: str
    scopes: tuple[str, ...]
    created_at: datetime
    expires_at: datetime | None


def create(
    path: Path, name: str, scopes: Sequence[str], valid_for: timedelta | None, *, as_json: bool
) -> int:
    """Make a key, keep its hash, and write the key itself."""
    now = datetime.now(UTC)
    expires_at = None if valid_for is None else now + valid_for
    text, key = made_key(name, scopes, now=now, expires_at=expires_at)
    KeyFile(path).add(key)
    if as_json:
        write(json_of({"key": text, "id": key.id}))
        return DONE
    write(text)
    sys.stderr.write(f"this is shown once; {path} keeps its hash under the id {key.id}\n")
    return DONE


def listed(path: Path, *, as_json: bool) -> int:
    """Write which keys there are."""
    if not path.exists():
        message = f"there is no file {path}; `makegood keys create` makes it"
        raise InvalidInput(message)
    keys = [_shown(key) for key in KeyFile(path).all()]
    if as_json:
        write(json_of({"keys": keys}))
        return DONE
    rows = [
        (
            key.id,
            visible(key.name),
            " ".join(key.scopes),
            f"{key.created_at:%Y-%m-%d}",
            "never" if key.expires_at is None else f"{key.expires_at:%Y-%m-%d %H:%M}",
        )
        for key in keys
    ]
    heads = ("id", "name", "may", "made", "expires (UTC)")
    write("\n".join(table(heads, rows, look_of(sys.stdout))) if rows else "there are no keys")
    return DONE


def revoke(path: Path, id: str) -> int:
    """Forget a key."""
    key = KeyFile(path).revoke(id)
    write(f"{key.id} of {visible(key.name)} is revoked")
    return DONE


def _shown(key: ApiKey) -> Shown:
    return Shown(
        id=key.id,
        name=key.name,
        scopes=key.scopes,
        created_at=key.created_at,
        expires_at=key.expires_at,
    )

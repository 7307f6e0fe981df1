"""Who may ask? API keys: shown once, kept as hashes, each for a few things and for some time.

A key is 256 bits of chance, so one round of SHA-256 is as good as a slow hash: there is nothing to
guess. It is found by its id, and then compared in constant time.
"""

from __future__ import annotations

import hashlib
import hmac
import os
import re
import secrets
import stat
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import msgspec

from makegood.errors import InvalidInput

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["ApiKey", "KeyFile", "Keys", "bearer", "fits", "made_key"]

_ID_BYTES = 6
_SECRET_BYTES = 32
_FORM = re.compile(r"mg_(?P<id>[0-9a-f]{12})_(?P<secret>[A-Za-z0-9_-]{43})", re.ASCII)
_NAME = re.compile(r"[\w.@ -]{1,80}", re.ASCII)
_SCOPE = re.compile(r"[a-z]+:[a-z]+", re.ASCII)
_OTHERS = stat.S_IRWXG | stat.S_IRWXO


class ApiKey(msgspec.Struct, frozen=True, kw_only=True):
    """What is kept of an API key: enough to know it again, and not enough to use it."""

    id: str
    name: str
    """Who has it: this is who acted, wherever that is recorded."""
    digest: str
    """SHA-256 of the whole key, in hexadecimal digits."""
    scopes: tuple[str, ...]
    """What it may be used for, as in `runs:read`; see `docs/how-to/open-the-http-door.md`."""
    created_at: datetime
    expires_at: datetime | None = None


class Keys(Protocol):
    """Where API keys are kept: a file, or wherever a shop keeps such things."""

    def find(self, id: str, /) -> ApiKey | None:
        """Return the key with this id as it is at this moment; None where there is none."""
        ...


class KeyFile:
    """API keys in a JSON file that only its owner can read.

    It is read again whenever it has changed, so a key that is revoked is refused from then on.
    Raises `InvalidInput` for a file that others may read, or that is none of keys.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        self._seen: tuple[int, int, int] | None = None
        self._keys: dict[str, ApiKey] = {}

    def __repr__(self) -> str:
        return f"KeyFile({str(self.path)!r})"

    def find(self, id: str, /) -> ApiKey | None:
        """Return the key with this id; None where there is none."""
        if self._has_changed():
            self.all()
        return self._keys.get(id)

    def all(self) -> tuple[ApiKey, ...]:
        """Return every key, in the order in which they were made."""
        try:
            about = self.path.stat()
            if os.name == "posix" and about.st_mode & _OTHERS:
                message = f"{self.path} can be read by others; run: chmod 600 {self.path}"
                raise InvalidInput(message)
            keys = _decoder.decode(self.path.read_bytes())
        except FileNotFoundError:
            about, keys = None, ()
        except (OSError, msgspec.DecodeError) as error:
            message = f"{self.path} cannot be read as a file of API keys: {error}"
            raise InvalidInput(message) from error
        self._keys = {key.id: key for key in keys}
        self._seen = None if about is None else (about.st_mtime_ns, about.st_ino, about.st_size)
        return keys

    def add(self, key: ApiKey) -> None:
        """Keep one more key, durably."""
        self._write((*self.all(), key))

    def revoke(self, id: str) -> ApiKey:
        """Forget a key; raise `InvalidInput` where there is none with this id."""
        keys = self.all()
        for key in keys:
            if key.id == id:
                self._write(other for other in keys if other.id != id)
                return key
        message = f"{self.path} has no key {id!r}; `makegood keys list` shows their ids"
        raise InvalidInput(message)

    def _has_changed(self) -> bool:
        try:
            about = self.path.stat()
        except FileNotFoundError:
            return True
        return self._seen != (about.st_mtime_ns, about.st_ino, about.st_size)

    def _write(self, keys: Iterable[ApiKey]) -> None:
        data = msgspec.json.format(msgspec.json.encode(tuple(keys)), indent=1)
        beside = self.path.with_name(f"{self.path.name}.{secrets.token_hex(4)}")
        descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.write(data + b"\n")
                file.flush()
                os.fsync(file.fileno())
            beside.replace(self.path)
        except BaseException:
            beside.unlink(missing_ok=True)
            raise


def made_key(
    name: str, scopes: Iterable[str], *, now: datetime, expires_at: datetime | None = None
) -> tuple[str, ApiKey]:
    """Make an API key; return it as its holder needs it, which is shown once, and as it is kept.

    Raises `InvalidInput` for a name or a scope that is none.
    """
    wanted = tuple(dict.fromkeys(scopes))
    if not _NAME.fullmatch(name):
        message = f"the name {name!r:.80} is none; use letters, digits, spaces and .@_-, at most 80"
        raise InvalidInput(message)
    wrong = [scope for scope in wanted if not _SCOPE.fullmatch(scope)]
    if wrong or not wanted:
        message = f"{', '.join(wrong) or 'nothing'} is no scope; one is written as runs:read"
        raise InvalidInput(message)
    id = secrets.token_hex(_ID_BYTES)
    text = f"mg_{id}_{secrets.token_urlsafe(_SECRET_BYTES)}"
    kept = ApiKey(
        id=id,
        name=name,
        digest=_digest(text),
        scopes=wanted,
        created_at=now,
        expires_at=expires_at,
    )
    return text, kept


def bearer(header: str | None) -> tuple[str, str] | None:
    """Return the id and the whole text of the key in an `Authorization` header (RFC 6750)."""
    scheme, _, text = (header or "").partition(" ")
    found = _FORM.fullmatch(text.strip())
    return (found["id"], found[0]) if found and scheme.lower() == "bearer" else None


def fits(key: ApiKey | None, text: str, *, now: datetime) -> bool:
    """Say whether a text is this key and may be used now; it takes as long for one that is not."""
    kept = "0" * 64 if key is None else key.digest
    is_same = hmac.compare_digest(kept, _digest(text))
    return is_same and key is not None and (key.expires_at is None or now < key.expires_at)


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


_decoder: msgspec.json.Decoder[tuple[ApiKey, ...]] = msgspec.json.Decoder(tuple[ApiKey, ...])

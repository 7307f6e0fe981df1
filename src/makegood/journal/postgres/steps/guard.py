"""What may the application's own SQL do in PostgreSQL? Reads its words, and asks no server.

A statement of a step may read and change rows, and a migration may also make tables; neither
may end the transaction that it runs in, nor name what belongs to the engine. SQLite is asked
while it prepares a statement; here its words are looked at, which is enough against mistakes:
the authors of workflows are trusted. A parameter is written `?` on every store.
"""

from __future__ import annotations

import re
from enum import Enum
from typing import TYPE_CHECKING

from makegood.errors import InvalidInput

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["Permission", "permitted"]


class Permission(Enum):
    """What the SQL that is about to run may do."""

    READ = "read"
    WRITE = "write"
    """Read and change rows of the application's tables."""
    DEFINE = "define"
    """Also make and change the application's tables, in a script of several statements."""


_READING = frozenset({"select", "with", "values", "table"})
_WRITING = _READING | {"insert", "update", "delete", "merge"}
_TRANSACTIONS = {"abort", "begin", "commit", "end", "prepare", "release", "rollback", "savepoint"}
_SESSIONS = {"close", "declare", "discard", "execute", "fetch", "load", "lock", "move", "reset"}
_SERVERS = {"checkpoint", "listen", "notify", "set", "show", "start", "unlisten", "vacuum"}
_NEVER = frozenset(_TRANSACTIONS | _SESSIONS | _SERVERS)
"""What no script of a migration begins a statement with."""

_ENGINES = "makegood_"
"""What the names of the engine's own tables begin with, in SQLite; they are kept free here."""

_TOKEN = re.compile(
    r"""
    (?P<text> [eE]'(?:[^'\\]|''|\\.)*' | '(?:[^']|'')*' | \$(?P<tag>\w*)\$.*?\$(?P=tag)\$ )
  | (?P<remark> --[^\n]* | /\*.*?\*/ )
  | (?P<name> "(?:[^"]|"")*" | [A-Za-z_\x80-\U0010ffff][\w$]* )
  | (?P<parameter> \? )
  | (?P<end> ; )
  | (?P<space> [\s(]+ )
  | (?P<other> \d+ | . )
    """,
    re.VERBOSE | re.DOTALL,
)


def permitted(sql: str, permission: Permission, *, schema: str) -> str:
    """Return the SQL as PostgreSQL takes it; `InvalidInput` when it does what it may not."""
    parts: list[str] = []
    parameters = 0
    is_first = True
    statements = 0
    for kind, text in _tokens(sql):
        if kind == "parameter" and permission is not Permission.DEFINE:
            parameters += 1
            parts.append(f"${parameters}")
            is_first = False
            continue
        parts.append(text)
        if kind in {"remark", "space"}:
            continue
        if kind == "end":
            is_first = True
            continue
        if is_first:
            statements += 1
            _require_permitted(text.lower(), permission, statements)
            is_first = False
        if kind == "name":
            _require_applications(text, schema)
    return "".join(parts)


def _tokens(sql: str) -> Iterator[tuple[str, str]]:
    for found in _TOKEN.finditer(sql):
        kind = found.lastgroup
        # The tag of a dollar quote is a group inside that of the text.
        yield ("text" if kind in {None, "tag"} else str(kind)), found.group()


def _require_permitted(word: str, permission: Permission, statements: int) -> None:
    """Look at the word that a statement begins with."""
    if permission is Permission.DEFINE:
        is_permitted = word not in _NEVER
    else:
        may_begin = _READING if permission is Permission.READ else _WRITING
        is_permitted = word in may_begin and statements == 1
    if not is_permitted:
        message = f"not authorized: {word!r} may not begin a statement here"
        raise InvalidInput(message)


def _require_applications(name: str, schema: str) -> None:
    plain = name.strip('"').lower()
    if plain == schema or plain.startswith(_ENGINES):
        message = f"not authorized: access to {plain} is prohibited, for it is the engine's"
        raise InvalidInput(message)

"""How what goes wrong at a server or on the way there shows in a process: the driver's errors."""

from __future__ import annotations

from typing import Any

import asyncpg

__all__ = ["closed", "lost", "only_read", "refusal", "unreachable"]

# Any: the driver, which checkers cannot read.
_driver: Any = asyncpg

_SAID = {
    "23514": "the shelf is empty",
    "25006": "cannot execute in a read-only transaction",
    "25P02": "current transaction is aborted",
    "25P03": "terminating connection due to idle-in-transaction timeout",
    "40001": "could not serialize access due to concurrent update",
    "40P01": "deadlock detected",
    "53100": "could not extend file: no space left on device",
    "53300": "sorry, too many clients already",
    "55P03": "canceling statement due to lock timeout",
    "57014": "canceling statement due to statement timeout",
    "57P01": "terminating connection due to administrator command",
    "XX000": "unexpected chunk number",
}


def refusal(code: str) -> Exception:
    """Return what the driver raises for an error of the server, by its code."""
    error: Exception = _driver.PostgresError.new({"C": code, "M": _SAID[code]})
    return error


def lost() -> Exception:
    """Return what is raised when a connection breaks while an answer is waited for."""
    error: Exception = _driver.ConnectionDoesNotExistError(
        "connection was closed in the middle of operation"
    )
    return error


def closed() -> Exception:
    """Return what is raised when a connection that is closed is used."""
    error: Exception = _driver.InterfaceError("connection is closed")
    return error


def unreachable() -> Exception:
    """Return what is raised when nobody listens where a server should be."""
    return ConnectionRefusedError("nobody listens there")


def only_read() -> Exception:
    """Return what is raised when the server that answers is no primary."""
    error: Exception = _driver.TargetServerAttributeNotMatched("the server is read-only")
    return error

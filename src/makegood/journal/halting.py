"""What is halted: a workflow, an engine or a service that nothing is begun of until it is lifted.

A halt is about many runs at once and belongs to none of them, so it is no fact of a run. It is
one row that every worker looks at before it claims or begins anything. The journal only keeps it:
nobody's append is refused for a halt.
"""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Protocol

import msgspec

from makegood.values.instants import Instant

if TYPE_CHECKING:
    from collections.abc import Sequence

    from makegood.values.injectable import Sql

__all__ = [
    "EVERY_ENGINE",
    "HALT_COLUMNS",
    "Halt",
    "HaltKind",
    "KeepsHalts",
    "Lifting",
    "halt_of",
    "outlasts",
]

EVERY_ENGINE = "*"
"""The name that stands for all engines on a store."""


class HaltKind(StrEnum):
    """What is halted."""

    WORKFLOW = "workflow"
    """No run of it is claimed, and those that are held are given back once nothing is at work."""
    ENGINE = "engine"
    """The engine claims nothing and gives back what it holds."""
    SERVICE = "service"
    """No step and no receptor that is given the service is begun."""
    SCHEDULE = "schedule"
    """No slot of it is taken; what is missed meanwhile is found when it is lifted."""
    RECEPTOR = "receptor"
    """No message is received by it, or, where it is a group's name, by any of the group."""


class Lifting(msgspec.Struct, frozen=True, kw_only=True):
    """Who has ended a halt, why and when."""

    actor: str
    reason: str
    at: Instant


class Halt(msgspec.Struct, frozen=True, kw_only=True):
    """That nothing more is begun of something, as somebody has wanted it."""

    kind: HaltKind
    name: str
    """A workflow's name, an engine's or a service's; `*` for every engine."""
    actor: str
    """A person, or the program that protects a service."""
    reason: str
    at: Instant
    until: Instant | None = None
    """When it ends by itself; None: somebody lifts it."""
    lifted: Lifting | None = None
    """Set once it was lifted."""

    def stands(self, now: Instant) -> bool:
        """Say whether it holds at a moment."""
        return self.lifted is None and (self.until is None or now < self.until)


class KeepsHalts(Protocol):
    """What every journal also keeps: the newest halt of each kind and name.

    1. `halt` is durable before it returns. A halt that stands when the new one begins, and that
       does not end before it, stays as it is; any other one is replaced.
    2. `unhalt` lifts the halt that stands, and keeps who lifted it and why. With `of` it lifts
       only a halt of that actor: a program does not lift what a person has halted.
    3. `halts` gives the newest halt of every kind and name, sorted by them, whether it stands or
       has ended or was lifted.
    4. Both may be asked again when an answer was lost, with the same outcome.
    """

    async def halt(self, halt: Halt) -> Halt:
        """Keep a halt and return the one that stands now: this one, or what outlasts it (1)."""
        ...

    async def unhalt(
        self, kind: HaltKind, name: str, lifting: Lifting, *, of: str | None = None
    ) -> Halt | None:
        """Lift the halt that stands and return it as it is kept now; None where none does (2)."""
        ...

    async def halts(self) -> tuple[Halt, ...]:
        """Return the newest halt of every kind and name (3)."""
        ...


def outlasts(standing: Halt, halt: Halt) -> bool:
    """Say whether a halt that is kept stays as it is when another one of its name comes."""
    if not standing.stands(halt.at):
        return False
    if standing.until is None:
        return True
    return halt.until is not None and halt.until <= standing.until


HALT_COLUMNS = "kind, name, actor, reason, at, until, lifted_by, lifted_because, lifted_at"
"""The columns that `halt_of` takes, in its order."""


def halt_of(values: Sequence[Sql]) -> Halt:
    """Return the halt of a row."""
    kind, name, actor, reason, at, until, lifted_by, lifted_because, lifted_at = values
    lifted = None
    if lifted_at is not None:
        lifted = {"actor": lifted_by, "reason": lifted_because, "at": lifted_at}
    found = {
        "kind": kind,
        "name": name,
        "actor": actor,
        "reason": reason,
        "at": at,
        "until": until,
        "lifted": lifted,
    }
    return msgspec.convert(found, Halt)

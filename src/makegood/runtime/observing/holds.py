"""Which keys are held, by whom, and who waits for one? Knows no rule of who is next."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from makegood.values.instants import as_datetime
from makegood.values.limits import MESSAGES_SHOWN_MAX

if TYPE_CHECKING:
    from datetime import datetime

    from makegood.journal.mail import Claimant
    from makegood.runtime.shell import Shell

__all__ = ["HeldKey", "KeyClaim", "holds_in"]


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyClaim:
    """What one run wants of a key."""

    run: str
    root: str
    """The run with which its tree began: a tree holds a key together."""
    since: datetime
    """When it asked for the key."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HeldKey:
    """A key that is held, and whoever waits for it."""

    key: str
    held_by: tuple[KeyClaim, ...]
    """One run, or several of one tree."""
    waiting: tuple[KeyClaim, ...]
    """Who waits, in the order in which they get it."""


async def holds_in(shell: Shell) -> tuple[HeldKey, ...]:
    """Return which keys are held, in the order in which they were asked for first."""
    claims = await shell.answer(shell.journal.claims(limit=MESSAGES_SHOWN_MAX))
    by_key: dict[str, list[Claimant]] = {}
    for claim in claims:
        by_key.setdefault(claim.key, []).append(claim)
    return tuple(
        HeldKey(
            key=key,
            held_by=tuple(_claim(claim) for claim in found if claim.is_holder),
            waiting=tuple(_claim(claim) for claim in found if not claim.is_holder),
        )
        for key, found in by_key.items()
    )


def _claim(claim: Claimant) -> KeyClaim:
    return KeyClaim(run=claim.run, root=claim.root, since=as_datetime(claim.since))

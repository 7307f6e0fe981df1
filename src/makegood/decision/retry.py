"""When something is tried again, and whether its key still protects it: pure functions."""

from __future__ import annotations

from datetime import timedelta
from hashlib import blake2b
from typing import TYPE_CHECKING, Literal

from makegood.decision.facts import NodeDelayed
from makegood.values.instants import Instant, after, micros

if TYPE_CHECKING:
    from makegood.decision.state import RunState
    from makegood.definition.plan import Backoff, Node

__all__ = ["Chance", "delayed", "is_key_known", "next_attempt"]

_SKEW_MAX = 60_000_000
"""By how much the clocks of two workers may differ, in microseconds."""


class Chance:
    """A seed from which every number is drawn by name: the same names give the same numbers."""

    __slots__ = ("_seed",)

    def __init__(self, seed: str | int) -> None:
        self._seed = str(seed)

    def fraction(self, name: str, attempt: int) -> float:
        """Return a number in [0, 1) that belongs to this name and attempt alone."""
        digest = blake2b(f"{self._seed}\x1f{name}\x1f{attempt}".encode(), digest_size=7)
        return int.from_bytes(digest.digest()) / (1 << 56)


def next_attempt(
    policy: Backoff,
    attempt: int,
    now: Instant,
    *,
    chance: Chance,
    name: str,
    retry_after: timedelta | None = None,
) -> Instant | None:
    """Say when to try again after `attempt` attempts, or None when the policy has had enough.

    The delay grows as the policy says, up to its cap; with jitter it is drawn from zero to that
    ("full jitter"). A `retry_after` from the other side is honoured up to the cap.
    """
    assert attempt >= 1, "an attempt has ended"
    if attempt >= policy.attempts:
        return None
    if retry_after is not None:
        return after(now, max(timedelta(0), min(retry_after, policy.delay_max)))
    pause = policy.pause_after(attempt)
    if policy.jitter:
        pause *= chance.fraction(name, attempt)
    return after(now, pause)


def is_key_known(node: Node, first_at: Instant | None, when: Instant) -> bool:
    """Say whether the other side is trusted to know a key still that it was first sent then.

    A clock that has gone back tells nothing about the key's age, so the key counts as dead;
    workers' clocks may differ by a little.
    """
    assert first_at is not None, "what is in doubt was begun"
    valid_for = node.key_valid_for
    age = when - first_at
    return valid_for is not None and -_SKEW_MAX < age < micros(valid_for)


def delayed(
    state: RunState,
    index: int,
    direction: Literal["do", "undo", "compensate"],
    now: Instant,
    *,
    attempt: int,
) -> NodeDelayed | None:
    """Say that a function of a node is not begun now, since a service that it is given is halted.

    It waits for the halt that ends last, and is looked at again then.
    """
    node = state.graph[index]
    asks = {"do": node, "undo": node.undo, "compensate": node.compensate}[direction]
    assert asks is not None
    halted = [(state.halted[name], name) for name in asks.services if name in state.halted]
    if not halted:
        return None
    due, service = max(halted)
    assert due > now, "a halt that has ended holds nothing back"
    return NodeDelayed(node.path, direction, attempt, service, due, now)

"""What a campaign of worlds of messages must have met; without it, nobody has looked there."""

from __future__ import annotations

from tests.simulation.kinds.playing import Kind
from tests.simulation.messages.world import play

__all__ = ["MESSAGES"]

IN_ANY_WAY = (
    *("killed before", "killed inside, not done", "killed inside, done", "killed after"),
    *("refused", "unknown, not done", "unknown, done"),
)

MESSAGES = Kind(
    name="messages",
    play=play,
    required=(
        *(f"a receptor: {state}" for state in ("done", "discarded")),
        "a route: done",
        "a receptor tried again",
        "given up: declined",
        "given up: poison",
        "sent again by a person",
        "a sending that the broker knew",
        "a message names the one before it",
        "what another one had was taken over",
        "asked again under its key",
        "closed",
        "fetch: killed after",
        *(f"take: {fate}" for fate in IN_ANY_WAY),
        "claim_listening: paused",
        *(f"at any time: {what}" for what in ("kill", "pause", "stop", "broker down")),
    ),
    seldom=(
        *(f"{operation}: {fate}" for operation in ("publish", "finish") for fate in IN_ANY_WAY),
        *(f"carry: {fate}" for fate in IN_ANY_WAY),
        *(f"carry: {fate}" for fate in ("sent again, done before", "doubled", "late", "paused")),
    ),
)

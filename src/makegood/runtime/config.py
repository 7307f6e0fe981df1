"""How much an engine does at once and how long it waits, each setting with its unit."""

from __future__ import annotations

from datetime import timedelta

import msgspec

from makegood.errors import InvalidInput
from makegood.values.ids import parse_message_key

__all__ = ["Config", "require_positive"]


class Config(msgspec.Struct, frozen=True, kw_only=True):
    """An engine's settings. The defaults suit a service on a small machine."""

    runs_active_max: int = 10_000
    """How many runs this engine holds at once; more wait in the journal."""
    steps_at_once_max: int = 1_000
    """How many bodies are at work at once in this engine; more wait their turn."""
    claim_batch: int = 100
    """How many runs are claimed at once."""
    lanes_active_max: int = 1_000
    """The messages of how many keys this engine receives at once; more wait in the journal."""
    lane_batch: int = 200
    """The messages of how many keys are taken at once."""
    message_source: str = "makegood"
    """The name under which this service gives ids to its messages: that of the service, the same
    for all its engines."""
    poll_min: timedelta = timedelta(milliseconds=20)
    """How soon the journal is asked again for due runs while there are some."""
    poll_max: timedelta = timedelta(seconds=1)
    """How soon at the latest."""
    shutdown_grace: timedelta = timedelta(seconds=10)
    """How long bodies at work may take to end when the engine closes."""
    cancel_grace: timedelta = timedelta(seconds=10)
    """How long a cancelled body may take for its `finally`, before it is given up on."""
    release_after: timedelta | None = timedelta(seconds=10)
    """A run that waits longer than this is given back and leaves memory; None: never."""

    def __post_init__(self) -> None:
        """Refuse settings that cannot work."""
        for name in (
            "runs_active_max",
            "steps_at_once_max",
            "claim_batch",
            "lanes_active_max",
            "lane_batch",
        ):
            require_positive(name, getattr(self, name))
        parse_message_key(self.message_source)
        for name in ("poll_min", "poll_max"):
            wait: timedelta = getattr(self, name)
            if wait <= timedelta(0):
                message = f"{name} is {wait}; it must be longer than nothing"
                raise InvalidInput(message)


def require_positive(name: str, value: object) -> None:
    """Raise `InvalidInput` for a setting that is no whole number of at least 1."""
    if not isinstance(value, int) or isinstance(value, bool):
        message = f"{name} is {value!r}; it must be a whole number"
        raise InvalidInput(message)
    if value < 1:
        message = f"{name} is {value}; it must be at least 1"
        raise InvalidInput(message)

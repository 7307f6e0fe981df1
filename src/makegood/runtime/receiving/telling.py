"""What the log is told of messages that were not received; ids, never bodies."""

from __future__ import annotations

from typing import TYPE_CHECKING

from makegood.journal.messages import Dead, Later
from makegood.runtime.receiving.fault import read_fault
from makegood.runtime.telemetry import log

if TYPE_CHECKING:
    from makegood.journal.messages import Due, Handling

__all__ = ["tell"]


def tell(receptor: str, due: Due, handled: Handling) -> None:
    """Tell of a message that is to be received again, or that was given up."""
    match handled:
        case Dead():
            log.error(
                "message %s is a dead letter of %s (%s): %s",
                due.message.id,
                receptor,
                handled.reason,
                _kind_of(handled.error),
            )
        case Later(is_attempt=True):
            log.info(
                "message %s is received by %s again: %s",
                due.message.id,
                receptor,
                _kind_of(handled.error),
            )
        case _:
            return


def _kind_of(error: bytes) -> str:
    """Return the class of an error: what it says may be personal."""
    fault = read_fault(error)
    return "?" if fault is None else fault.failure.type.rpartition(".")[2]

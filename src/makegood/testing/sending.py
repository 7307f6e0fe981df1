"""Whoever owns, in a test, the commands that workflows send.

A command that nobody owns is refused before the step that sends it is called. In a test nobody else
is there to receive it, so the test itself does.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Union

from makegood.definition.receiving.receptors import Receptors
from makegood.runtime.engine import parts_of

if TYPE_CHECKING:
    from makegood.runtime.engine import Engine
    from makegood.values.schemas import Schema

__all__ = ["own_commands"]

OWNER = "test"
"""The group of the receptor that receives what nobody else would."""


def own_commands(engine: Engine) -> None:
    """Let the commands be received, and no more, that the workflows send which are served."""
    commands = [kind for kind, schema in _sends(engine).items() if schema.kind == "command"]
    if not commands:
        return

    # Any: it receives whatever commands there are.
    async def receive(command: Any) -> None:
        """Take it."""

    receive.__annotations__["command"] = Union[tuple(commands)]  # noqa: UP007 - they are computed
    engine.serve(Receptors(OWNER).on(receive))


# Any: each message has the class that the user declares.
def _sends(engine: Engine) -> dict[type, Schema[Any]]:
    """Return what may be sent by the steps of all that is served, by class."""
    _shell, codes = parts_of(engine)
    found: dict[type, Schema[Any]] = {}
    for code in codes.values():
        for node in code.nodes.values():
            for part in (node.body, node.undo, node.compensate):
                if part is not None:
                    found |= part.sends
    return found

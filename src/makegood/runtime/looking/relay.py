"""Giving runs what other runs have said to them.

What a turn has for others is in the journal with the turn. Whoever wrote it delivers it at once;
where it dies before, any other working engine finds it when it looks next.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from makegood.runtime.looking.lookout import Lookout
from makegood.values.limits import DELIVERED_AT_ONCE_MAX

if TYPE_CHECKING:
    from makegood.runtime.shell import Shell

__all__ = ["relay_of"]


def relay_of(shell: Shell) -> Lookout:
    """Return what delivers for an engine; it is rung when a run has something for another one."""

    async def deliver() -> bool:
        """Deliver all that there is, and say whether somebody else is about to deliver more."""
        while True:
            delivered = await shell.journal.deliver(
                limit=DELIVERED_AT_ONCE_MAX, now=shell.clock.now()
            )
            for run in delivered.posted:
                shell.ring(run)
            if not (delivered.count and delivered.has_more):
                return delivered.has_more

    return Lookout(
        shell,
        deliver,
        longest=shell.config.poll_max,
        about="delivering what runs say",
        purpose="deliver",
    )

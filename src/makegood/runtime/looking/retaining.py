"""How long are ended runs kept, as the workflows say that an engine serves? It is told the store.

Whoever prunes has the store alone, and not the program; so the store is told once when something is
served, and what was served last counts. Where several of one name are served here, as a workflow
that is a step of others too, the longest period is theirs.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import timedelta

    from makegood.runtime.calling.served import Served
    from makegood.runtime.shell import Shell

__all__ = ["Retainer"]


class Retainer:
    """Tells the store for one engine."""

    def __init__(self, shell: Shell) -> None:
        self._shell = shell
        self._periods: dict[str, timedelta | None] = {}
        """By the names of the workflows; None: until somebody prunes them by their age."""
        self._told: dict[str, timedelta | None] = {}

    def serve(self, served: Iterable[Served]) -> None:
        """Have the store told of these too."""
        for each in served:
            before = self._periods.setdefault(each.name, each.period)
            if before is not None and each.period is not None:
                self._periods[each.name] = max(before, each.period)
            elif before is None:
                self._periods[each.name] = each.period

    async def tell(self) -> None:
        """Write what is not yet as it is declared; nothing is asked where all of it was told."""
        wanted = self._periods.copy()
        if wanted == self._told:
            return
        kept = await self._shell.journal.retained()
        for workflow, period in wanted.items():
            if kept.get(workflow) != period:
                await self._shell.journal.retain(workflow, period)
        self._told = wanted

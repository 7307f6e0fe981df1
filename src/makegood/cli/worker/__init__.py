"""`makegood worker`: one process that carries out runs, or several that are kept alive."""

from __future__ import annotations

from makegood.cli.worker.keeping import keep_working
from makegood.cli.worker.working import work_alone

__all__ = ["work"]


def work(place: str, *, processes: int, has_uvloop: bool) -> int:
    """Carry out runs with the engine that `module:object` names; return the exit status."""
    if processes == 1:
        return work_alone(place, has_uvloop=has_uvloop)
    return keep_working(place, processes=processes, has_uvloop=has_uvloop)

"""What a rule says of a workflow, and how whoever declared it says that it is meant so.

It knows no rule: a rule gives what it has found, and a finding adds the code and the reason.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from makegood.definition.reading.place import Place
    from makegood.definition.recipe import Recipe

__all__ = ["Finding", "Found"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """Something in a workflow that is allowed but looks wrong; `str` is a line for an editor."""

    code: str
    """Which rule found it, such as "MG102"."""
    sentence: str
    """What looks wrong, and what to write instead."""
    workflow: str
    path: str | None
    """The node that it is about; None: the workflow as a whole."""
    file: str
    line: int
    """Where the node is declared or wired, whichever is to be changed."""
    reason: str | None = None
    """Why it is meant so, as `allow=` says; None: nobody says so."""

    def __str__(self) -> str:
        """Return the finding as one line, with its place first."""
        return f"{self.file}:{self.line}: {self.code} {self.sentence}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """What a rule has found: the sentence, and where."""

    sentence: str
    place: Place
    path: str | None = None
    recipe: Recipe | None = None
    """The declaration that may allow it; the workflow always may."""

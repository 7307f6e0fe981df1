"""Plans drawn for people: `mermaid` gives a flowchart as text, for pages that render it."""

from makegood.picture.mermaid import mermaid

__all__ = ["mermaid"]

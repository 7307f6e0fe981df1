"""Plans and runs drawn for people: as text, as SVG, as Mermaid; and the story of a run as data."""

from makegood.picture.chart.drawing import chart
from makegood.picture.mermaid import mermaid
from makegood.picture.story import (
    Attempted,
    Ending,
    Entry,
    Happened,
    Happening,
    NodeStory,
    Standing,
    Timeline,
)
from makegood.picture.svg import svg
from makegood.picture.text import text
from makegood.picture.timeline import timeline

__all__ = [
    "Attempted",
    "Ending",
    "Entry",
    "Happened",
    "Happening",
    "NodeStory",
    "Standing",
    "Timeline",
    "chart",
    "mermaid",
    "svg",
    "text",
    "timeline",
]

"""Plans, runs and messages drawn for people, as text, SVG and Mermaid; a run's story as data."""

from makegood.picture.chart.drawing import chart
from makegood.picture.mermaid import mermaid
from makegood.picture.messages.figure import MessageFlow, message_flow
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
    "MessageFlow",
    "NodeStory",
    "Standing",
    "Timeline",
    "chart",
    "mermaid",
    "message_flow",
    "svg",
    "text",
    "timeline",
]

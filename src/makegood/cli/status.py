"""What a shell learns of how a command ended."""

from __future__ import annotations

__all__ = ["DONE", "ERROR", "FOUND", "INTERRUPTED", "MISTAKE", "UNANSWERED"]

DONE = 0

ERROR = 1
"""makegood could not do it, or the run's holder refused it."""

MISTAKE = 2
"""In what was asked."""

FOUND = 3
"""What was looked into is not as it should be."""

UNANSWERED = 4
"""What was asked is on record, and no worker has answered yet."""

INTERRUPTED = 130
"""From the keyboard."""

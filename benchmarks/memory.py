"""How much memory has this process held? It imports nothing but what every Python has."""

from __future__ import annotations

import resource
import sys
from pathlib import Path

__all__ = ["peak_rss_mb"]


def peak_rss_mb() -> float:
    """Return the most memory that this process has held so far, in megabytes.

    Linux hands `ru_maxrss` on from the parent through fork and exec; its own figure for the
    program that runs now is VmHWM, so that one is taken where it exists.
    """
    status = Path("/proc/self/status")
    if status.exists():
        for line in status.read_text().splitlines():
            if line.startswith("VmHWM:"):
                return round(int(line.split()[1]) / 1024, 1)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return round(peak / (1024 * 1024 if sys.platform == "darwin" else 1024), 1)

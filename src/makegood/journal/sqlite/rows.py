"""Which wake times mean something of their own in SQLite? Knows no statement."""

from __future__ import annotations

from makegood.values.instants import Instant

__all__ = ["DUE_AT_ONCE", "HELD"]

HELD = Instant(253_402_300_799_000_000)
"""The wake time of a held run: the last second of the year 9999. The lease of the process that
owns the file never expires by itself; it ends with the process, which the sidecar lock shows."""

DUE_AT_ONCE = Instant(0)
"""The wake time of a run whose holder has died: due whatever the clocks say."""

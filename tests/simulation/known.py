"""Seeds whose worlds have once shown a fault of the product, or of what judges it: for ever."""

from __future__ import annotations

__all__ = ["KNOWN"]

KNOWN = {
    441: (
        "An ended run was asked to be cancelled again and again. Each answer took a claim, which "
        "counted as one without progress, and when the run was to be undone it was poison."
    ),
    603: (
        "A step whose intent had to wait for room in the store had used up its time when it began: "
        "it was cancelled at once, and its attempts were spent on doubts of the engine's making."
    ),
    1_309: (
        "One deadly run had every run parked that was claimed with it: a suspect is claimed alone."
    ),
    1_730: (
        "A worker stood still between claiming a run and reading it, while another one had it go "
        "by another plan: it was read by the old one, and said to be unreadable."
    ),
    2_318: (
        "A parked run went by another plan when somebody asked something of it, and the witness "
        "held that to be more than an answer."
    ),
    33_620: (
        "A run was parked as poison, rightly, and the witness had not counted the process that had "
        "begun it among those that were lost with it."
    ),
}
"""What each seed showed when it was found."""

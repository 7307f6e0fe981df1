"""The mark and the colour of everything that a terminal shows; the mark alone says enough."""

from __future__ import annotations

from enum import StrEnum

from makegood.definition.plan import Kind
from makegood.picture.story import Attempted, Ending, Entry, Happening, Standing

__all__ = ["Ink", "Style", "mark_of_entry", "mark_of_kind", "mark_of_standing", "style_of_status"]


class Style(StrEnum):
    """How something is written, as the parameter of an SGR sequence (ECMA-48, 8.3.117)."""

    PLAIN = ""
    STRONG = "1"
    FAINT = "2"
    BAD = "31"
    GOOD = "32"
    DOUBT = "33"
    BACK = "35"
    WORK = "36"


class Ink:
    """Writes text in a style, or plainly where there is to be no colour."""

    def __init__(self, *, color: bool) -> None:
        self._color = color

    def __call__(self, text: str, style: Style) -> str:
        """Return the text, between the sequences that begin and end its style."""
        if not self._color or not text or style is Style.PLAIN:
            return text
        return f"\x1b[{style}m{text}\x1b[0m"


def mark_of_kind(kind: Kind) -> tuple[str, Style]:
    """Return the mark of a node that is only planned."""
    return _KINDS[kind]


def mark_of_standing(standing: Standing) -> tuple[str, Style]:
    """Return the mark of what became of a node."""
    return _STANDINGS[standing]


def mark_of_entry(entry: Entry) -> tuple[str, Style]:
    """Return the mark of one line of a story."""
    if isinstance(entry, Attempted):
        is_undone = entry.direction == "undo" and entry.ending is Ending.DONE
        return _STANDINGS[Standing.UNDONE] if is_undone else _ENDINGS[entry.ending]
    return _HAPPENINGS.get(entry.what, (" ", Style.PLAIN))


def style_of_status(status: str) -> Style:
    """Return how a run's status is written."""
    return _STATUSES.get(status, Style.WORK)


_KINDS: dict[Kind, tuple[str, Style]] = {
    Kind.STEP: ("●", Style.WORK),
    Kind.LOCAL: ("◉", Style.WORK),
    Kind.QUERY: ("○", Style.GOOD),
    Kind.PURE: ("▫", Style.PLAIN),
    Kind.NOTE: ("¶", Style.PLAIN),
    Kind.EXPECT: ("◇", Style.DOUBT),
    Kind.SWITCH: ("◆", Style.DOUBT),
    Kind.SLEEP: ("◷", Style.PLAIN),
    Kind.WAIT: ("✉", Style.PLAIN),
    Kind.SEND: ("➤", Style.WORK),
    Kind.EACH: ("∀", Style.WORK),
    Kind.REPEAT: ("↻", Style.WORK),
    Kind.CHILD: ("▣", Style.WORK),
    Kind.LIFECYCLE: ("⟳", Style.WORK),
}

_STANDINGS: dict[Standing, tuple[str, Style]] = {
    Standing.IDLE: ("·", Style.FAINT),
    Standing.AT_WORK: ("▸", Style.WORK),
    Standing.WAITING: ("◷", Style.WORK),
    Standing.DONE: ("✓", Style.GOOD),
    Standing.KEPT: ("■", Style.DOUBT),
    Standing.UNDONE: ("↶", Style.BACK),
    Standing.SKIPPED: ("–", Style.FAINT),
    Standing.STOPPED: ("⊘", Style.FAINT),
    Standing.FAILED: ("✗", Style.BAD),
    Standing.IN_DOUBT: ("?", Style.DOUBT),
    Standing.LEFT: ("!", Style.BAD),
}

_ENDINGS: dict[Ending, tuple[str, Style]] = {
    Ending.AT_WORK: ("▸", Style.WORK),
    Ending.DONE: ("✓", Style.GOOD),
    Ending.ANSWERED: ("→", Style.WORK),
    Ending.FAILED: ("✗", Style.BAD),
    Ending.IN_DOUBT: ("?", Style.DOUBT),
    Ending.UNRECORDED: ("?", Style.DOUBT),
    Ending.REFUSED: ("!", Style.BAD),
    Ending.INTERRUPTED: ("≈", Style.DOUBT),
    Ending.STOPPED: ("⊘", Style.FAINT),
    Ending.AWAITING: ("◷", Style.WORK),
}

_HAPPENINGS: dict[Happening, tuple[str, Style]] = {
    Happening.COMPUTED: ("✓", Style.GOOD),
    Happening.DELAYED: ("◷", Style.WORK),
    Happening.RECORDED: ("✎", Style.GOOD),
    Happening.NOTED: ("¶", Style.PLAIN),
    Happening.CHOSEN: ("◆", Style.DOUBT),
    Happening.ASLEEP: ("◷", Style.WORK),
    Happening.AWAITING: ("◷", Style.WORK),
    Happening.MESSAGE: ("✉", Style.GOOD),
    Happening.SENT: ("➤", Style.WORK),
    Happening.ROUNDS: ("↻", Style.WORK),
    Happening.MOVED: ("➔", Style.WORK),
    Happening.CALLED: ("▸", Style.WORK),
    Happening.STAYED: ("=", Style.PLAIN),
    Happening.REFUSED: ("!", Style.BAD),
    Happening.CHILD: ("▣", Style.WORK),
    Happening.FAILED: ("✗", Style.BAD),
    Happening.SKIPPED: ("–", Style.FAINT),
    Happening.STOPPED: ("⊘", Style.FAINT),
    Happening.GAVE_UP: ("✗", Style.BAD),
    Happening.CLAIMED: ("≈", Style.DOUBT),
    Happening.MOVED_ON: ("»", Style.WORK),
    Happening.DOUBT_OPENED: ("?", Style.DOUBT),
    Happening.STUCK: ("!", Style.BAD),
    Happening.DEADLINE_PASSED: ("✗", Style.BAD),
    Happening.ROLLBACK_BEGAN: ("↶", Style.BACK),
    Happening.KEPT: ("■", Style.DOUBT),
    Happening.LEFT: ("!", Style.BAD),
    Happening.PARKED: ("!", Style.BAD),
    Happening.ERASED: ("–", Style.FAINT),
}

_STATUSES = {
    "completed": Style.GOOD,
    "failed": Style.BAD,
    "cancelled": Style.BACK,
    "erased": Style.FAINT,
    "undoing": Style.BACK,
    "parked": Style.DOUBT,
    "paused": Style.DOUBT,
}

"""All rules, by their codes: what `allow=` may name, and what each looks for.

A rule is a function of a `Subject` that gives what it has found; its sentence says what is wrong
and what to write instead. A code is never used again for another rule. docs/reference/lint.md
shows each rule with a workflow that breaks it and one that does not.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from difflib import get_close_matches
from typing import TYPE_CHECKING, NamedTuple, cast

from makegood.definition.lint import machines, order, reach, steps

if TYPE_CHECKING:
    from makegood.definition.lint.finding import Found
    from makegood.definition.lint.subject import Subject

__all__ = ["ALLOWED_FOR_NOTHING", "RULES", "Rule", "misallowed"]

ALLOWED_FOR_NOTHING = "MG100"
"""The code of an `allow=` that names a rule which finds nothing there."""


class Rule(NamedTuple):
    """One rule."""

    code: str
    name: str
    look: Callable[[Subject], Iterator[Found]]


RULES: tuple[Rule, ...] = (
    Rule("MG101", "unused input", reach.is_unused),
    Rule("MG102", "no undo", steps.is_kept),
    Rule("MG103", "unordered effect", order.nothing_orders),
    Rule("MG104", "beside the pivot", order.is_beside_pivot),
    Rule("MG105", "unreachable", reach.is_unreachable),
    Rule("MG106", "no timeout", steps.has_no_timeout),
    Rule("MG107", "undo without a key", steps.undo_is_not_told_apart),
    Rule("MG108", "wait for ever", reach.waits_for_ever),
    Rule("MG109", "query with an effect", steps.query_writes),
    Rule("MG110", "assumed horizon", steps.rests_on_assumed_horizon),
    Rule("MG111", "retries outlive the key", steps.outlives_key),
    Rule("MG112", "retry for nothing", steps.retries_for_nothing),
    Rule("MG113", "doubt dropped", steps.drops_doubt),
    Rule("MG114", "sleep past the deadline", reach.sleeps_past_deadline),
    Rule("MG115", "unread record", steps.records_for_nobody),
    Rule("MG116", "pivot in a child", order.passes_pivot_in_child),
    Rule("MG117", "never ends", machines.never_ends),
    Rule("MG118", "outcomes run together", machines.runs_together),
)
"""Every rule, in the order of the codes, but for `ALLOWED_FOR_NOTHING`, which looks at findings."""

_CODES = frozenset(rule.code for rule in RULES)


# object: what is allowed is met at run time, whatever the annotation says.
def misallowed(allow: object) -> list[str]:
    """Return what is wrong with an `allow=`, whoever has it."""
    if not isinstance(allow, Mapping):
        return [f'allow={allow!r:.80} gives no reasons; write allow={{"MG102": "why"}}']
    found: list[str] = []
    for code, reason in cast("Mapping[object, object]", allow).items():
        if code == ALLOWED_FOR_NOTHING:
            found.append(f"allow= names {code}, which nothing excuses; remove what it finds")
        elif code not in _CODES:
            near = get_close_matches(str(code), _CODES, n=1)
            hint = f"did you mean {near[0]}?" if near else "docs/reference/lint.md lists the rules"
            found.append(f"allow= names {code!r}, which is no rule; {hint}")
        elif not isinstance(reason, str) or not reason.strip():
            found.append(f"allow= gives no reason for {code}; say why it is meant so")
    return found

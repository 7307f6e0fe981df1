"""How is a run written to a file, and read from it again? One JSON object a line, plans first.

    {"type": "plan", "plan": {…}}
    {"type": "run", "run": "…", "workflow": "…", "key": "…", "fingerprint": "…", "facts": […]}

A file says all that is needed to fold its runs, and nothing of any store. It holds the values of
the runs: inputs, results, what errors said.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, assert_never

import msgspec

from makegood.decision.facts import Fact, RunStarted
from makegood.definition.plan import Plan
from makegood.errors import InvalidInput
from makegood.runtime.asking.unread import has_begun

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from makegood.runtime.asking.reading import RunHistory

__all__ = ["ExportedRun", "Exports", "exported", "imported"]


class ExportedPlan(msgspec.Struct, frozen=True, kw_only=True, tag="plan"):
    """A plan by which runs in the file go."""

    plan: Plan


class ExportedRun(msgspec.Struct, frozen=True, kw_only=True, tag="run"):
    """What is recorded of a run."""

    run: str
    workflow: str
    key: str | None
    fingerprint: str
    facts: tuple[Fact, ...]


class Exports(msgspec.Struct, frozen=True, kw_only=True):
    """What a file holds."""

    plans: dict[str, Plan]
    """By fingerprint."""
    runs: tuple[ExportedRun, ...]


_decoder: msgspec.json.Decoder[ExportedPlan | ExportedRun] = msgspec.json.Decoder(
    ExportedPlan | ExportedRun
)
_read = _decoder.decode


def exported(histories: Sequence[RunHistory]) -> list[str]:
    """Return the lines of a file with these runs."""
    plans = {each.row.fingerprint: ExportedPlan(plan=each.plan) for each in histories}
    runs = [
        ExportedRun(
            run=each.row.run,
            workflow=each.row.workflow,
            key=each.row.key,
            fingerprint=each.row.fingerprint,
            facts=_since_the_start(each),
        )
        for each in histories
    ]
    return [msgspec.json.encode(each).decode() for each in (*plans.values(), *runs)]


def _since_the_start(history: RunHistory) -> tuple[Fact, ...]:
    """Return the facts of a run; what it begins with may still wait in its inbox."""
    if has_begun(history.appends):
        return history.facts
    return history.facts + tuple(fact for fact in history.inbox if isinstance(fact, RunStarted))


def imported(lines: Iterable[str], name: str) -> Exports:
    """Return what the lines of a file hold; `InvalidInput` says which one cannot be read."""
    plans: dict[str, Plan] = {}
    runs: list[ExportedRun] = []
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            entry = _read(line)
        except msgspec.MsgspecError as error:
            message = (
                f"line {number} of {name} is no exported plan or run ({error}); write the file "
                "with `makegood export`"
            )
            raise InvalidInput(message) from error
        match entry:
            case ExportedPlan(plan=plan):
                plans[plan.fingerprint] = plan
            case ExportedRun():
                runs.append(entry)
            case _:
                assert_never(entry)
    for run in runs:
        if run.fingerprint not in plans:
            message = (
                f"{name} lacks the plan {run.fingerprint} of run {run.run}; write the file with "
                "`makegood export`"
            )
            raise InvalidInput(message)
    return Exports(plans=plans, runs=tuple(runs))

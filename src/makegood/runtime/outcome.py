"""How a run ended, as the caller is told: built from facts, with the exceptions where they are."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Generic, TypeVar

import msgspec

from makegood.decision.people.failures import failures_in
from makegood.decision.state import Phase
from makegood.definition.plan import Constant, FromNode
from makegood.errors import RunCancelled, RunErased, RunFailed, RunParked
from makegood.runtime.calling.failing import as_remote, is_record_of
from makegood.runtime.report import Settled, settled_in
from makegood.values.verdict import Failure

if TYPE_CHECKING:
    from collections.abc import Mapping

    from makegood.decision.state import RunState
    from makegood.definition.code import Code
    from makegood.definition.plan import Plan
    from makegood.values.ids import RunId

__all__ = ["Outcome", "build_outcome", "raise_for"]

R = TypeVar("R")


class Outcome(msgspec.Struct, Generic[R], frozen=True, kw_only=True, eq=False):
    """How a run ended or was parked. Names are node paths."""

    run: str
    status: str
    """`completed`, `failed`, `cancelled`, `parked` or `erased`."""
    cause: str | None
    """`error`, `deadline`, `cancelled` or `reversed`; None when it completed."""
    rollback: str | None
    """`none` when there was nothing to undo, `undone`, or None when it is parked."""
    reason: str | None
    """Why it is parked."""
    value: R | None
    """What the workflow returned, when it completed and was not erased."""
    error: BaseException | None
    """The original error: the exception itself where it was raised in this process."""
    errors: tuple[BaseException, ...]
    """The original error first, then those of other steps, then each undo's."""
    failure: Failure | None
    """The original error as it was recorded."""
    done: list[str]
    """What has happened and stands, in the order of completion."""
    undone: list[str]
    """What was undone, in the order in which it was undone."""
    kept: list[str]
    """What stayed done in a rollback: it declares no undo, or a person keeps it (`settled`)."""
    skipped: list[str]
    left: list[str]
    """What a person must settle: undos that gave up, and what is in doubt."""
    in_doubt: list[str]
    """What may or may not have happened, optional steps included."""
    settled: tuple[Settled, ...] = ()
    """What people have settled, and why."""

    @property
    def is_completed(self) -> bool:
        """Whether the run did what it was to do."""
        return self.status == "completed"


def build_outcome(
    run: RunId,
    plan: Plan,
    state: RunState,
    *,
    code: Code | None,
    errors: Mapping[tuple[str, Any], BaseException],  # Any: one of the three directions
) -> Outcome[Any]:
    """Return the outcome that a settled state stands for; without code the value is plain JSON."""
    status = state.status
    raised = [] if status == "completed" else _errors(state, errors)
    doubtful = {index for index in state.stuck if state.nodes[index].phase in _IN_DOUBT}
    # One value more by name would cost five times as much: see where a turn makes its append.
    outcome: Outcome[Any] = Outcome(
        run=run,
        status=status,
        cause=_text(state.cause or state.rolling_back),
        rollback=_text(state.rollback),
        reason=_text(state.parked),
        value=_value(plan, state, code) if status == "completed" else None,
        error=raised[0][0] if raised else None,
        errors=tuple(error for error, _failure in raised),
        failure=raised[0][1] if raised else None,
        done=_paths(state, state.done_order),
        undone=_paths(state, state.undone_order),
        kept=_in_phase(state, Phase.KEPT),
        skipped=_in_phase(state, Phase.SKIPPED),
        left=_paths(state, state.stuck),
        in_doubt=_paths(state, sorted(doubtful | set(state.skipped_in_doubt))),
    )
    if not state.settled:
        return outcome
    return msgspec.structs.replace(outcome, settled=settled_in(state))


def raise_for(outcome: Outcome[Any], *, workflow: str) -> None:
    """Raise what a caller of `result` gets when the run did not complete."""
    if outcome.is_completed:
        return
    name = f"run {outcome.run} of `{workflow}`"
    why = f": {outcome.failure}" if outcome.failure is not None else ""
    if outcome.status == "parked":
        left = ", ".join(f"`{path}`" for path in outcome.left)
        message = f"{name} is parked, {outcome.reason}{f' ({left})' if left else ''}{why}"
        raise RunParked(
            message, run=outcome.run, errors=outcome.errors, left=outcome.left
        ) from outcome.error
    if outcome.status == "erased":
        message = f"{name} was erased: it had ended, and no value of it is on record any more"
        raise RunErased(message, run=outcome.run)
    undone = ", ".join(f"`{path}`" for path in outcome.undone)
    message = f"{name} {outcome.status} ({outcome.cause}){why}"
    settled = "; ".join(str(each) for each in outcome.settled)
    if undone or not settled:
        message += f"; undone: {undone}" if undone else "; there was nothing to undo"
    message += f"; settled: {settled}" if settled else ""
    kind = RunFailed if outcome.status == "failed" else RunCancelled
    raise kind(message, run=outcome.run, errors=outcome.errors) from outcome.error


def _errors(
    state: RunState, known: Mapping[tuple[str, Any], BaseException]
) -> list[tuple[BaseException, Failure]]:
    """Return each error with its record: the one that failed the run first, undos last."""
    return [
        (_raised(known, path, direction, failure), failure)
        for path, direction, failure in failures_in(state)
    ]


def _raised(
    known: Mapping[tuple[str, Any], BaseException],  # Any: one of the three directions
    path: str,
    direction: str,
    failure: Failure,
) -> BaseException:
    """Return the exception behind a record, or one that stands for it if it was not raised here."""
    error = known.get((path, direction))
    if error is None or not is_record_of(failure, error):
        return as_remote(failure)
    return error


_IN_DOUBT = frozenset({Phase.STUCK, Phase.UNRECORDED, Phase.REFUSED})


# Any: the value has the type that the workflow declares.
def _value(plan: Plan, state: RunState, code: Code | None) -> Any:
    assert not isinstance(state.returned, Failure), "a completed run has a value"
    if state.returned is not None:
        return _read(code, state.returned)
    if code is not None:
        return code.result(state.inputs, state.results)
    match plan.returns:
        case Constant(json=text):
            return msgspec.json.decode(text)
        case FromNode(node=index):
            result = state.results[index]
            return None if result is None else msgspec.json.decode(result)
        case _:
            message = "a value built from several results is recorded"
            raise AssertionError(message)


def _read(code: Code | None, value: msgspec.Raw) -> Any:  # Any: as above
    return msgspec.json.decode(value) if code is None else code.result_codec.read(value)


def _paths(state: RunState, indices: list[int]) -> list[str]:
    return [state.graph[index].path for index in indices]


def _in_phase(state: RunState, phase: Phase) -> list[str]:
    return [
        node.path
        for node, current in zip(state.graph, state.nodes, strict=True)
        if current.phase is phase
    ]


def _text(word: object) -> str | None:
    return None if word is None else str(word)

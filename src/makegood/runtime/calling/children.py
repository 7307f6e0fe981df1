"""Which child a node calls: computed from recorded values, or returned by a step's body.

Nothing is started here. The fact says which run it is to be, and the run begins after that is
durable.
"""

from __future__ import annotations

from hashlib import blake2b
from typing import TYPE_CHECKING, Any, cast

from makegood.decision import facts
from makegood.definition.reading.fit import fits, type_name
from makegood.errors import InvalidInput, TooDeep
from makegood.runtime.calling.failing import as_failure
from makegood.values.ids import child_key, child_run
from makegood.values.instants import after
from makegood.values.limits import DEPTH_MAX
from makegood.values.verdict import FailureKind

if TYPE_CHECKING:
    from makegood.decision.facts import Fact
    from makegood.decision.state import RunState
    from makegood.definition.call import Call
    from makegood.runtime.calling.served import Served
    from makegood.values.ids import RunId
    from makegood.values.instants import Instant

__all__ = ["call_child", "child_called", "own_key"]


def own_key(state: RunState, run: RunId) -> str:
    """Return by what the effects of a run are told from those of every other one.

    The key of a lifecycle is free again when its run has ended, so its runs go by their ids.
    """
    return run if state.lifecycle is not None else state.key or run


def call_child(
    served: Served, state: RunState, index: int, *, run: RunId, now: Instant
) -> tuple[Fact, BaseException | None]:
    """Return the fact that a node calls its child, and the exception behind it if it cannot."""
    code = served.code.nodes[state.number_of(index)]
    try:
        given = code.arguments(state.inputs_of(index), state.results_of(index))
        call = cast("Call[Any]", code.function(**given))
        return child_called(call, served, state, index, run=run, now=now), None
    except Exception as error:  # noqa: BLE001 - a user's value may do anything when it is asked
        node, failure = state.graph[index], as_failure(error, FailureKind.PERMANENT)
        # Where a failure is an outcome, that none could be called is none.
        failed = facts.NodeRefused if node.keeps_failure else facts.NodeFailed
        return failed(node.path, failure, now), error


# Any: a call gives whatever its workflow declares.
def child_called(
    call: Call[Any], served: Served, state: RunState, index: int, *, run: RunId, now: Instant
) -> facts.ChildStarted:
    """Return the fact that a node calls a child; raise `TooDeep`, or `InvalidInput` for a misfit.

    The child may take no longer than its own deadline, the time of all attempts of the node, and
    the deadline of the run that calls it.
    """
    node, current, child = state.graph[index], state.nodes[index], call.workflow
    if state.family.depth >= DEPTH_MAX:
        message = (
            f"`{node.path}` calls `{child.name}` as a run within {state.family.depth} others; at "
            f"most {DEPTH_MAX} are allowed: go on in a repeat(…), or return before that"
        )
        raise TooDeep(message)
    wanted = served.code.nodes[state.number_of(index)].result.type
    if not fits(child.signature.returns, wanted):
        message = (
            f"`{node.path}` calls `{child.name}`, which returns "
            f"{type_name(child.signature.returns)}; call one that returns {type_name(wanted)}"
        )
        raise InvalidInput(message)
    began = now if current.timed_from is None else current.timed_from
    limits = (
        None if child.plan.deadline is None else after(now, child.plan.deadline),
        None if node.timeout_total is None else after(began, node.timeout_total),
        state.deadline,
    )
    key = child_key(
        served.name,
        own_key(state, run),
        node.path,
        generation=current.generation,
        number=current.children + 1,
    )
    machine = child.plan.machine
    return facts.ChildStarted(
        node=node.path,
        run=child_run(key, now),
        workflow=child.name,
        fingerprint=child.plan.fingerprint,
        # A lifecycle is known by the key of its record, under which messages find it.
        key=call.key or key,
        input_hash=_hash(call.input_hash, run, node.path),
        inputs=call.input,
        deadline=min((limit for limit in limits if limit is not None), default=None),
        at=now,
        schema=1 if machine is None else machine.schema,
        is_lifecycle=machine is not None,
    )


def _hash(inputs: str, run: RunId, path: str) -> str:
    """Return what tells the child from every other run, one with its key and inputs included.

    A run that somebody else has started would never tell this one how it ends.
    """
    whole = f"{inputs}\x1f{run}\x1f{path}".encode()
    return blake2b(whole, digest_size=16, person=b"makegood.child").hexdigest()

"""Computing from recorded values, inside the turn: guards, flags, pure functions, the result.

What is computed is recorded in the same append and never computed again, so an error here is an
outcome like any other and not a crash of the turn.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, assert_never, cast

import msgspec
from msgspec import Raw
from msgspec.structs import replace

from makegood.decision import facts
from makegood.decision.facts import SkipReason
from makegood.decision.state import Results
from makegood.errors import InvalidInput, PayloadTooLarge, QuorumMissed
from makegood.runtime.calling.failing import as_failure
from makegood.values.codec import NULL
from makegood.values.limits import ITEMS_MAX, NODES_PER_RUN_MAX, PAYLOAD_BYTES_MAX
from makegood.values.rounds import Failed, Unneeded
from makegood.values.verdict import FailureKind

if TYPE_CHECKING:
    from collections.abc import Iterator

    from makegood.decision.commands import Evaluate
    from makegood.decision.facts import Fact
    from makegood.decision.state import Rounds, RunState
    from makegood.definition.code import Code, Inputs, NodeCode
    from makegood.definition.code import Results as Seen
    from makegood.definition.plan import Block
    from makegood.values.instants import Instant

__all__ = ["evaluate"]


def evaluate(
    code: Code, state: RunState, command: Evaluate, now: Instant
) -> tuple[Fact, BaseException | None]:
    """Return the fact that a computation gives, and the exception behind it if it failed."""
    if command.node < 0:
        return _result(code, state)
    path = state.graph[command.node].path
    its = code.nodes[state.number_of(command.node)]
    try:
        return _of_node(its, state, command, now), None
    except _Unmet:
        assert its.error is not None, "a demand has an error"
        return facts.NodeFailed(path, as_failure(its.error, FailureKind.PERMANENT), now), its.error
    except Exception as error:  # noqa: BLE001 - a user's function ends here
        failure = as_failure(error, FailureKind.PERMANENT)
        block = state.graph[command.node].block
        if command.what == "round" and block is not None and block.keeps_failures:
            return facts.RoundFailed(path, command.round, failure, now), error
        return facts.NodeFailed(path, failure, now), error


class _Unmet(Exception):
    """A flag that is demanded does not hold."""


def _of_node(code: NodeCode, state: RunState, command: Evaluate, now: Instant) -> Fact:
    index = command.node
    path = state.graph[index].path
    inputs, results = state.inputs_of(index), state.results_of(index)
    match command.what:
        case "guard":
            if code.holds(inputs, results):
                return facts.Guarded(path)
            if code.otherwise is None:
                return facts.NodeSkipped(path, SkipReason.GUARD, now)
            instead = code.result.write(code.otherwise(inputs, results))
            return facts.NodeSkipped(path, SkipReason.GUARD, now, instead)
        case "expect":
            if not code.holds(inputs, results):
                raise _Unmet
            return facts.NodeDone(path, NULL, now)
        case "value":
            value = code.function(**code.arguments(inputs, results))
            return facts.NodeDone(path, code.result.write(value), now)
        case "note":
            return facts.NodeDone(path, _noted(code, inputs, results), now)
        case "due" | "wait" | "letter":
            return _of_waiting(code, state, command, now)
        case "case":
            assert code.choose is not None, "a switch chooses"
            return facts.Chosen(path, code.choose(inputs, results))
        case "branch":
            case = state.nodes[index].case
            assert case is not None, "its case was chosen before"
            assert code.branches is not None, "a switch has branches"
            return facts.NodeDone(
                path, code.result.write(code.branches[case](inputs, results)), now
            )
        case "items" | "start" | "round" | "list" | "until":
            return _of_rounds(code, state, command, now)
        case "result" | "call" | "listen" | "final":
            message = "what is the run's, and what a node calls, is computed elsewhere"
            raise AssertionError(message)
        case _:
            assert_never(command.what)


def _noted(code: NodeCode, inputs: Inputs, results: Seen) -> Raw:
    """Return a value that is noted as JSON, or why it cannot be: a note never ends a run."""
    try:
        return code.result.write(code.function(**code.arguments(inputs, results)))
    except InvalidInput as error:
        return code.result.write(f"(not noted: {error})")


def _of_waiting(code: NodeCode, state: RunState, command: Evaluate, now: Instant) -> Fact:
    index = command.node
    node = state.graph[index]
    given = code.arguments(state.inputs_of(index), state.results_of(index))
    if command.what == "due":
        return facts.SleepBegan(node.path, code.function(now, **given))
    if command.what == "wait":
        key, due = code.function(now, **given)
        return facts.WaitBegan(node.path, node.function, key, due, now)
    key, value, until, on = code.function(now, **given)
    return facts.MessageSent(node.path, node.function, key, value, on, until, now)


def _of_rounds(code: NodeCode, state: RunState, command: Evaluate, now: Instant) -> Fact:
    index, path = command.node, state.graph[command.node].path
    made = code.rounds
    assert made is not None, "an each and a repeat have rounds"
    if command.what in {"items", "start"}:
        given = code.arguments(state.inputs_of(index), state.results_of(index))
        if command.what == "start":
            return facts.RoundBegan(path, made.given.write(given["start"]))
        return facts.ItemsListed(path, _items(code, state, index, given["items"]))
    rounds = state.rounds[index]
    if command.what == "round":
        scope = rounds.scopes[command.round]
        value = made.value(scope.inputs, Results(state, scope))
        return facts.RoundDone(path, command.round, made.value_codec.write(value))
    if command.what == "list":
        return facts.NodeDone(path, _together(path, state, index), now)
    return _next_round(code, state, index, now)


def _items(code: NodeCode, state: RunState, index: int, items: object) -> tuple[Raw, ...]:
    """Return each item as JSON; refuse what is no sequence, or too long a one."""
    assert code.rounds is not None
    path, block = state.graph[index].path, state.graph[index].block
    assert block is not None
    if not isinstance(items, list | tuple):
        message = f"`{path}` goes over a `{type(items).__qualname__}`; give it a list or a tuple"
        raise InvalidInput(message)
    listed = cast("list[object] | tuple[object, ...]", items)
    many = len(listed)
    if many > ITEMS_MAX:
        message = (
            f"`{path}` goes over {many:,} items; at most {ITEMS_MAX:,} are allowed: split them "
            "among several runs"
        )
        raise InvalidInput(message)
    _require_nodes(state, many * len(block.nodes), path)
    write = code.rounds.given.write
    return tuple(write(item) for item in listed)


def _require_nodes(state: RunState, more: int, path: str) -> None:
    """Refuse rounds that would make the run larger than a run may be."""
    if len(state.nodes) + more > NODES_PER_RUN_MAX:
        message = (
            f"with `{path}` the run would have {len(state.nodes) + more:,} nodes; at most "
            f"{NODES_PER_RUN_MAX:,} are allowed: split it among several runs"
        )
        raise InvalidInput(message)


def _together(path: str, state: RunState, index: int) -> Raw:
    """Return the list of what the rounds have given."""
    rounds, block = state.rounds[index], state.graph[index].block
    assert block is not None, "an each has a block"
    given: Iterator[bytes] = (b"null" if raw is None else bytes(raw) for raw in rounds.values)
    if block.keeps_failures:
        _require_enough(path, rounds, block)
        given = _outcomes(rounds)
    text = b"[" + b",".join(given) + b"]"
    if len(text) > PAYLOAD_BYTES_MAX:
        message = (
            f"the results of {len(rounds.values):,} rounds have {len(text):,} bytes as JSON; at "
            f"most {PAYLOAD_BYTES_MAX:,} are allowed: let a round return less"
        )
        raise PayloadTooLarge(message)
    return Raw(text)


def _require_enough(path: str, rounds: Rounds, block: Block) -> None:
    """Refuse to go on with fewer rounds done than were asked for."""
    if rounds.done >= block.done_min:
        return
    message = (
        f"`{path}` needs {block.done_min:,} of its {len(rounds.given):,} rounds done, and "
        f"{len(rounds.failures):,} failed"
    )
    if rounds.failures:
        node, failure = next(iter(rounds.failures.values()))
        message += f"; the first was `{node}`: {failure}"
    raise QuorumMissed(message)


def _outcomes(rounds: Rounds) -> Iterator[bytes]:
    """Give what became of each round, in the order of the items."""
    for number, raw in enumerate(rounds.values):
        if number in rounds.failures:
            node, failure = rounds.failures[number]
            yield msgspec.json.encode(Failed(node, replace(failure, traceback="")))
        elif number >= len(rounds.scopes):
            yield msgspec.json.encode(Unneeded())
        else:
            value = b"null" if raw is None else bytes(raw)
            yield b'{"outcome":"succeeded","value":' + value + b"}"


def _next_round(code: NodeCode, state: RunState, index: int, now: Instant) -> Fact:
    """Say whether a repeat is over, or goes round with the value that it has."""
    node, made = state.graph[index], code.rounds
    assert made is not None
    assert node.block is not None
    last = state.rounds[index].values[-1] or NULL
    rounds = len(state.rounds[index].values)
    if made.until is not None and made.until(made.given.read(last)):
        return facts.NodeDone(node.path, last, now)
    if rounds < node.block.rounds_max:
        _require_nodes(state, len(node.block.nodes), node.path)
        return facts.RoundBegan(node.path, last)
    if made.until is None:
        return facts.NodeDone(node.path, last, now)
    message = f"`{node.path}` has not come to its end in {rounds:,} rounds; raise times_max"
    raise InvalidInput(message)


def _result(code: Code, state: RunState) -> tuple[Fact, BaseException | None]:
    try:
        value = code.result(state.inputs, state.results)
        return facts.Returned(value=code.result_codec.write(value)), None
    except Exception as error:  # noqa: BLE001 - a user's value may do anything when it is asked
        return facts.Returned(failure=as_failure(error, FailureKind.PERMANENT)), error

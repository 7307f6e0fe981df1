"""Can a run go on under another definition of its workflow? Its facts fit, and can be read.

The decision core says whether the facts fit the plan. Here what they hold is read by the types
that are declared now, too: a type may have changed and kept its name. Records of a lifecycle are
read by the schema under which they were written; and a message only where it is still to be heard.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from msgspec.structs import replace

from makegood.decision import facts
from makegood.decision.evolve import evolve
from makegood.decision.facts import read_facts
from makegood.decision.moving.fitting import Misfit, misfit_of, named
from makegood.decision.state import RunState
from makegood.definition.lifecycle.carrying import OutcomeCodec
from makegood.runtime.asking.post import as_fact
from makegood.runtime.asking.unread import has_begun
from makegood.runtime.shell import UNREADABLE

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from msgspec import Raw

    from makegood.decision.facts import Fact
    from makegood.definition.call import Door
    from makegood.definition.code import Code, NodeCode
    from makegood.definition.plan import Plan
    from makegood.journal.protocol import History
    from makegood.values.codec import AnyCodec

__all__ = ["Declared", "misfit_of_facts", "misfit_of_history"]

_CHARACTERS_MAX = 300


class Declared(Protocol):
    """A workflow as it is declared now, served or not."""

    @property
    def plan(self) -> Plan:
        """Its plan."""
        ...

    @property
    def code(self) -> Code:
        """Its functions."""
        ...

    @property
    def door(self) -> Door:
        """How its inputs are read."""
        ...


def misfit_of_history(history: History, old: Plan, declared: Declared) -> Misfit | None:
    """Return why a run cannot go on as a workflow is declared now; None: it can."""
    try:
        recorded = [fact for append in history.appends for fact in read_facts(append)]
        if not has_begun([recorded]):
            # It was posted, and nobody has begun it.
            recorded += [as_fact(posted, old, None) for posted in history.inbox[:1]]
        return misfit_of_facts(recorded, old, declared)
    except UNREADABLE as error:
        return Misfit(sentence=f"what is recorded cannot be read: {error}", position=0, fact="")


def misfit_of_facts(recorded: Sequence[Fact], old: Plan, declared: Declared) -> Misfit | None:
    """Return the first of a run's facts that does not fit, or that cannot be read any more."""
    misfit = misfit_of(old, declared.plan, recorded)
    return _unread(recorded, declared) if misfit is None else misfit


def _unread(recorded: Sequence[Fact], declared: Declared) -> Misfit | None:
    state = RunState(declared.plan)
    for position, fact in enumerate(recorded, 1):
        evolve(state, fact)
        for what, read, value in _values_of(fact, state, declared):
            why = _unreadable(read, value)
            if why is not None:
                sentence = f"{what} cannot be read any more: {why}"
                return replace(named(fact, position), sentence=sentence)
    for message, read, value in _unheard(state, declared):
        why = _unreadable(read, value)
        if why is not None:
            sentence = f"a {message} that is still to be heard cannot be read any more: {why}"
            return Misfit(sentence=sentence, position=len(recorded), fact="message came")
    return None


def _values_of(
    fact: Fact, state: RunState, declared: Declared
) -> Iterator[tuple[str, Callable[[Raw], object], Raw]]:
    """Give the values that a fact holds: what they are, by what they are read, and their JSON."""
    match fact:
        case facts.RunStarted(inputs=inputs):
            for name, codec in declared.door.codecs:
                if name in inputs:
                    yield f"the input `{name}`", _reader(codec, declared, fact.schema), inputs[name]
        case facts.NodeDone(node=path, result=result):
            yield _given_by(path, state, declared, result)
        case facts.VerdictGiven(node=path, verdict=facts.Proceeded(result=result)):
            yield _given_by(path, state, declared, result)
        case facts.Recorded(node=path, value=value) if not _is_gone(state, path):
            record = _code(state, declared, path).record
            if record is not None:
                yield f"what `{path}` has recorded", record.read, value
        case facts.ItemsListed(node=path, items=items):
            for item in items:
                yield f"an item of `{path}`", _given(state, declared, path), item
        case facts.RoundBegan(node=path, value=value):
            yield f"what a round of `{path}` is given", _given(state, declared, path), value
        case facts.Returned(value=value, failure=None):
            yield "the run's value", declared.code.result_codec.read, value
        case _:
            return


def _reader(codec: AnyCodec, declared: Declared, schema: int) -> Callable[[Raw], object]:
    """Return what reads an input; the record of a lifecycle may have an older schema."""
    lifecycle = declared.code.lifecycle
    if lifecycle is None:
        return codec.read
    return lambda raw: lifecycle.record.read(raw, schema)


def _given_by(
    path: str, state: RunState, declared: Declared, result: Raw
) -> tuple[str, Callable[[Raw], object], Raw]:
    """Return what a node has given, and by what it is read."""
    lifecycle = declared.code.lifecycle
    codec = None if _is_gone(state, path) else _code(state, declared, path).result
    if lifecycle is not None and (codec is None or isinstance(codec, OutcomeCodec)):
        return f"the record that `{path}` has left", lifecycle.record.read_left, result
    assert codec is not None, "only calls of handlers are gone"
    if lifecycle is not None and state.lifecycle is not None and path in declared.plan.positions:
        return f"the result of `{path}`", _reader(codec, declared, state.lifecycle.schema), result
    return f"the result of `{path}`", codec.read, result


def _unheard(
    state: RunState, declared: Declared
) -> Iterator[tuple[str, Callable[[Raw], object], Raw]]:
    """Give the messages that have come to the record of a lifecycle and were not dealt with."""
    its, code = state.lifecycle, declared.code.lifecycle
    if its is None or code is None:
        return
    came = [*its.queue, *(message for _due, message in its.repeats.values())]
    if its.busy is not None and its.called is not None:
        came.append(its.called.message)
    for message in came:
        if message is not None:
            yield message.message, code.messages[message.message].read, message.value


def _is_gone(state: RunState, path: str) -> bool:
    """Say whether a node is the call of a handler that is not declared any more."""
    return state.lifecycle is not None and state.positions[path] in state.lifecycle.gone


def _code(state: RunState, declared: Declared, path: str) -> NodeCode:
    return declared.code.nodes[state.number_of(state.positions[path])]


def _given(state: RunState, declared: Declared, path: str) -> Callable[[Raw], object]:
    rounds = _code(state, declared, path).rounds
    assert rounds is not None, "only what goes round has rounds"
    return rounds.given.read


def _unreadable(read: Callable[[Raw], object], value: Raw) -> str | None:
    try:
        read(value)
    except Exception as error:  # noqa: BLE001 - the user's type is made here, which may do anything
        return " ".join(str(error).split())[:_CHARACTERS_MAX]
    return None

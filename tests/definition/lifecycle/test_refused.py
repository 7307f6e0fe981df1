"""A lifecycle that is wrong is refused where it is declared, with what to write instead."""

from __future__ import annotations

import pytest

from makegood.errors import DefinitionError
from tests.definition.conftest import Declare

PRELUDE = """\
from datetime import datetime
from typing import Literal
from makegood.definition.lifecycle.builder import Lifecycle
from makegood.values.outcomes import *
from makegood.values.rounds import Failed, Succeeded

class S(Enum):
    A = 1
    B = 2
    C = 3

class Other(Enum):
    A = 1

class Paid(msgspec.Struct, frozen=True):
    amount: int

async def go(order: Order) -> Goto[Literal[S.B], Order]: ...
async def on(order: Order) -> Goto[Literal[S.C], Order]: ...
async def stay(order: Order) -> Stay[Order] | Goto[Literal[S.C], Order]: ...
async def anywhere(order: Order) -> Next[S, Order]: ...
async def heard(order: Order, paid: Paid) -> Goto[Literal[S.C], Order]: ...
async def ended(order: Order, done: Succeeded[int] | Failed) -> Goto[Literal[S.C], Order]: ...
async def undone(order: Order) -> None: ...

def made(**options: Any) -> Lifecycle[Order, S]:
    return Lifecycle("order", Order, S, key=lambda order: order.id, **options)

begun = made().on(S.A, go, to={S.B})
whole = begun.on(S.B, on, to={S.C})
"""

HANDLERS = {
    "no function": ("made().on(S.A, 3)", "a handler of `order` is 3; give it a function"),
    "no record": (
        "async def none() -> Stay[Order]: ...\nmade().on(S.A, none)",
        "the handler `none` does not take the record; let parameter 1 be",
    ),
    "another record": (
        "async def other(order: Hold) -> Stay[Hold]: ...\nmade().on(S.A, other)",
        "takes `order: Hold`, but is given the record, Order",
    ),
    "what only a receptor has": (
        "from makegood.values.injectable import MessageInfo\n"
        "async def which(order: Order, *, info: MessageInfo = injected) -> Stay[Order]: ...\n"
        "made().on(S.A, which)",
        "`which` injects `info: MessageInfo`, which only a receptor has; remove it",
    ),
    "too many parameters": (
        "async def more(order: Order, n: int) -> Stay[Order]: ...\nmade().on(S.A, more)",
        "also takes `n`; it is given the record, and services as `*, n: … = injected`",
    ),
    "a time that is awaited": (
        "async def due(order: Order) -> datetime: ...\nmade().expire(S.A, stay, at=due, to={S.C})",
        "at= of `stay` is <function due",
    ),
    "a call that is awaited": (
        "async def begin(order: Order) -> Any: ...\nmade().call(S.A, begin, ended, to={S.C})",
        "but it is computed at once; give it a plain function of the record",
    ),
    "another message": (
        "made().hear(S.A, Hold, heard, to={S.C})",
        "takes `paid: Paid`, but is given the message, Hold",
    ),
    "no message": (
        "made().hear(S.A, Paid, on, to={S.C})",
        "the handler `on` does not take the message; let parameter 2 be",
    ),
    "nothing that a workflow gives": (
        "made().call(S.A, lambda order: None, heard, to={S.C})",
        "takes `paid: Paid`, but is given how the run has ended, Succeeded[…] | Failed",
    ),
    "only that it went well": (
        "async def well(order: Order, done: Succeeded[int]) -> Goto[S, Order]: ...\n"
        "made().call(S.A, lambda order: None, well, to={S.C})",
        "is given how the run has ended, Succeeded[…] | Failed",
    ),
    "no outcome": (
        "async def none(order: Order) -> Order: ...\nmade().on(S.A, none)",
        "the handler `none` returns Order; a handler returns Goto, Stay, Rearm, Again, PauseRun",
    ),
    "nothing": (
        "made().on(S.A, undone)",
        "the handler `undone` returns None; a handler returns Goto",
    ),
    "an outcome of another record": (
        "async def other(order: Order) -> Stay[Hold]: ...\nmade().on(S.A, other)",
        "returns Stay[Hold], but its record is Order",
    ),
    "a status of another lifecycle": (
        "async def away(order: Order) -> Goto[Literal[Other.A], Order]: ...\n"
        "made().on(S.A, away, to={S.B})",
        "goes to <Other.A: 1>, which is no S",
    ),
    "a status that is not declared": (
        "made().on(S.A, go, to={S.C})",
        "says it goes to B; add it to to=, or take it out of Literal[…]",
    ),
    "a status that it does not name": (
        "made().on(S.A, go, to={S.B, S.C})",
        "leads to C, which its Literal[…] does not name; make them agree",
    ),
    "nowhere to go": (
        "made().on(S.A, anywhere)",
        "returns Goto, but says nowhere to what; add to=",
    ),
    "somewhere to go without going": (
        "async def wait(order: Order) -> Stay[Order]: ...\nmade().on(S.A, wait, to={S.B})",
        "leads to B, but does not return Goto; remove to=, or return it",
    ),
    "what is no status": (
        "made().on(Other.A, go, to={S.B})",
        "`go` names <Other.A: 1>, which is no S; name one of A, B, C",
    ),
    "where nothing is": ("made().on(set(), go, to={S.B})", "`go` is called in no status"),
    "what is no name": ('made().on(S.A, go, to={S.B}, name="a/b")', "cannot be part of a path"),
    "too many at once": ("made().on(S.A, go, to={S.B}, at_once=0)", "`go` has at_once=0; give 1"),
    "no class of messages": (
        "async def text(order: Order, text: str) -> Goto[S, Order]: ...\n"
        "made().hear(S.A, str, text, to={S.B})",
        "`str` is not a class of messages",
    ),
    "two times": (
        "made().expire(S.A, go, after=timedelta(1), at=lambda order: None, to={S.B})",
        "a timer of `order` has two times; give it after=…, or at=lambda record: …",
    ),
    "no time": ("made().expire(S.A, go, to={S.B})", "a timer of `order` has no time"),
    "a time before": (
        "made().expire(S.A, go, after=timedelta(-1), to={S.B})",
        "is out of bounds; give a duration of at most 3,660 days",
    ),
    "an undo of the outcome": (
        "async def back(done: Goto[S, Order]) -> None: ...\n"
        "made().on(S.A, go, to={S.B}, undo=back)",
        "takes `done: Goto[S, Order]`, but `go` returns Order",
    ),
    "contradictions": (
        'made().on(S.A, go, to={S.B}, undo=undone, irreversible="no")',
        "undo= and irreversible= contradict each other",
    ),
    "a body that blocks": (
        "def block(order: Order) -> Goto[S, Order]: ...\nmade().on(S.A, block, to={S.B})",
        "`block` is not async; write `async def`",
    ),
    "a local handler with doubts": (
        "async def kept(order: Order, *, transaction: Transaction = injected)"
        " -> Goto[S, Order]: ...\n"
        "made().on(S.A, kept, to={S.B}, key_valid_for=None)",
        "so it is a local step: no other side knows its key",
    ),
}

WHOLES = {
    "nothing at all": ("made()", "`order` has no handlers, so nothing ever happens"),
    "two of one name": (
        "whole.hear(S.A, Paid, heard, to={S.C}).hear(S.B, Paid, heard, to={S.C})",
        '2 handlers of `order` are named `heard`; give them names by name="…"',
    ),
    "two entries": (
        'whole.on(S.A, go, to={S.B}, name="again")',
        "A has 2 handlers for its entry, `go` and `again`; keep one",
    ),
    "an entry and a call": (
        "whole.call(S.A, lambda order: None, ended, to={S.C})",
        "A has 2 handlers for its entry, `go` and `ended`; keep one",
    ),
    "a message heard twice": (
        'whole.hear(S.B, Paid, heard, to={S.C}).hear(S.B, Paid, heard, to={S.C}, name="again")',
        "B hears declared.Paid 2 times; one handler is called: keep one",
    ),
    "no start": (
        "whole.on(S.C, anywhere, to={S.A})",
        "something leads to each status of `order`, so nothing says where a run begins; add start=",
    ),
    "a start where nothing happens": (
        "made(start=S.C).on(S.A, go, to={S.B}).on(S.B, on, to={S.C})",
        "nothing is called in C, in which runs begin; add a handler to it",
    ),
    "a start that is a pivot": (
        "made(pivots={S.A}).on(S.A, go, to={S.B}).on(S.B, on, to={S.C})",
        "A is the start and a pivot, so nothing would ever be undone; remove it",
    ),
    "what cannot be reached": (
        "made(start=S.B).on(S.A, go, to={S.B}).on(S.B, on, to={S.C})",
        "nothing leads from B to A; add it to to= of a handler, or take it out of the statuses",
    ),
    "an end that is not declared": (
        "made(terminal={S.B}).on(S.A, anywhere, to={S.B, S.C})",
        "nothing is called in C, which is not declared terminal; add a handler",
    ),
    "an end with a handler": (
        "made(terminal={S.B, S.C}).on(S.A, go, to={S.B}).on(S.B, on, to={S.C})",
        "B is declared terminal, but `on` is called there; remove the handler",
    ),
    "a status to stay in for ever": (
        "begun.on(S.B, stay, to={S.C})",
        "`stay` may stay in B, which neither hears nor expires, so the run would stand still",
    ),
    "no time at all": (
        "whole).workflow(deadline=timedelta(0)",
        "deadline=datetime.timedelta(0) is out of bounds",
    ),
}

SHAPES = {
    "a key that is awaited": (
        'async def known(order: Order) -> str: ...\nLifecycle("order", Order, S, key=known)',
        "key= of `order` is <function known",
    ),
    "no name": ('Lifecycle("a b", Order, S, key=str)', "the name 'a b' cannot be part of a path"),
    "no text for a name": ("Lifecycle(3, Order, S, key=str)", "its name is 3; give a text"),
    "no record": (
        'Lifecycle("order", object, S, key=str)',
        "the record of `order`: object cannot be carried",
    ),
    "no statuses": (
        'Lifecycle("order", Order, int, key=str)',
        "the statuses of `order` are <class 'int'>; give it an Enum",
    ),
    "an empty enum": ('Lifecycle("order", Order, Enum("E", {}), key=str)', "give it an Enum"),
    "too many statuses": (
        'Lifecycle("order", Order, Enum("E", [f"S{n}" for n in range(201)]), key=str)',
        "`order` has 201 statuses; at most 200",
    ),
    "a start elsewhere": ("made(start=Other.A)", "`order` names <Other.A: 1>, which is no S"),
    "an end elsewhere": ("made(terminal={Other.A})", "names <Other.A: 1>, which is no S"),
    "a pause after nothing": ("made(pause_after=0)", "pause_after=0 is out of bounds; give 1 to"),
    "too many visits": ("made(visits_max=20_000)", "visits_max=20000 is out of bounds; give 1 to"),
    "no repeats": ("made(repeats_max=0)", "repeats_max=0 is out of bounds"),
    "no resumes": ("made(resumes_max=0)", "resumes_max=0 is out of bounds"),
    "a pause without a length": ("made(resume_after=timedelta(0))", "resume_after="),
    "no schema": ("made(schema=0)", "schema=0 is out of bounds; schemas are counted from 1"),
    "a schema without a way to it": (
        "made(schema=3)",
        "schema=3 needs upcasts={1: …, 2: …}, each to the next schema, and those given are of none",
    ),
    "a gap in the way to a schema": (
        "made(schema=4, upcasts={1: dict, 3: dict})",
        "each to the next schema, and those given are of 1, 3",
    ),
}


@pytest.mark.parametrize(("source", "message"), HANDLERS.values(), ids=HANDLERS)
def test_a_wrong_handler_is_refused(declare: Declare, source: str, message: str) -> None:
    sentences = _refused(declare, source)

    assert any(message in sentence for sentence in sentences), sentences


@pytest.mark.parametrize(("source", "message"), WHOLES.values(), ids=WHOLES)
def test_what_makes_no_sense_together_is_refused(
    declare: Declare, source: str, message: str
) -> None:
    sentences = _refused(declare, f"({source}).workflow()")

    assert any(message in sentence for sentence in sentences), sentences


@pytest.mark.parametrize(("source", "message"), SHAPES.values(), ids=SHAPES)
def test_a_wrong_shape_is_refused_on_its_line(declare: Declare, source: str, message: str) -> None:
    source = source.replace("made(", 'Lifecycle("order", Order, S, key=str, ')

    [sentence] = declare.refused(f"{PRELUDE}{source}  # wrong\n")

    assert message in sentence


def test_everything_that_is_wrong_with_a_handler_is_found_at_once(declare: Declare) -> None:
    sentences = _refused(
        declare,
        "async def bad(order: Hold, more: int) -> Order: ...\n"
        'made().on(Other.A, bad, to={S.B}, name="a b")',
    )

    assert len(sentences) == 5, sentences


def _refused(declare: Declare, source: str) -> list[str]:
    """Return the sentences for which a module is refused, each of which names its place."""
    with pytest.raises(DefinitionError) as caught:
        declare(f"{PRELUDE}{source}\n")
    found = [problem.partition(": ") for problem in caught.value.problems]
    assert all(place.startswith(f"{declare.path}:") for place, _, _ in found), found
    return [sentence for _, _, sentence in found]

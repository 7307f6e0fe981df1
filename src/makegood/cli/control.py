"""What does a person ask of a run, and what became of that? Cancel, undo, settle and retry."""

from __future__ import annotations

import asyncio
import getpass
import sys
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from makegood import ControlAnswer, ControlRefused, InvalidInput
from makegood.cli.asking.refusals import refusal_of
from makegood.cli.status import DONE, ERROR, UNANSWERED
from makegood.cli.store import opened
from makegood.cli.writing import json_of, look_of, write
from makegood.picture.typeset import cells, padded, visible, wrapped
from makegood.picture.words import lasted
from makegood.values.verdict import ItDidNotHappen, ItHappened, Kept, UndoneByHand

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import timedelta

    from makegood import Operator
    from makegood.cli.writing import Look
    from makegood.decision.people.preview import UndoPreview
    from makegood.values.ids import RunId
    from makegood.values.verdict import Settlement

__all__ = [
    "Asking",
    "actor_of",
    "agrees",
    "cancel",
    "preview_undo",
    "retry",
    "settle",
    "settlement",
    "tell",
    "undo",
]


class Asking(NamedTuple):
    """Of which run something is asked, by whom and why, and how the answer is told."""

    store: str
    run: str
    actor: str | None
    """None stands for the login name."""
    reason: str
    wait: timedelta
    as_json: bool


class Said(msgspec.Struct, frozen=True, kw_only=True):
    """What became of a request, as JSON shows it."""

    run: str
    asked: str
    answer: ControlAnswer | None
    """None: it is on record, and no worker has answered yet."""
    says: str
    """The sentence that is written without `--json`."""


def cancel(asking: Asking) -> int:
    """Ask for a run to be cancelled."""

    async def ask(operator: Operator, run: RunId, actor: str) -> ControlAnswer | None:
        return await operator.cancel(run, actor=actor, reason=asking.reason, wait=asking.wait)

    accepted = "is cancelled: nothing more is begun, and what it did is being undone"
    return tell(asking, "cancel", ask, accepted=accepted)


def undo(asking: Asking, *, is_agreed: bool) -> int:
    """Show what an undo would do, and ask for it when the person agrees."""

    async def ask(operator: Operator, run: RunId, actor: str) -> ControlAnswer | None:
        return await operator.undo(run, actor=actor, reason=asking.reason, wait=asking.wait)

    if not is_agreed:
        if asking.as_json or not sys.stdin.isatty():
            message = (
                "undo asks before it begins, and nobody can answer here; look with --preview, "
                "then add --yes"
            )
            raise InvalidInput(message)
        status = preview_undo(asking.store, asking.run, as_json=False)
        if status is not DONE:
            return status
        if not agrees("undo it?"):
            write("nothing was asked of the run")
            return ERROR
    return tell(asking, "undo", ask, accepted="is being undone, the last step first")


def settle(asking: Asking, node: str, settlement: Settlement) -> int:
    """Say what became of a node that the parked run waits for."""

    async def ask(operator: Operator, run: RunId, actor: str) -> ControlAnswer | None:
        return await operator.settle(
            run, node, settlement, actor=actor, reason=asking.reason, wait=asking.wait
        )

    return tell(asking, "settle", ask, accepted=f"goes on: `{visible(node)}` is settled")


def retry(asking: Asking, node: str | None, *, leave_out: Sequence[int] = ()) -> int:
    """Ask for what the parked run waits for to be tried again."""

    async def ask(operator: Operator, run: RunId, actor: str) -> ControlAnswer | None:
        return await operator.retry(
            run, node, actor=actor, reason=asking.reason, wait=asking.wait, leave_out=leave_out
        )

    what = "what gave up" if node is None else f"`{visible(node)}`"
    return tell(asking, "retry", ask, accepted=f"goes on: {what} is tried again")


def settlement(
    *, happened: str | None, did_not_happen: bool, undone: bool, kept: bool
) -> Settlement:
    """Return what the options say; exactly one of them must be given."""
    given: list[Settlement] = []
    if happened is not None:
        given.append(ItHappened(msgspec.Raw(happened.encode())))
    if did_not_happen:
        given.append(ItDidNotHappen())
    if undone:
        given.append(UndoneByHand())
    if kept:
        given.append(Kept())
    if len(given) != 1:
        message = "give one of --happened JSON, --did-not-happen, --undone and --kept"
        raise InvalidInput(message)
    return given[0]


def preview_undo(store: str, run: str, *, as_json: bool) -> int:
    """Write what an undo would do, without asking for it; say by the status whether it could."""
    preview = asyncio.run(_preview(store, run))
    if as_json:
        write(json_of(preview))
    else:
        write("\n".join(_foreseen(visible(run), preview, look_of(sys.stdout))))
    return DONE if preview.is_possible else ERROR


# What is asked ---------------------------------------------------------------------------------

Ask = Callable[["Operator", "RunId", str], Awaitable[ControlAnswer | None]]
"""How the request is made: of a run, by an actor."""


def tell(asking: Asking, asked: str, ask: Ask, *, accepted: str) -> int:
    """Ask, write what became of it in one sentence, and return the exit status."""
    run, answer = asyncio.run(_answer(asking, ask))
    name = visible(asking.run)
    match answer:
        case None:
            status = UNANSWERED
            sentence = (
                f"the request to {asked} {name} is on record, and no worker has answered within "
                f"{lasted(asking.wait)}; the worker that next serves the run takes it"
            )
        case ControlAnswer.ACCEPTED:
            status, sentence = DONE, f"{name} {accepted}"
        case _:
            status = ERROR
            sentence = f"the request to {asked} {name} is refused: {refusal_of(answer)}"
    if asking.as_json:
        write(json_of(Said(run=run, asked=asked, answer=answer, says=sentence)))
    elif status == ERROR:
        sys.stderr.write(f"{sentence}\n")
    else:
        write(sentence)
    return status


async def _answer(asking: Asking, ask: Ask) -> tuple[RunId, ControlAnswer | None]:
    actor = actor_of(asking.actor)
    async with opened(asking.store) as its:
        run = await its.operator.find(asking.run)
        try:
            return run, await ask(its.operator, run, actor)
        except ControlRefused as refusal:
            # It is told in the words of the commands.
            return run, ControlAnswer(refusal.answer)


# What an undo would do ------------------------------------------------------------------------


async def _preview(store: str, run: str) -> UndoPreview:
    async with opened(store) as its:
        return await its.operator.preview_undo(await its.operator.find(run))


def _foreseen(run: str, preview: UndoPreview, look: Look) -> Iterator[str]:
    if not preview.is_possible:
        yield f"an undo of {run} would be refused: {refusal_of(preview.answer)}"
        return
    if preview.undos:
        yield f"an undo of {run} takes back, in this order:"
    else:
        yield f"an undo of {run} takes nothing back"
    width = max((cells(visible(each.node)) for each in preview.undos), default=0)
    for number, foreseen in enumerate(preview.undos, start=1):
        node = padded(visible(foreseen.node), width)
        yield f"  {number:>2}. {node}  by {visible(foreseen.function)}"
    if preview.kept:
        yield "and leaves as it is:"
    for kept in preview.kept:
        why = kept.why or "it declares no undo"
        first, *others = wrapped(visible(f"{kept.node}: {why}"), look.width - 6)
        yield f"      {first}"
        yield from (f"      {line}" for line in others)


def agrees(question: str) -> bool:
    """Ask a person; no answer is a no."""
    sys.stdout.write(f"{question} [y/N] ")
    sys.stdout.flush()
    return sys.stdin.readline().strip().lower() in {"y", "yes"}


def actor_of(actor: str | None) -> str:
    """Return who asks: the login name, where nobody else is named."""
    if actor is not None:
        return actor
    try:
        return getpass.getuser()
    except (ImportError, KeyError, OSError):
        message = "this login has no name; say who asks with --actor"
        raise InvalidInput(message) from None

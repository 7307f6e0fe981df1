"""What is shown of messages, and what becomes of those that were given up."""

from __future__ import annotations

import asyncio
import sys
from typing import TYPE_CHECKING, Literal, NamedTuple

from makegood import InvalidInput, MessageOperator, TracedRun
from makegood.cli.control import actor_of
from makegood.cli.status import DONE, FOUND
from makegood.cli.store import opened
from makegood.cli.writing import json_of, look_of, table, write
from makegood.picture.typeset import visible

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime, timedelta

    from makegood import DeadLetter, MissingMessage, ReceptorLag, TracedMessage

__all__ = [
    "Chosen",
    "forgotten",
    "listed",
    "missing",
    "moment",
    "moved",
    "receptors",
    "shown",
    "traced",
]


class Chosen(NamedTuple):
    """Which dead letters are meant."""

    ids: tuple[str, ...]
    receptor: str | None
    reason: str | None
    fault: str | None


def listed(store: str, chosen: Chosen, *, as_json: bool) -> int:
    """Write the dead letters."""
    found = asyncio.run(_dead(store, chosen))
    if as_json:
        write(json_of(found))
    elif not found:
        write("no message was given up")
    else:
        head = ("id", "message", "key", "given up", "attempts", "why")
        rows = [
            (
                visible(each.id),
                visible(each.type),
                visible(each.key or "-"),
                moment(each.failed_at),
                str(each.attempts),
                f"{each.reason}: {visible(_what(each))} [{each.fault}]",
            )
            for each in found
        ]
        write("\n".join(table(head, rows, look_of(sys.stdout))))
    return FOUND if found else DONE


def shown(store: str, id: str, *, as_json: bool) -> int:
    """Write one dead letter with what the message says."""
    found, body = asyncio.run(_one(store, id))
    if as_json:
        write(json_of({"letter": found, "body": body}))
        return DONE
    failure = found.failure
    lines = [
        f"{visible(found.type)} {visible(found.message)} of {visible(found.receptor)}",
        f"key {visible(found.key or '-')} · correlation {visible(found.correlation)}",
        f"given up {moment(found.failed_at)} UTC after {found.attempts} attempts: {found.reason}",
        f"fault {found.fault} · definition {found.definition or '-'}",
        visible(_what(found)),
        *(visible(line) for line in (failure.traceback if failure else "").splitlines()),
        visible(body),
    ]
    write("\n".join(lines))
    return DONE


def moved(
    store: str,
    what: Literal["resend", "discard"],
    chosen: Chosen,
    *,
    actor: str | None,
    because: str,
    is_agreed: bool,
    as_json: bool,
) -> int:
    """Send dead letters again or discard them, or only say which that would be."""
    if chosen == Chosen((), None, None, None):
        message = "name dead letters by their ids, or with --receptor, --why or --fault"
        raise InvalidInput(message)
    ids = asyncio.run(
        _move(store, what, chosen, actor=actor_of(actor), because=because, dry_run=not is_agreed)
    )
    if as_json:
        write(json_of({"done": is_agreed, "ids": ids}))
        return DONE
    done = "sent again" if what == "resend" else "discarded"
    said = done if is_agreed else f"would be {done}; add --yes to do it"
    write("\n".join([*map(visible, ids), f"{len(ids)} {said}"]))
    return DONE


def traced(store: str, correlation: str, *, as_json: bool) -> int:
    """Write all messages and runs of one correlation, each below what it came from."""
    found = asyncio.run(_traced(store, correlation))
    if as_json:
        write(json_of(found))
    elif not found:
        write(f"neither a message nor a run has the correlation {visible(correlation)}")
    else:
        write("\n".join(_tree(found)))
    return DONE


def receptors(store: str, *, as_json: bool) -> int:
    """Write how far every receptor is behind."""
    found = asyncio.run(_lag(store))
    if as_json:
        write(json_of(found))
    else:
        head = ("receptor", "waiting", "since", "given up")
        rows = [
            (visible(each.receptor), str(each.waiting), moment(each.oldest_at), str(each.dead))
            for each in found
        ]
        write("\n".join(table(head, rows, look_of(sys.stdout))))
    return DONE


def missing(store: str, within: timedelta, *, as_json: bool) -> int:
    """Write the messages that should have come and have not."""
    found = asyncio.run(_missing(store, within))
    if as_json:
        write(json_of(found))
    elif not found:
        write("nothing is missing of what linked routes have told")
    else:
        head = ("source", "message", "key", "route", "noticed", "by")
        rows = [
            (
                visible(each.source),
                visible(each.id),
                visible(each.key or "-"),
                visible(each.route),
                moment(each.noticed_at),
                visible(each.before),
            )
            for each in found
        ]
        write("\n".join(table(head, rows, look_of(sys.stdout))))
    return FOUND if found else DONE


def forgotten(store: str, receptor: str) -> int:
    """Have no more messages kept for a receptor."""
    count = asyncio.run(_forget(store, receptor))
    what = "type" if count == 1 else "types"
    write(f"messages of {count} {what} are kept for {visible(receptor)} no more")
    return DONE


def _tree(found: Sequence[TracedMessage | TracedRun]) -> list[str]:
    """Return lines for each, below what it came from; what came first stands first."""
    ids = {each.id for each in found}
    below: dict[str, list[TracedMessage | TracedRun]] = {}
    tops: list[TracedMessage | TracedRun] = []
    for each in found:
        origin = each.causation
        if origin is None or origin == each.id or origin not in ids:
            tops.append(each)
        else:
            below.setdefault(origin, []).append(each)
    lines: list[str] = []
    waiting = [(each, 0) for each in reversed(tops)]
    while waiting:
        each, depth = waiting.pop()
        lines += [f"{'  ' * depth}{line}" for line in _told(each, is_top=depth == 0)]
        waiting += [(one, depth + 1) for one in reversed(below.pop(each.id, []))]
    return lines


def _told(each: TracedMessage | TracedRun, *, is_top: bool) -> list[str]:
    key = "" if each.key is None else f" key {visible(each.key)}"
    if isinstance(each, TracedRun):
        origin = "" if not is_top or each.causation == each.id else f" by {visible(each.causation)}"
        return [f"run {visible(each.workflow)} {each.id}{key}: {each.status}{origin}"]
    lines = [f"{visible(each.type)} {visible(each.id)}{key}"]
    for delivery in each.deliveries:
        why = "" if delivery.reason is None else f" ({delivery.reason})"
        lines.append(f"  -> {visible(delivery.receptor)}: {delivery.state}{why}")
    return lines


def _what(letter: DeadLetter) -> str:
    return "what came is no message" if letter.failure is None else str(letter.failure)


def moment(at: datetime | None) -> str:
    """Return a moment as a table shows it."""
    return "-" if at is None else f"{at:%Y-%m-%d %H:%M:%S}"


async def _dead(store: str, chosen: Chosen) -> tuple[DeadLetter, ...]:
    async with opened(store) as found:
        operator = MessageOperator(found.engine)
        return await operator.dead_letters(
            ids=chosen.ids, receptor=chosen.receptor, reason=chosen.reason, fault=chosen.fault
        )


async def _one(store: str, id: str) -> tuple[DeadLetter, str]:
    async with opened(store) as found:
        operator = MessageOperator(found.engine)
        letters = await operator.dead_letters(ids=[id])
        if not letters:
            message = f"there is no dead letter {id!r}; `makegood dead list` lists those there are"
            raise InvalidInput(message)
        return letters[0], await operator.body(id)


async def _move(
    store: str,
    what: Literal["resend", "discard"],
    chosen: Chosen,
    *,
    actor: str,
    because: str,
    dry_run: bool,
) -> tuple[str, ...]:
    async with opened(store) as found:
        operator = MessageOperator(found.engine)
        move = operator.resend if what == "resend" else operator.discard
        return await move(
            actor=actor,
            because=because,
            ids=chosen.ids,
            receptor=chosen.receptor,
            reason=chosen.reason,
            fault=chosen.fault,
            dry_run=dry_run,
        )


async def _traced(store: str, correlation: str) -> tuple[TracedMessage | TracedRun, ...]:
    async with opened(store) as found:
        return await MessageOperator(found.engine).trace(correlation)


async def _forget(store: str, receptor: str) -> int:
    async with opened(store) as found:
        return await MessageOperator(found.engine).forget(receptor)


async def _missing(store: str, within: timedelta) -> tuple[MissingMessage, ...]:
    async with opened(store) as found:
        return await MessageOperator(found.engine).missing(within=within)


async def _lag(store: str) -> tuple[ReceptorLag, ...]:
    async with opened(store) as found:
        return await MessageOperator(found.engine).lag()

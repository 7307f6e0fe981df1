"""What is shown of read models, and having one built anew."""

from __future__ import annotations

import asyncio
import sys
from typing import TYPE_CHECKING

from makegood import ModelOperator
from makegood.cli.control import actor_of
from makegood.cli.receiving.letters import moment
from makegood.cli.status import DONE
from makegood.cli.store import opened
from makegood.cli.writing import json_of, look_of, table, write
from makegood.picture.typeset import visible

if TYPE_CHECKING:
    from makegood import ModelEdition

__all__ = ["listed", "rebuilt", "retired"]


def listed(store: str, *, as_json: bool) -> int:
    """Write the editions of all read models."""
    found = asyncio.run(_editions(store))
    if as_json:
        write(json_of(found))
    elif not found:
        write("no read model was ever served on this store")
    else:
        head = ("read model", "edition", "state", "waiting", "since", "given up", "begun", "why")
        rows = [
            (
                visible(each.model),
                str(each.number),
                _state(each),
                str(each.waiting),
                moment(each.oldest_at),
                str(each.dead),
                moment(each.begun_at),
                visible(f"{each.actor}: {each.because}"),
            )
            for each in found
        ]
        write("\n".join(table(head, rows, look_of(sys.stdout))))
    return DONE


def rebuilt(store: str, model: str, *, actor: str | None, because: str, as_json: bool) -> int:
    """Have a read model built anew by whoever serves it."""
    number = asyncio.run(_rebuild(store, model, actor=actor_of(actor), because=because))
    if as_json:
        write(json_of({"model": model, "number": number}))
    else:
        write(
            f"edition {number} of {visible(model)} is built by whoever serves it, and serves once "
            "it has caught up; `makegood models` says how far it is"
        )
    return DONE


def retired(
    store: str, model: str, number: int, *, actor: str | None, because: str, as_json: bool
) -> int:
    """End an edition, and remove what is left of it."""
    is_done = asyncio.run(_retire(store, model, number, actor=actor_of(actor), because=because))
    if as_json:
        write(json_of({"model": model, "number": number, "done": is_done}))
    else:
        done = "is ended" if is_done else "was ended before"
        write(f"edition {number} of {visible(model)} {done}")
    return DONE


def _state(edition: ModelEdition) -> str:
    return edition.state if edition.filled == 1 else f"{edition.state}, {edition.filled:.0%}"


async def _editions(store: str) -> tuple[ModelEdition, ...]:
    async with opened(store) as found:
        return await ModelOperator(found.engine).editions()


async def _rebuild(store: str, model: str, *, actor: str, because: str) -> int:
    async with opened(store) as found:
        return await ModelOperator(found.engine).rebuild(model, actor=actor, because=because)


async def _retire(store: str, model: str, number: int, *, actor: str, because: str) -> bool:
    async with opened(store) as found:
        operator = ModelOperator(found.engine)
        is_done = await operator.retire(model, number, actor=actor, because=because)
        await operator.clear()
        return is_done

"""A process of its own in which steps send messages until it is killed.

Called with the journal's path, and how many parcels to send.
"""

from __future__ import annotations

import asyncio
import os
import sys
from dataclasses import dataclass
from typing import ClassVar

from makegood import Emit, Engine, Receptors, injected, step, workflow

__all__ = ["STEPS", "Packed", "depot", "main", "parcel"]


@dataclass(frozen=True)
class Packed:
    """A parcel has come as far as a step."""

    message_name: ClassVar[str] = "depot.Packed"

    parcel: str
    place: str


async def pack(name: str, *, emit: Emit[Packed] = injected) -> str:
    emit(Packed(name, "packed"))
    return name


async def load(name: str, *, emit: Emit[Packed] = injected) -> str:
    emit(Packed(name, "loaded"))
    return name


STEPS = ("pack", "load")
"""The steps that send a message each."""


@workflow
def parcel(name: str) -> str:
    return step(load, irreversible="a test")(step(pack, irreversible="a test")(name))


async def note(event: Packed) -> None:
    """Receive it, so that there is somebody for whom it is kept."""


depot = Receptors("depot").on(note)


async def main(journal: str, parcels: int) -> None:
    """Send parcels, sixteen at a time, and say of each when it is away."""
    async with Engine(f"sqlite:///{journal}") as engine:
        engine.serve(parcel, depot)
        at_once = asyncio.Semaphore(16)

        async def send(number: int) -> None:
            async with at_once:
                run = await engine.start(parcel(f"parcel {number}"), key=f"parcel-{number}")
                await run.result()
                os.write(1, f"{number}\n".encode())

        await asyncio.gather(*(send(number) for number in range(parcels)))


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], int(sys.argv[2])))

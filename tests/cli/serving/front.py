"""The program that `makegood http` is given in its tests."""

from __future__ import annotations

import os

from makegood import Engine, step, workflow


async def double(number: int) -> int:
    return 2 * number


@workflow(strict=True)
def doubled(number: int) -> int:
    return step(double, irreversible="it only counts")(number)


def engine() -> Engine:
    opened = Engine(f"sqlite:///{os.environ['FRONT_STORE']}")
    opened.serve(doubled)
    return opened

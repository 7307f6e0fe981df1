"""Workflows that call themselves: a countdown, and a factorial.

A step that returns a call has that run in its place. Each number is a run of its own, with its own
history; a process that is killed in the midst goes on where it was, and an undo takes all of them
back, the last one first.
"""

import asyncio

from makegood import Call, Declined, Engine, RunFailed, injected, pure, step, workflow


class Pad:
    """Where the numbers are written down."""

    def __init__(self) -> None:
        self.numbers: list[int] = []


async def write_number(left: int, *, pad: Pad = injected) -> int | Call[int]:
    """Write a number down, and let the one before follow."""
    pad.numbers.append(left)
    return left if left == 0 else countdown(left - 1)


async def erase_number(_reached: int, *, pad: Pad = injected) -> None:
    """Erase the number that was written last."""
    pad.numbers.pop()


@workflow(strict=True)
def countdown(left: int) -> int:
    """Count down to zero."""
    return step(write_number, undo=erase_number)(left)


async def factorial_before(number: int) -> int | Call[int]:
    """Return the factorial of the number before, or what that is a factor of."""
    if number < 0:
        message = f"{number} has no factorial; give 0 or more"
        raise Declined(message)
    return 1 if number <= 1 else factorial(number - 1)


def times(number: int, product: int) -> int:
    """Multiply."""
    return max(number, 1) * product


@workflow(strict=True)
def factorial(number: int) -> int:
    """Multiply a number with the factorial of the one before."""
    product = step(factorial_before, irreversible="arithmetic leaves nothing behind")(number)
    return pure(times)(number, product)


async def main() -> None:
    """Count down, take it back, and multiply."""
    pad = Pad()
    async with Engine("memory://", services={Pad: pad}) as engine:
        engine.serve(countdown, factorial)
        counted = await engine.start(countdown(3))
        assert await counted.result() == 0
        print("counted:", pad.numbers)
        await counted.undo(actor="ann", reason="wrong rocket")
        print("taken back:", pad.numbers)

        print("5! =", await (await engine.start(factorial(5))).result())
        try:
            await (await engine.start(factorial(-5))).result()
        except RunFailed as failed:
            print("refused:", failed.find(Declined))


if __name__ == "__main__":
    asyncio.run(main())

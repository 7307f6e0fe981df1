"""A user's module with a finding, one that a step allows, and one that a workflow allows."""

from makegood import step, workflow


async def hold(sku: str) -> str: ...
async def ship(sku: str) -> None: ...


held = step(hold)
sent = step(ship, allow={"MG102": "parcels\x1b are never recalled"})


@workflow
def order(sku: str) -> None:
    sent.after(held(sku))(sku)


@workflow(allow={"MG102": "a test"})
def clean(sku: str) -> None:
    held(sku)


again = order

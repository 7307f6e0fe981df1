"""An order, paid and shipped, in thirteen nodes; what need not wait for each other does not.

Nothing is taken before all is checked, nothing is fulfilled before it is paid, and what was taken
is given back when the order falls. Letters cannot be called back, so they wait for the last thing
that can fail. A card is a token, never its number. Whoever does the work is in storefront.py.
"""

import asyncio
from pathlib import Path

from storefront import VISA, Order, Shop

from makegood import Declined, Engine, Retry, injected, payments, pure, query, step, workflow
from makegood.payments import Authorization, Gateway, Money, Payment, PaymentDetails
from makegood.payments.gateways.sandbox import SandboxGateway


async def validate_payment(order_id: str, card: PaymentDetails, *, shop: Shop = injected) -> Order:
    """Return the order, if it can be paid so."""
    return await shop.find(order_id, paid_by=card.token)


async def check_inventory(order: Order, *, shop: Shop = injected) -> int:
    """Return how many articles there are."""
    return await shop.count(order)


async def validate_address(order: Order) -> str:
    """Return the address as the carrier writes it."""
    return order.address.upper()


async def calculate_shipping(address: str, *, shop: Shop = injected) -> Money:
    """Return what the carrier asks for the way."""
    return await shop.quote(address)


async def reserve_items(order: Order, *, shop: Shop = injected) -> str:
    """Hold the article."""
    shop.reserved.add(order.id)
    return order.id


async def release_inventory(reservation: str, *, shop: Shop = injected) -> None:
    """Let the article go."""
    shop.reserved.discard(reservation)


def process_order(order: Order, shipping: Money, reservation: str, held: Authorization) -> str:
    """Return what may be fulfilled, if the money that is held covers all of it."""
    if order.shipping < shipping or held.amount < order.total:
        raise Declined(f"{held.amount} do not cover {reservation}")
    return reservation


async def fulfil_order(approved: str, *, shop: Shop = injected) -> str:
    """Let the warehouse pack it."""
    shop.fulfilled.add(approved)
    return approved


async def cancel_order(fulfilled: str, *, shop: Shop = injected) -> None:
    """Let the warehouse unpack it."""
    shop.fulfilled.discard(fulfilled)


async def ship_items(fulfilled: str, address: str, *, shop: Shop = injected) -> str:
    """Hand the parcel to the carrier."""
    await shop.ship(fulfilled, address)
    return fulfilled


async def recall_shipment(parcel: str, *, shop: Shop = injected) -> None:
    """Have the parcel brought back."""
    shop.shipped.discard(parcel)


async def update_inventory(parcel: str, *, shop: Shop = injected) -> str:
    """Write the article off."""
    shop.sold.add(parcel)
    return parcel


async def restock_items(parcel: str, *, shop: Shop = injected) -> None:
    """Write the article on again."""
    shop.sold.discard(parcel)


async def send_letter(customer_id: str, about: str, text: str, *, shop: Shop = injected) -> None:
    """Tell the customer, once for each order and text."""
    shop.letters[f"{about}: {text}"] = customer_id


authorize = step(
    payments.authorize_payment,
    undo=payments.void_authorization,
    compensate=payments.find_authorization,
    retry=Retry(attempts=5),
    allow={"MG103": "money is only held, while the rest is checked, and let go of for nothing"},
)
capture = step(
    payments.capture_payment,
    undo=payments.refund_payment,
    compensate=payments.find_capture,
    retry=Retry(attempts=5),
)
reserve = step(reserve_items, undo=release_inventory)
fulfil = step(fulfil_order, undo=cancel_order)
ship = step(ship_items, undo=recall_shipment)
update = step(update_inventory, undo=restock_items)
write = step(send_letter, irreversible="a letter cannot be unsent", optional=True)


@workflow(strict=True)
def process_payment(order_id: str, card: PaymentDetails, customer_id: str) -> Payment:
    """Take an order from the customer's wish to the parcel."""
    order = query(validate_payment)(order_id, card)
    stock = query(check_inventory)(order)
    address = query(validate_address)(order)
    shipping = query(calculate_shipping)(address)
    reservation = reserve.after(stock)(order)
    held = authorize(order.total, card, order_id)
    approved = pure(process_order)(order, shipping, reservation, held)
    paid = capture.after(approved)(held)
    fulfilled = fulfil.after(paid)(approved)
    parcel = ship(fulfilled, address)
    updated = update(parcel)
    write.named("send_confirmation").after(updated)(customer_id, order_id, "it is paid")
    write.named("send_tracking").after(updated)(customer_id, parcel, "it is on its way")
    return paid


async def main() -> None:
    """Process an order that goes well, and one that no carrier takes when it is paid already."""
    price, promised = Money(2500, "USD"), Money(500, "USD")
    orders = [Order(f"order-{to}", "CD-101", to, price, promised) for to in ("Lagos", "Atlantis")]
    shop, card = Shop(*orders), PaymentDetails(token=VISA)
    async with SandboxGateway(Path("gateway.books")) as gateway:
        services = {Shop: shop, Gateway: gateway}
        async with Engine("sqlite:///orders.journal", services=services) as engine:
            engine.serve(process_payment)
            for order in orders:
                call = process_payment(order.id, card, "customer-1")
                run = await engine.start(call, key=order.id)
                ended = await run.outcome()
                print(order.id, ended.status, ended.error or ended.done, "undone:", ended.undone)
    print("shipped:", *shop.shipped, "letters:", *shop.letters)


if __name__ == "__main__":
    asyncio.run(main())

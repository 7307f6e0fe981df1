"""Letters to customers, and the log of those who operate the shop; no order ever waits for them."""

import asyncio

from order_messages import OrderEvent, SendNotification

from makegood import IdempotencyKey, Occasion, Receptors, Retry, injected

__all__ = ["Desk", "Post", "notifications", "operations"]


class Post:
    """Sends letters, once for each key."""

    def __init__(self) -> None:
        self.keys: set[str] = set()
        self.sent: dict[str, list[str]] = {}
        """What each customer was sent, in order."""
        self._changed = asyncio.Event()

    async def send(self, customer: str, text: str, *, key: str) -> None:
        """Send a letter."""
        if key not in self.keys:
            self.keys.add(key)
            self.sent.setdefault(customer, []).append(text)
            self._changed.set()

    async def letters_to(self, customer: str, count: int) -> list[str]:
        """Return what a customer was sent, once that are so many letters."""
        while len(self.sent.get(customer, ())) < count:
            self._changed.clear()
            await self._changed.wait()
        return self.sent[customer]


async def notify(
    command: SendNotification, *, post: Post = injected, key: IdempotencyKey = injected
) -> None:
    """Write to a customer; what cannot be sent is a dead letter, and the order is not touched."""
    await post.send(command.customer, f"{command.order}: {command.text}", key=key)


notifications = Receptors("notifications").on(notify, retry=Retry(ConnectionError, attempts=5))


class Desk:
    """Where the shop's operators look."""

    def __init__(self) -> None:
        self.lines: list[str] = []


async def note(event: OrderEvent, *, desk: Desk = injected) -> None:
    """Say how long an order took, and call for a person where one is needed."""
    if event.occasion is Occasion.COMPLETED:
        desk.lines.append(f"{event.key} ended in {event.status} after {event.took}")
    else:
        desk.lines.append(f"{event.key} needs a person in {event.status}: {event.reason}")


operations = Receptors("operations").on(note)

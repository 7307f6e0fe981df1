"""The letters to customers: a receptor of their own, which no order ever waits for."""

import asyncio

from order_messages import SendNotification

from makegood import IdempotencyKey, Receptors, Retry, injected

__all__ = ["Post", "notifications"]


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

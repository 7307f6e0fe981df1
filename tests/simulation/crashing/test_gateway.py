"""The gateway of the crashed shop is a gateway: the contract of every one, on its books."""

from __future__ import annotations

import pytest

from makegood.payments.gateways.sandbox import DECLINED_TOKEN
from tests.payments.gateways.contract import PROMISES, Counterparty, Promise
from tests.simulation.crashing.outside import Request
from tests.simulation.crashing.shop import BooksGateway, ShopOutside


class Straight:
    """A way on which nothing happens."""

    def __init__(self) -> None:
        self._outside = ShopOutside(None, lambda _key: None)

    async def ask(self, request: Request) -> object:
        return self._outside.take(request)


@pytest.mark.parametrize("promise", PROMISES, ids=lambda promise: promise.__name__)
async def test_the_gateway_of_the_crashed_shop_keeps_the_promise(promise: Promise) -> None:
    gateway = BooksGateway(Straight())
    await promise(
        Counterparty(gateway=gateway, accepted_token="tok_visa", declined_token=DECLINED_TOKEN)
    )

"""What the example of telemetry says that it sees of an order, and that seeing changes nothing."""

from __future__ import annotations

import pytest
from telemetry import Shop, Watch, sell, tenant

from makegood.decision.facts import NodeDone, NodeStarted


@pytest.mark.parametrize("who", ["acme", "bolt"])
async def test_an_order_that_cannot_be_shipped_is_refunded_to_the_tenant_and_all_of_it_is_seen(
    who: str,
) -> None:
    shop, watch = Shop(has_stock=False), Watch()
    async with watch.engine(shop) as engine:
        engine.serve(sell)
        token = tenant.set(who)
        run = await engine.start(sell("CD-1", 999))
        tenant.reset(token)
        outcome = await run.outcome()
        events = [event async for event in run.events()]
        assert (outcome.status, outcome.undone) == ("failed", ["charge_card"])

        # The refund went to the tenant of the request, in which it was not made.
        assert dict(shop.paid) == {who: 0}
        calls = ["do charge_card", "do ship_article", "undo charge_card"]
        assert sorted(watch.seconds) == calls
        assert all(seconds >= 0 for seconds in watch.seconds.values())
        assert watch.facts.total() == len(events)
        assert watch.facts["NodeStarted"] == 2
        (noted,) = [
            event.fact.result
            for event in events
            if isinstance(event.fact, NodeDone) and event.fact.node == "offer"
        ]
        assert bytes(noted) == b'{"sku":"CD-1","charged":999}'


async def test_the_spans_of_an_order_are_one_trace() -> None:
    watch = Watch()
    async with watch.engine(Shop()) as engine:
        engine.serve(sell)
        token = tenant.set("acme")
        run = await engine.start(sell("CD-1", 999))
        tenant.reset(token)
        assert await run.result() == "CD-1 is on its way"
        started = [event async for event in run.events() if isinstance(event.fact, NodeStarted)]

    spans = watch.spans.get_finished_spans()
    assert [span.name for span in spans] == ["enqueue", "charge_card", "ship_article"]
    assert len({span.context.trace_id for span in spans if span.context is not None}) == 1
    assert len(started) == 2

"""What the simulated broker keeps, hands over again, and knows."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from makegood.errors import TransportDown
from makegood.runtime.transporting.transport import Outbound
from makegood.testing.simulation import SimulatedBroker, Simulation

if TYPE_CHECKING:
    from collections.abc import Iterator

PATIENCE = 10_000_000
TOPICS = ("parcels",)


@pytest.fixture
def simulation() -> Iterator[Simulation]:
    made = Simulation(0)
    yield made
    made.loop.close()


def sending(number: int, topic: str = "parcels") -> Outbound:
    name = f"message-{number}"
    return Outbound(topic=topic, id=name, name=name, key=None, body=name.encode())


def handed(broker: SimulatedBroker, group: str = "yard", batch: int = 9) -> list[str]:
    found = broker.hand(group, TOPICS, batch)
    return [] if found is None else [each.name for each in found.messages]


def pass_time(simulation: Simulation, micros: int) -> None:
    simulation.run(simulation.pause(micros))


def test_every_group_is_handed_all_that_is_of_its_topics_in_order(simulation: Simulation) -> None:
    broker = SimulatedBroker(simulation)
    for number in range(2):
        broker.keep(sending(number))
    broker.keep(sending(7, "others"))

    assert handed(broker) == handed(broker, "attic") == ["message-0", "message-1"]


def test_a_group_has_one_batch_until_that_is_acknowledged(simulation: Simulation) -> None:
    broker = SimulatedBroker(simulation)
    for number in range(3):
        broker.keep(sending(number))

    assert handed(broker, batch=2) == ["message-0", "message-1"]
    assert handed(broker) == []
    broker.acknowledge("yard", TOPICS, 1)

    assert (handed(broker), broker.is_idle) == (["message-2"], False)
    broker.acknowledge("yard", TOPICS, 2)
    assert broker.is_idle


def test_what_is_not_acknowledged_in_time_comes_again_in_its_place(simulation: Simulation) -> None:
    broker = SimulatedBroker(simulation, patience_micros=PATIENCE)
    broker.keep(sending(0))
    assert handed(broker) == ["message-0"]
    broker.keep(sending(1))

    pass_time(simulation, PATIENCE)

    assert handed(broker) == ["message-0", "message-1"]


def test_what_is_put_back_comes_again_at_once(simulation: Simulation) -> None:
    broker = SimulatedBroker(simulation)
    broker.keep(sending(0))
    assert handed(broker) == ["message-0"]

    broker.put_back("yard", TOPICS, 1)

    assert handed(broker) == ["message-0"]


def test_a_sending_is_known_until_it_is_forgotten(simulation: Simulation) -> None:
    broker = SimulatedBroker(simulation)
    for _ in range(2):
        broker.keep(sending(0))
    assert (handed(broker), broker.dropped) == (["message-0"], 1)
    broker.acknowledge("yard", TOPICS, 1)

    broker.go_down()
    broker.is_down = False
    broker.keep(sending(0))

    assert handed(broker) == ["message-0"]


def test_a_broker_that_is_away_does_nothing(simulation: Simulation) -> None:
    broker = SimulatedBroker(simulation)
    broker.go_down()

    with pytest.raises(TransportDown):
        broker.keep(sending(0))
    with pytest.raises(TransportDown):
        handed(broker)

"""What the simulated broker keeps, hands over again, and knows."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

import pytest

from makegood.errors import TransportDown
from makegood.runtime.transporting.transport import Outbound
from makegood.testing.simulation import SimulatedBroker, Simulation
from makegood.testing.simulation.broker import Request

if TYPE_CHECKING:
    from collections.abc import Iterator

PATIENCE = 10_000_000
TOPICS = ("parcels",)
NUMBERS = itertools.count()


@pytest.fixture
def simulation() -> Iterator[Simulation]:
    made = Simulation(0)
    yield made
    made.loop.close()


def sending(number: int, topic: str = "parcels") -> Outbound:
    name = f"message-{number}"
    return Outbound(topic=topic, id=name, name=name, key=None, body=name.encode())


def handed(
    broker: SimulatedBroker, group: str = "yard", batch: int = 9, turn: int = 0
) -> list[str]:
    found = broker.hand(group, TOPICS, batch, Request(turn, next(NUMBERS)))
    return [] if found is None else [each.name for each in found.messages]


def pass_time(simulation: Simulation, micros: int) -> None:
    simulation.run(simulation.pause(micros))


def test_every_group_is_handed_all_that_is_of_its_topics_in_order(simulation: Simulation) -> None:
    broker = SimulatedBroker(simulation)
    for number in range(2):
        broker.keep(sending(number))
    broker.keep(sending(7, "others"))

    assert handed(broker) == handed(broker, "attic") == ["message-0", "message-1"]


def test_what_was_acknowledged_comes_no_more(simulation: Simulation) -> None:
    broker = SimulatedBroker(simulation)
    for number in range(3):
        broker.keep(sending(number))

    assert handed(broker, batch=2) == ["message-0", "message-1"]
    broker.acknowledge("yard", TOPICS, [0, 1])

    assert (handed(broker), broker.is_idle) == (["message-2"], False)
    broker.acknowledge("yard", TOPICS, [2])
    assert broker.is_idle


def test_what_is_not_acknowledged_in_time_comes_again_in_its_place(simulation: Simulation) -> None:
    broker = SimulatedBroker(simulation, patience_micros=PATIENCE)
    broker.keep(sending(0))
    assert handed(broker) == ["message-0"]
    broker.keep(sending(1))

    pass_time(simulation, PATIENCE)

    assert handed(broker) == ["message-0", "message-1"]


def test_whoever_begins_to_listen_is_handed_what_another_one_has(simulation: Simulation) -> None:
    broker = SimulatedBroker(simulation)
    for number in range(2):
        broker.keep(sending(number))
    one = broker.begin("yard", TOPICS)
    assert handed(broker, turn=one) == ["message-0", "message-1"]
    broker.keep(sending(2))

    other = broker.begin("yard", TOPICS)
    broker.acknowledge("yard", TOPICS, [0])

    assert handed(broker, turn=other) == ["message-1", "message-2"]
    with pytest.raises(TransportDown):
        handed(broker, turn=one)


def test_what_is_asked_twice_is_answered_as_it_was_the_first_time(simulation: Simulation) -> None:
    broker = SimulatedBroker(simulation)
    broker.keep(sending(0))
    request = Request(broker.begin("yard", TOPICS), 0)
    first = broker.hand("yard", TOPICS, 9, request)
    broker.keep(sending(1))

    assert first is not None
    assert broker.hand("yard", TOPICS, 9, request) == first


def test_one_that_shares_out_lets_others_overtake(simulation: Simulation) -> None:
    broker = SimulatedBroker(simulation, shares_out=True)
    broker.keep(sending(0))
    one = broker.begin("yard", TOPICS)
    assert handed(broker, turn=one) == ["message-0"]
    broker.keep(sending(1))

    other = broker.begin("yard", TOPICS)

    assert handed(broker, turn=other) == ["message-1"]


def test_a_sending_is_known_until_it_is_forgotten(simulation: Simulation) -> None:
    broker = SimulatedBroker(simulation)
    for _ in range(2):
        broker.keep(sending(0))
    assert (handed(broker), broker.dropped) == (["message-0"], 1)
    broker.acknowledge("yard", TOPICS, [0])

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

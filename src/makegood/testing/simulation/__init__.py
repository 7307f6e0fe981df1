"""Whole worlds by a seed: processes that die, clocks that are wrong, answers that get lost.

A `Simulation` holds virtual time, a store and `Host`s. A host runs an engine on a
`SimulatedJournal`, and its steps ask other services over a `Line`. What becomes of each call is
for the `Fates` to say. The same seed gives the same world, to the byte.
"""

from makegood.testing.simulation.broker import SimulatedBroker, SimulatedTransport
from makegood.testing.simulation.clock import START, HostClock
from makegood.testing.simulation.fates import KILLS, Call, Fate, Fates, Fortune, Smooth
from makegood.testing.simulation.host import Host
from makegood.testing.simulation.journal import SimulatedJournal
from makegood.testing.simulation.line import Line
from makegood.testing.simulation.loop import Lane, SimulatedLoop, Stalled, current_lane
from makegood.testing.simulation.simulation import Simulation

__all__ = [
    "KILLS",
    "START",
    "Call",
    "Fate",
    "Fates",
    "Fortune",
    "Host",
    "HostClock",
    "Lane",
    "Line",
    "SimulatedBroker",
    "SimulatedJournal",
    "SimulatedLoop",
    "SimulatedTransport",
    "Simulation",
    "Smooth",
    "Stalled",
    "current_lane",
]

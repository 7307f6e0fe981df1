"""Tools for users' tests: run a workflow in memory, script what fails, turn the clock, explore.

outcome = await testing.run(
place_order("A-17", details, customer),
services={Gateway: gateway},
fail={"capture_payment": Declined("card expired")},
)
assert outcome.undone == ["authorize_payment", "reserve_inventory"]
"""

from makegood.exploring.exploration import Discovery, Exploration, explore
from makegood.exploring.survey import Explored
from makegood.testing.clock import TurnableClock
from makegood.testing.exploring import explore_for_real
from makegood.testing.passage import Passage, lifecycle
from makegood.testing.projecting import project
from makegood.testing.receiving import Received, receive
from makegood.testing.replaying import replay
from makegood.testing.running import finish, run
from makegood.testing.script import AfterEffect, Returns, Script, Scripted

__all__ = [
    "AfterEffect",
    "Discovery",
    "Exploration",
    "Explored",
    "Passage",
    "Received",
    "Returns",
    "Script",
    "Scripted",
    "TurnableClock",
    "explore",
    "explore_for_real",
    "finish",
    "lifecycle",
    "project",
    "receive",
    "replay",
    "run",
]

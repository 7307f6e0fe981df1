"""What the processes of this demonstration are asked for, and what they say: a line each."""

from __future__ import annotations

import msgspec

from makegood.cli.demo.life import Failed
from makegood.cli.demo.services.day import Day

__all__ = ["ALL", "BROKER", "BUS", "Companies", "ServiceJob", "Standing", "Started", "Told"]

ALL = "all"
"""The name of the one process that is all services."""

BROKER = "broker"

BUS = "shop"
"""The stream by which the services speak."""


class Companies(msgspec.Struct, frozen=True, kw_only=True):
    """Where the companies keep their books that the services ask."""

    gateway: str
    carrier: str
    mailer: str


class ServiceJob(msgspec.Struct, frozen=True, kw_only=True):
    """Be one of the services, or all of them."""

    service: str
    store: str
    """The address of its journal, in the database of which its tables are."""
    broker: str | None
    """The broker's address; None where all services are one process."""
    companies: Companies
    day: Day
    life: int
    """The how many-th process it is that is this service."""
    unfinished_max: int
    """How many orders may be under way at once."""
    held_for_seconds: float
    """How long goods are held for an order that is not paid."""


class Started(msgspec.Struct, frozen=True, tag="started"):
    """The service is open."""


class Standing(msgspec.Struct, frozen=True, kw_only=True, tag="standing"):
    """How a service stands at the moment."""

    waiting: int
    """How many messages it is still to receive or to send."""
    dead: int
    """How many dead letters it has."""
    repeated: int
    """How many messages were carried to or from it more often than they had to be."""
    moved: int
    """How many reached it out of their order."""
    placed: int = 0
    """How many orders there are; those who keep them know."""
    final: int = 0
    """How many of them have ended."""


Told = Started | Standing | Failed

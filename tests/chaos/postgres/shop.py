"""The program whose workers are killed: `makegood worker tests.chaos.postgres.shop:shop`."""

from __future__ import annotations

import os
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from makegood import Config, Engine
from makegood.cli.demo.shop import OrderBook
from makegood.commerce import Mailer, Orders, place_order, stock_up
from makegood.commerce.cdnow import Purchase
from makegood.commerce.extension import commerce
from makegood.commerce.notification import SandboxMailer
from makegood.journal.postgres.journal import PostgresJournal
from makegood.journal.postgres.place import Place
from makegood.payments import Gateway
from makegood.payments.gateways.sandbox import Faults, SandboxGateway
from makegood.runtime.clock import RandomIds
from makegood.values.ids import WorkerId

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from makegood.values.ids import RunId

__all__ = ["BADGE", "Badge", "Patience", "journal_of", "shop"]

BADGE = "MAKEGOOD_CHAOS_BADGE"
"""Names the file in which a worker reads who it is and where it works."""

POLL_MAX = timedelta(milliseconds=250)
"""How soon a worker looks for runs of the dead at the latest."""

SLOW = timedelta(milliseconds=500)
"""How long the gateway takes over a slow reply: whenever a worker is killed, one is under way."""


class Patience(msgspec.Struct, frozen=True, kw_only=True):
    """How long anything may take, in seconds: less than by default, so that nobody waits long."""

    lease: float = 2.0
    answer_max: float = 3.0
    lock_max: float = 1.0


class Badge(msgspec.Struct, frozen=True, kw_only=True):
    """What one worker has to know."""

    worker: str
    """Its id, which is then that of no other process; it begins with its user at the server."""
    dsn: str
    gateway: str
    """The gateway's books."""
    sample: tuple[Purchase, ...]
    seed: int
    faults: float
    patience: Patience


class _Ids:
    """Ids of which the worker's is given."""

    def __init__(self, worker: str) -> None:
        self._worker = worker
        self._random = RandomIds()

    def worker(self) -> WorkerId:
        return WorkerId(self._worker)

    def run(self) -> RunId:
        return self._random.run()

    def token(self) -> bytes:
        return self._random.token()


def journal_of(dsn: str, patience: Patience) -> PostgresJournal:
    place = Place(
        dsn=dsn,
        lease_seconds=patience.lease,
        answer_seconds_max=patience.answer_max,
        lock_seconds_max=patience.lock_max,
    )
    return PostgresJournal(place)


@asynccontextmanager
async def shop() -> AsyncGenerator[Engine]:
    """Give the engine of one worker, with a gateway and a mailer of its own."""
    badge = _read_badge(Path(os.environ[BADGE]))
    faults = Faults(rate=badge.faults, seed=badge.seed)
    gateway = SandboxGateway(Path(badge.gateway), faults=faults, slow=SLOW)
    services: dict[type, object] = {
        Gateway: gateway,
        Orders: OrderBook(badge.sample),
        Mailer: SandboxMailer(faults),
    }
    async with (
        gateway,
        Engine(
            journal_of(badge.dsn, badge.patience),
            services=services,
            extensions=[commerce],
            config=Config(poll_max=POLL_MAX),
            ids=_Ids(badge.worker),
        ) as engine,
    ):
        engine.serve(stock_up, place_order)
        yield engine


def _read_badge(path: Path) -> Badge:
    return msgspec.json.decode(path.read_bytes(), type=Badge)

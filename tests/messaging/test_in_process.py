"""The broker of one process keeps the promises of every transport."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from makegood.messaging.in_process import InProcessBroker
from tests.messaging.contract import *  # noqa: F403 - the suite

if TYPE_CHECKING:
    from makegood.messaging.in_process import InProcessTransport


class _Broker:
    def __init__(self) -> None:
        self._broker = InProcessBroker()

    def transport(self) -> InProcessTransport:
        return self._broker.transport()

    def go_down(self) -> None:
        self._broker.is_down = True

    def come_up(self) -> None:
        self._broker.is_down = False


@pytest.fixture
def broker() -> _Broker:
    return _Broker()

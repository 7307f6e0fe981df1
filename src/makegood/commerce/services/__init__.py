"""The order flow as five services that speak by messages: in one process, or in five.

Orders, stock, payments, shipping and notifications each have receptors and tables of their own, and
know of each other only what `messages` says. `town` puts them together; `accounts` compares what
all of them have written down.
"""

from __future__ import annotations

from makegood.commerce.services.accounts import Accounts, Disputed, Places, reconcile
from makegood.commerce.services.town import SERVICES, Service, in_one_process, topics_of

__all__ = [
    "SERVICES",
    "Accounts",
    "Disputed",
    "Places",
    "Service",
    "in_one_process",
    "reconcile",
    "topics_of",
]

"""How much of anything is allowed, each limit named with its unit."""

from __future__ import annotations

from datetime import timedelta

__all__ = [
    "ACTOR_CHARACTERS_MAX",
    "CARRIED_CHARACTERS_MAX",
    "CHILD_FAILURES_MAX",
    "CLAIMS_TOGETHER_MAX",
    "DELIVERED_AT_ONCE_MAX",
    "DEPTH_MAX",
    "ERROR_TEXT_CHARACTERS_MAX",
    "ITEMS_MAX",
    "KEEP_MAX",
    "KEY_BYTES_MAX",
    "MESSAGES_SHOWN_MAX",
    "NODES_PER_PLAN_MAX",
    "NODES_PER_RUN_MAX",
    "PAGE_RUNS_MAX",
    "PATH_CHARACTERS_MAX",
    "PAYLOAD_BYTES_MAX",
    "REASON_CHARACTERS_MAX",
    "RECORDS_MAX",
    "ROUNDS_MAX",
    "SLEEP_MAX",
    "UNDELIVERED_SEEN_MAX",
]

PAYLOAD_BYTES_MAX = 1_000_000
"""The largest encoded input or result, in bytes."""

KEY_BYTES_MAX = 255
"""The longest key of a run, and the longest subject, in UTF-8 bytes."""

NODES_PER_PLAN_MAX = 1_000
"""The most nodes in one plan."""

NODES_PER_RUN_MAX = 100_000
"""The most nodes in one run, those of all rounds together."""

ITEMS_MAX = 10_000
"""The most items that one each goes over."""

ROUNDS_MAX = 10_000
"""The most rounds of one repeat."""

PATH_CHARACTERS_MAX = 200
"""The longest node path, in characters."""

PAGE_RUNS_MAX = 200
"""The most runs on one page of a listing."""

ERROR_TEXT_CHARACTERS_MAX = 4_000
"""The longest error message and traceback that a fact keeps, in characters each."""

CLAIMS_TOGETHER_MAX = 2
"""How often a run is claimed together with others without progress. After that it is claimed
alone, so that one that kills its workers is told from those that were beside it."""

DELIVERED_AT_ONCE_MAX = 100
"""How much of what runs say to others is delivered in one transaction."""

MESSAGES_SHOWN_MAX = 1_000
"""The most messages that a listing shows, and the most runs that wait for one."""

UNDELIVERED_SEEN_MAX = 10_000
"""How much of what is on its way somebody who looks after a store is shown."""

ACTOR_CHARACTERS_MAX = 200
"""The longest name of who asks for something, in characters."""

REASON_CHARACTERS_MAX = 2_000
"""The longest reason that somebody gives, in characters."""

RECORDS_MAX = 1_000
"""How often one attempt may store a value by its `Record`."""
DEPTH_MAX = 100
"""How deeply child runs may stand in one another: a run that nobody called has depth 0."""

CHILD_FAILURES_MAX = 16
"""The most failures of a child run that are told to its parent, the first one first."""

AWAITED_MAX = timedelta(days=366)
"""The longest time that an answer from outside is waited for."""

KEEP_MAX = timedelta(days=366)
"""The longest time that a message is kept for somebody who does not wait for it yet."""

SLEEP_MAX = timedelta(days=3_660)
"""The longest time that a run may sleep."""

CARRIED_CHARACTERS_MAX = 4_000
"""The most that the carriers of an engine may carry along with a run, in characters together."""

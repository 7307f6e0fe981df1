"""How much of anything is allowed, each limit named with its unit."""

from __future__ import annotations

from datetime import timedelta

__all__ = [
    "ACTOR_CHARACTERS_MAX",
    "AT_ONCE_MAX",
    "CARRIED_CHARACTERS_MAX",
    "CHILD_FAILURES_MAX",
    "CLAIMS_TOGETHER_MAX",
    "CLEARED_AT_ONCE_MAX",
    "DELIVERED_AT_ONCE_MAX",
    "DEPTH_MAX",
    "ERROR_TEXT_CHARACTERS_MAX",
    "ITEMS_MAX",
    "KEEP_MAX",
    "KEY_BYTES_MAX",
    "LAG_COUNTED_MAX",
    "LANE_DELIVERIES_MAX",
    "LETTERS_KEPT_MAX",
    "MESSAGES_SHOWN_MAX",
    "MOVES_SHOWN_MAX",
    "NODES_PER_PLAN_MAX",
    "NODES_PER_RUN_MAX",
    "PAGE_MESSAGES_MAX",
    "PAGE_ROWS_MAX",
    "PAGE_RUNS_MAX",
    "PATH_CHARACTERS_MAX",
    "PAYLOAD_BYTES_MAX",
    "PROMOTED_AT_ONCE_MAX",
    "REASON_CHARACTERS_MAX",
    "RECORDS_MAX",
    "ROUNDS_MAX",
    "SENT_AT_ONCE_MAX",
    "SLEEP_MAX",
    "STATUSES_MAX",
    "UNDELIVERED_SEEN_MAX",
    "VERSION_MAX",
    "VISITS_MAX",
]

PAYLOAD_BYTES_MAX = 1_000_000
"""The largest encoded input or result, in bytes."""

KEY_BYTES_MAX = 255
"""The longest key of a run, and the longest subject, in UTF-8 bytes."""

NODES_PER_PLAN_MAX = 2_000
"""The most nodes in one plan, those of its blocks included.

It is the largest size that `python -m benchmarks plans` measures: declared in a second, stored in
little more than a megabyte, drawn in seconds. What has more is better several workflows, of which
each can be looked at and changed by itself; what is alike is better an `each`.
"""

NODES_PER_RUN_MAX = 100_000
"""The most nodes in one run, those of all rounds together."""

ITEMS_MAX = 10_000
"""The most items that one each goes over."""

ROUNDS_MAX = 10_000
"""The most rounds of one repeat."""

STATUSES_MAX = 200
"""The most statuses of one lifecycle."""

VISITS_MAX = 10_000
"""The most statuses that one run enters before a person looks at it, however it is declared."""

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

PAGE_MESSAGES_MAX = 200
"""The most messages, deliveries or lanes on one page of a listing."""

PAGE_ROWS_MAX = 1_000
"""The most rows of a read model on one page."""

LAG_COUNTED_MAX = 10_000
"""How far deliveries are counted, of one recipient, to tell how far it is behind."""

LANE_DELIVERIES_MAX = 16
"""How many messages of one key are taken at once."""

PROMOTED_AT_ONCE_MAX = 1_000
"""How many deliveries whose time has come are given their places in one transaction."""

MESSAGES_SHOWN_MAX = 1_000
"""The most messages that a listing shows, and the most runs that wait for one."""

MOVES_SHOWN_MAX = 1_000
"""The most moves of one run between its stages that are shown at once."""

UNDELIVERED_SEEN_MAX = 10_000
"""How much of what is on its way somebody who looks after a store is shown."""

ACTOR_CHARACTERS_MAX = 200
"""The longest name of who asks for something, in characters."""

REASON_CHARACTERS_MAX = 2_000
"""The longest reason that somebody gives, in characters."""

RECORDS_MAX = 1_000
"""How often one attempt may store a value by its `Record`."""

SENT_AT_ONCE_MAX = 1_000
"""The most messages and calls that may come of one attempt."""

DEPTH_MAX = 100
"""How deeply child runs may stand in one another: a run that nobody called has depth 0."""

CHILD_FAILURES_MAX = 16
"""The most failures of a child run that are told to its parent, the first one first."""

AWAITED_MAX = timedelta(days=366)
"""The longest time that an answer from outside is waited for."""

LETTERS_KEPT_MAX = 1_000
"""The most messages from outside that are kept for one class and key while nobody waits."""

KEEP_MAX = timedelta(days=366)
"""The longest time that a message is kept for somebody who does not wait for it yet."""

KEPT_MAX = timedelta(days=36_525)
"""The longest time that a workflow may want its ended runs to be kept."""

SLEEP_MAX = timedelta(days=3_660)
"""The longest time that a run may sleep."""

CARRIED_CHARACTERS_MAX = 4_000
"""The most that the carriers of an engine may carry along with a run, in characters together."""

AT_ONCE_MAX = 1_000
"""The most that may be at work at once, where a workflow or a lifecycle says how much that is."""

CLEARED_AT_ONCE_MAX = 1_000
"""How much of a read model that was ended is removed in one transaction."""

VERSION_MAX = 1_000_000
"""The highest version of a schema, and of a read model."""

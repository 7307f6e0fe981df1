"""How the facts are stored of what people say of runs and nodes: for ever as they stand here."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Raw

from makegood.decision import facts
from makegood.values.instants import Instant

if TYPE_CHECKING:
    from makegood.decision.facts import Fact

AT = Instant(1_700_000_000_000_000)

GOLDEN_OF_CONTROL: list[tuple[Fact, str]] = [
    (
        facts.PauseRequested(5, "eve", "late", AT),
        '{"type":"pause_requested","post":5,"actor":"eve","reason":"late","at":1700000000000000}',
    ),
    (
        facts.ResumeRequested(6, "eve", "late", AT),
        '{"type":"resume_requested","post":6,"actor":"eve","reason":"late","at":1700000000000000}',
    ),
    (
        facts.SkipRequested(7, "pay", "eve", "late", AT),
        '{"type":"skip_requested","post":7,"node":"pay","actor":"eve","reason":"late",'
        '"at":1700000000000000}',
    ),
    (
        facts.SetResultRequested(8, "pay", Raw(b"[1]"), "eve", "late", AT),
        '{"type":"set_result_requested","post":8,"node":"pay","result":[1],"actor":"eve",'
        '"reason":"late","at":1700000000000000}',
    ),
    (
        facts.SetResultRequested(8, "pay", Raw(b"[1]"), "eve", "late", AT, misfit="no number"),
        '{"type":"set_result_requested","post":8,"node":"pay","result":[1],"actor":"eve",'
        '"reason":"late","at":1700000000000000,"misfit":"no number"}',
    ),
    (
        facts.RetryFromRequested(9, "pay", "eve", "late", AT),
        '{"type":"retry_from_requested","post":9,"node":"pay","actor":"eve","reason":"late",'
        '"at":1700000000000000}',
    ),
    (
        facts.RetraceBegan("pay", ("pay", "ship"), "eve", "late", AT),
        '{"type":"retrace_began","node":"pay","nodes":["pay","ship"],"actor":"eve",'
        '"reason":"late","at":1700000000000000}',
    ),
    (facts.Retraced(AT), '{"type":"retraced","at":1700000000000000}'),
    (
        facts.Paused("eve", "late", AT),
        '{"type":"paused","actor":"eve","reason":"late","at":1700000000000000}',
    ),
    (
        facts.Resumed("eve", "late", AT),
        '{"type":"resumed","actor":"eve","reason":"late","at":1700000000000000}',
    ),
    (
        facts.SkipGranted("pay", "eve", "late", AT),
        '{"type":"skip_granted","node":"pay","actor":"eve","reason":"late","at":1700000000000000}',
    ),
    (
        facts.ResultGranted("pay", Raw(b"[1]"), "eve", "late", AT),
        '{"type":"result_granted","node":"pay","result":[1],"actor":"eve","reason":"late",'
        '"at":1700000000000000}',
    ),
]

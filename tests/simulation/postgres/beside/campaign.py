"""What a campaign of these worlds must have met; without it, nobody has looked there."""

from __future__ import annotations

from functools import partial

from tests.simulation.kinds.playing import Kind
from tests.simulation.postgres.beside.keeping import OnServer
from tests.simulation.postgres.weather import KILLS, Mishap
from tests.simulation.schedules.world import play

__all__ = ["ON_SERVER"]

_UNKNOWN = (Mishap.LOST, Mishap.UNANSWERED)
_STILL = (Mishap.SILENT, Mishap.LATE, Mishap.STALLED, Mishap.SLOW)
_IN_THE_WAY = (Mishap.SERIALIZATION, Mishap.DEADLOCK, Mishap.LOCKED)

ON_SERVER = Kind(
    name="beside",
    play=partial(play, keep=OnServer),
    required=(
        "a message: done",
        "a slot was taken",
        "a slot of messages was taken",
        "a slot of messages was taken for one who had died",
        "a run: completed",
        "schedule: somebody else was quicker",
        "lane: its lease had run out",
        *(f"happened to the server: {what}" for what in ("down", "only read", "full", "ended")),
        *(f"keep_schedule: {each}" for each in (*_UNKNOWN, *_STILL, *_IN_THE_WAY)),
        *(f"take: {each}" for each in _STILL),
        "work: slow",
    ),
    seldom=(
        "lane: it is locked",
        "lane: it is not renewed",
        "lane: it is somebody else's",
        "message: it was stored meanwhile",
        "a message was received anew",
        "an engine whose store had failed",
        *(f"work: {each}" for each in (*KILLS, *_UNKNOWN, *_STILL, *_IN_THE_WAY)),
        *(f"take: {each}" for each in _IN_THE_WAY),
        *(f"keep_schedule: {each}" for each in KILLS),
    ),
)

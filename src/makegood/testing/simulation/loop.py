"""An event loop on which time is a number, and several processes take turns by a seed.

One loop carries the whole world. Each process in it is a `Lane`: what a lane calls or creates
belongs to it, because the lane travels in the context. Within a lane things happen in the order
in which asyncio would do them; which lane goes next is drawn from the seed. A lane can be paused,
and can die between any two steps: then nothing of it ever runs again, not even a `finally`. When
nobody has anything to do, time moves to the next timer.
"""

from __future__ import annotations

import asyncio
import heapq
import inspect
from collections import deque
from contextvars import Context, ContextVar, copy_context
from typing import TYPE_CHECKING, Any, TypeVar, TypeVarTuple, Unpack, cast
from weakref import WeakValueDictionary

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Generator
    from random import Random
    from types import AsyncGeneratorType

__all__ = ["Lane", "SimulatedLoop", "Stalled", "current_lane"]

R = TypeVar("R")
Ts = TypeVarTuple("Ts")

_MICROSECOND = 1_000_000


class Stalled(Exception):
    """Something is awaited and nothing will ever happen: no lane is ready and no timer is set."""


class Lane:
    """One process's thread of execution."""

    __slots__ = ("has_stood_still", "is_dead", "is_paused", "name", "ready", "tasks", "timers")

    def __init__(self, name: str) -> None:
        self.name = name
        self.is_paused = False
        self.has_stood_still = False
        """It was paused at least once."""
        self.is_dead = False
        self.ready: deque[asyncio.Handle] = deque()
        """What it would do next, in order."""
        self.tasks: list[asyncio.Task[Any]] = []  # Any: a process runs all kinds of tasks.
        self.timers: Context = self.context()
        """The context of all that a timer calls: one will do, as no two run at once."""

    def __repr__(self) -> str:
        state = "dead" if self.is_dead else "paused" if self.is_paused else "alive"
        return f"<Lane {self.name}, {state}>"

    def context(self) -> Context:
        """Return a context in which whatever is called belongs to this lane."""
        context = copy_context()
        context.run(_LANE.set, self)
        return context

    def die(self) -> None:
        """End it between two steps: nothing of it ever runs again."""
        self.is_dead = True
        self.ready.clear()

    def bury(self) -> None:
        """Take its tasks apart, once nothing that their `finally` does can matter any more."""
        for task in self.tasks:
            if task.done():
                continue
            # The task can never run again, so nobody is to be told that it was left pending.
            cast("Any", task)._log_destroy_pending = False
            coroutine = task.get_coro()
            assert coroutine is not None
            _close_unbegun(coroutine)
            _close(self, coroutine)
        self.tasks.clear()


_CLOSINGS_MAX = 10
"""How many `finally` that await something may be inside one another."""

_LANE: ContextVar[Lane] = ContextVar("makegood_lane")


def current_lane() -> Lane:
    """Return the lane of whoever asks."""
    return _LANE.get()


class SimulatedLoop(asyncio.BaseEventLoop):
    """Runs lanes on virtual time, in an order that follows from the seed alone."""

    def __init__(self, order: Random) -> None:
        super().__init__()
        self._order = order
        # Any: asyncio keeps it, and it has no public type.
        own: Any = self
        self._newly: deque[asyncio.Handle] = own._ready
        """What was called soon, by whomever, and is not with its lane yet."""
        self._timers: list[tuple[int, int, asyncio.TimerHandle]] = []
        """A heap: when each is due, in microseconds, and the order in which they were set."""
        self._timers_set = 0
        self._micros = 0
        self._lanes: list[Lane] = []
        """The lanes that have something ready."""
        self.outside = Lane("outside")
        """Where everything belongs that is in no process: the store, networks, the plot."""
        self._generators: WeakValueDictionary[int, AsyncGeneratorType[Any, Any]] = (
            WeakValueDictionary()
        )
        """The async generators that were begun and are still known, by numbers that count up."""
        self._generators_begun = 0
        self.set_task_factory(_owned)

    @property
    def micros(self) -> int:
        """The virtual time in microseconds."""
        return self._micros

    def time(self) -> float:
        """Return the virtual time in seconds."""
        return self._micros / _MICROSECOND

    def after(
        self, micros: int, callback: Callable[..., object], *arguments: object, lane: Lane
    ) -> asyncio.TimerHandle:
        """Call back in a lane when so many microseconds have passed."""
        when = (self._micros + micros) / _MICROSECOND
        return self.call_at(when, callback, *arguments, context=lane.timers)

    # Any: what a coroutine yields is between it and the loop.
    def run_world(self, coroutine: Coroutine[Any, Any, R]) -> R:
        """Run the plot of a world to its end."""
        return self.outside.context().run(self.run_until_complete, coroutine)

    def bury_generators(self) -> None:
        """Take apart what async generators await, before the tasks that go over them.

        A task that is closed does not close what the generator under it awaits: that would be left
        to the garbage collection, which comes when the loop is gone.
        """
        for generator in [*self._generators.values()]:
            if inspect.iscoroutine(generator.ag_await):
                _close(self.outside, generator.ag_await)

    # What asyncio asks of a loop -------------------------------------------------------------

    # Any: a process iterates over all kinds of generators.
    def _asyncgen_firstiter_hook(self, agen: AsyncGeneratorType[Any, Any]) -> None:
        # asyncio has them in a set, whose order is that of their addresses.
        own: Any = super()
        own._asyncgen_firstiter_hook(agen)
        self._generators_begun += 1
        self._generators[self._generators_begun] = agen

    def _run_once(self) -> None:
        self._take_ready()
        while not self._lanes:
            self._pass_time()
            self._take_ready()
        lanes = self._lanes
        at = self._order.randrange(len(lanes)) if len(lanes) > 1 else 0
        lane = lanes[at]
        handle = lane.ready.popleft()
        if not lane.ready:
            del lanes[at]
        if not handle.cancelled():
            handle._run()

    def _take_ready(self) -> None:
        """Give each handle to its lane; what dead lanes wanted is dropped."""
        newly = self._newly
        while newly:
            handle = newly.popleft()
            lane = _lane_of(handle) or self.outside
            if lane.is_dead:
                continue
            if not (lane.ready or lane.is_paused):
                self._lanes.append(lane)
            lane.ready.append(handle)

    def _pass_time(self) -> None:
        timers = self._timers
        while timers and _is_void(timers[0][2]):
            heapq.heappop(timers)
        if not timers:
            message = (
                f"nothing will ever happen after {self.time():.6f} s, and something is awaited"
            )
            raise Stalled(message)
        self._micros = now = max(self._micros, timers[0][0])
        while timers and timers[0][0] <= now:
            handle = heapq.heappop(timers)[2]
            if not _is_void(handle):
                self._newly.append(handle)

    def call_at(
        self,
        when: float,
        callback: Callable[[Unpack[Ts]], object],
        *args: *Ts,
        context: Context | None = None,
    ) -> asyncio.TimerHandle:
        """Call back at a virtual time in seconds."""
        handle = asyncio.TimerHandle(when, callback, args, self, context)
        self._timers_set += 1
        heapq.heappush(self._timers, (round(when * _MICROSECOND), self._timers_set, handle))
        return handle

    def halt(self, lane: Lane) -> None:
        """Pause or kill a lane: it is not ready, whatever it has to do."""
        if lane in self._lanes:
            self._lanes.remove(lane)

    def go_on(self, lane: Lane) -> None:
        """Let a paused lane go on where it was."""
        if lane.ready and lane not in self._lanes:
            self._lanes.append(lane)

    def _process_events(self, event_list: object) -> None:
        """There are no events from outside: this world has no files and no sockets."""

    def _write_to_self(self) -> None:
        """There are no other threads to wake the loop for."""


# Any: a process runs all kinds of coroutines.
def _close(lane: Lane, coroutine: Coroutine[Any, Any, Any] | Generator[Any, Any, Any]) -> None:
    for _ in range(_CLOSINGS_MAX):
        try:
            lane.context().run(coroutine.close)
        except RuntimeError:
            # A `finally` awaits something: the process it was in is gone, and that is closed next.
            continue
        except ValueError:
            # It is at work.
            return
        return


def _close_unbegun(coroutine: object) -> None:
    """Close what a coroutine that never began was handed to await: nobody will."""
    if inspect.iscoroutine(coroutine) and inspect.getcoroutinestate(coroutine) == "CORO_CREATED":
        for handed in inspect.getcoroutinelocals(coroutine).values():
            if inspect.iscoroutine(handed):
                handed.close()


# Any: what asyncio's handles hold has no public type.
def _lane_of(handle: Any) -> Lane | None:
    lane: Lane | None = handle._context.get(_LANE)
    return lane


def _is_void(handle: asyncio.TimerHandle) -> bool:
    if handle.cancelled():
        return True
    lane = _lane_of(handle)
    return lane is not None and lane.is_dead


# Any: asyncio's own types.
def _owned(
    loop: asyncio.AbstractEventLoop,
    coroutine: Coroutine[Any, Any, R] | Generator[Any, None, R],
    *,
    context: Context | None = None,
) -> asyncio.Task[R]:
    """Make a task that its lane owns."""
    task: asyncio.Task[R] = asyncio.Task(cast("Any", coroutine), loop=loop, context=context)
    lane = (context or copy_context()).get(_LANE)
    if lane is not None:
        lane.tasks.append(task)
    return task

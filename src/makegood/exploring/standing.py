"""What becomes of the record of a lifecycle in one world: what its handlers give, and what comes.

Nobody knows what a handler would return, so every outcome that it declares is an option, and every
destination one of its own; and so is everything that may come to a status: each of its messages,
its next time, and nothing. Each of these choices is made the first time that it is met. Where a
record comes round again, and the same choice is met again, it takes the shortest way to an end, so
that every world has one.
"""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple

from msgspec import Raw

from makegood.decision import facts
from makegood.exploring.choices import Choice, Option
from makegood.values.instants import after
from makegood.values.limits import KEEP_MAX
from makegood.values.outcomes import (
    Again,
    CancelRun,
    FailRun,
    Goto,
    PauseRun,
    Rearm,
    Stay,
    StoredAgain,
    StoredCancel,
    StoredFail,
    StoredGoto,
    StoredNext,
    StoredPause,
    StoredRearm,
    StoredStay,
    write_next,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from datetime import timedelta

    from makegood.decision.facts import Fact
    from makegood.decision.imagined import ImaginedRun
    from makegood.decision.lifecycle.state import LifecycleState
    from makegood.definition.lifecycle.machine import Handler, Machine
    from makegood.values.instants import Instant

__all__ = ["KEY", "VISITS_SHOWN", "Comings", "Standing", "short"]

KEY = "imagined"
"""By which key messages find the record."""

NEVER = 1_000_000
"""How far the end is from where there is none."""

BADLY = 1_000
"""How far a bad end is: what leads to a good one comes first, however far it is."""

ROUNDS_SHOWN = 2
"""How often the same comes again to a record that it leads nowhere: more would show no more."""

VISITS_SHOWN = 60
"""After how many statuses that a record has entered it is said to go on and on."""

_KINDS: tuple[type, ...] = (Goto, Stay, Rearm, Again, PauseRun, CancelRun, FailRun)

_SAID: Mapping[type, str] = {
    Stay: "lets the record stay",
    Rearm: "lets the record stay, and sets its timers anew",
    Again: "asks to be called again",
    PauseRun: "pauses the run",
    CancelRun: "cancels the run",
    FailRun: "fails the run",
}


class Comings(NamedTuple):
    """What may come besides, in a world of its own each, and how many facts there were then."""

    stands: dict[str, int]
    """The statuses in which the record has stood and waited: somebody may cancel it there."""
    again: dict[str, int]
    """The messages that the record heard and would have heard once more."""
    meanwhile: dict[tuple[str, str], int]
    """The messages that might have come while a handler was at work, by its path."""


class Standing:
    """One record on its way."""

    def __init__(
        self,
        machine: Machine,
        kinds: Mapping[str, Iterable[type]],
        messages: Mapping[str, Raw],
        *,
        choose: Callable[[Choice], str],
        wait: timedelta,
    ) -> None:
        self._machine = machine
        self._kinds = kinds
        """What each handler says that it returns."""
        self._messages = messages
        """An example of each message."""
        self._choose = choose
        self._wait = wait
        """How long it is to a time that nobody knows."""
        self._outcomes: dict[str, Raw] = {}
        """What was given, by the paths of the calls."""
        self._met: dict[str, int] = {}
        """How often each choice was met."""
        self._came = 0
        self._heard: set[str] = set()
        self._untimed: set[str] = set()
        """The timers for which the record says no time."""
        self._silent: set[str] = set()
        """The statuses to which no message ever comes."""
        self.comings = Comings({}, {}, {})

    # What its handlers give ---------------------------------------------------------------------

    def outcome(self, lifecycle: LifecycleState, path: str) -> Raw:
        """Return what this call of a handler gives, however often it is tried."""
        made = self._outcomes.get(path)
        if made is None:
            handler, status = lifecycle.handler, lifecycle.status
            assert status is not None, "a handler is called in a status"
            made = self._outcomes[path] = Raw(write_next(self._given(handler, status)))
        return made

    def _given(self, handler: Handler, status: str) -> StoredNext:
        options = self._options(handler, status)
        key = f"{handler.name} in {status}"
        if self._is_new(key):
            taken = self._choose(Choice(key, tuple(options)))
        else:
            taken = min(options, key=lambda option: self._far_after(option.taken)).taken
        return self._stored(taken, status, is_new=self._met[key] == 1)

    def _options(self, handler: Handler, status: str) -> list[Option]:
        """Return what a handler may give, what is most like it first."""
        kinds = {*self._kinds[handler.name]}
        if kinds == {*_KINDS}:
            # It says `Next`, which says no more than its destinations.
            kinds = {Goto, Stay} if self._may_stay(status) or not handler.to else {Goto}
        key = f"{handler.name} in {status}"
        name = handler.name if len(handler.statuses) == 1 else key
        options = [Option(key, to, f"{name} leads to {to}") for to in handler.to]
        return options + [
            Option(key, kind.__name__, f"{name} {_SAID[kind]}")
            for kind in _KINDS
            if kind in kinds and kind is not Goto
        ]

    def _may_stay(self, status: str) -> bool:
        return bool(self._machine.hears[status] or self._machine.timers[status])

    def _stored(self, taken: str, status: str, *, is_new: bool) -> StoredNext:
        match taken:
            case "Stay":
                return StoredStay()
            case "Rearm":
                return StoredRearm()
            case "Again":
                # What asks again and again shall not keep the status from its times.
                times = (handler.after for handler in self._machine.timers[status])
                longest = max((time for time in times if time is not None), default=self._wait)
                return StoredAgain(self._wait if is_new else self._wait + longest)
            case "PauseRun":
                return StoredPause("for a reason")
            case "CancelRun":
                return StoredCancel("for a reason")
            case "FailRun":
                return StoredFail("builtins.Exception", "for a reason")
            case status:
                return StoredGoto(status)

    # What is listened for -----------------------------------------------------------------------

    def listened(self, lifecycle: LifecycleState, path: str, run: ImaginedRun) -> Fact:
        """Return what a status listens for: messages, and times as somebody might have set them."""
        timers: dict[str, Instant] = {}
        for handler in lifecycle.unset:
            if handler.after is not None:
                timers[handler.name] = after(run.now, handler.after)
            elif self._has_time(handler):
                timers[handler.name] = after(run.now, self._wait)
        return facts.Listened(path, KEY, run.now, lifecycle.unheard, timers)

    def _has_time(self, handler: Handler) -> bool:
        """Say whether the record says a time for this timer; nobody knows, so it is a choice."""
        key = f"at of {handler.name}"
        options = (
            Option(key, "some", f"the record says a time for {handler.name}"),
            Option(key, "none", f"the record says no time for {handler.name}"),
        )
        is_said = self._choose(Choice(key, options)) == "some"
        if not is_said:
            self._untimed.add(handler.name)
        return is_said

    # What comes ---------------------------------------------------------------------------------

    def comes(self, run: ImaginedRun, twice: Iterable[str]) -> Fact | bool:
        """Return the message that comes next; True: it is a time, and False: nothing comes.

        What was heard comes once more as soon as it is heard again, where it comes `twice`.
        """
        lifecycle = run.state.lifecycle
        assert lifecycle is not None, "only a record stands somewhere"
        assert lifecycle.status is not None, "it stands somewhere"
        messages = [message for message, _key in lifecycle.open]
        for message in messages:
            if message in self._heard:
                self.comings.again.setdefault(message, len(run.facts))
                if message in twice:
                    self._heard.discard(message)
                    return self._letter(run, message)
        key = f"next in {lifecycle.status}"
        untimed = [
            handler.name
            for handler in self._machine.timers[lifecycle.status]
            if handler.name in self._untimed
        ]
        if untimed:
            # Without its time, it is another question what comes.
            key = f"{key} without {', '.join(untimed)}"
        is_new = self._is_new(key)
        taken = "nothing"
        if messages and is_new:
            taken = self._choose(self._of_next(key, lifecycle, messages))
        if taken == "nothing":
            if is_new and messages:
                self._silent.add(lifecycle.status)
            heard = () if lifecycle.status in self._silent else messages
            taken = self._next_again(key, lifecycle, heard)
        if taken in messages:
            self._heard.add(taken)
            return self._letter(run, taken)
        return taken == "time"

    def meanwhile(self, run: ImaginedRun, path: str, message: str | None) -> Fact | None:
        """Return the message that comes while a handler is at work, if any does."""
        lifecycle = run.state.lifecycle
        assert lifecycle is not None, "only a lifecycle has handlers"
        for each, _key in lifecycle.open:
            self.comings.meanwhile.setdefault((path, each), len(run.facts))
        return None if (message, KEY) not in lifecycle.open else self._letter(run, str(message))

    def _of_next(self, key: str, lifecycle: LifecycleState, messages: Sequence[str]) -> Choice:
        """Return what may come to a status, what leads on before what does not."""
        status = lifecycle.status
        assert status is not None, "it stands somewhere"
        handlers = self._machine.hears[status]
        leads_on = {message: bool(handlers[message].to) for message in messages}
        options = [
            Option(key, message, f"in {status} a {short(message)} comes") for message in messages
        ]
        if lifecycle.dues:
            timers = (self._machine.handler(name) for name in lifecycle.timers)
            leads_on["time"] = any(handler.to for handler in timers)
            text = f"in {status} no message comes before the next time"
            options.append(Option(key, "time", text))
        options.sort(key=lambda option: not leads_on[option.taken])
        options.append(Option(key, "nothing", f"in {status} no message ever comes"))
        return Choice(key, tuple(options))

    def _next_again(self, key: str, lifecycle: LifecycleState, messages: Sequence[str]) -> str:
        """Return what comes to a record that comes round: what leads to an end the soonest."""
        assert lifecycle.status is not None, "it stands somewhere"
        handlers = self._machine.hears[lifecycle.status]
        ways = [(self._far_by(handlers[message]), message) for message in messages]
        ways += [
            (self._far_by(self._machine.handler(name)), "time")
            for name in (*lifecycle.timers, *lifecycle.repeats)
        ]
        far, taken = min(ways, default=(NEVER, "nothing"))
        is_lost = far >= NEVER and self._met[key] > ROUNDS_SHOWN
        return "nothing" if is_lost else taken

    def _letter(self, run: ImaginedRun, message: str) -> Fact:
        self._came += 1
        return facts.MessageCame(
            id=f"message-{self._came}",
            message=message,
            key=KEY,
            value=self._messages[message],
            until=after(run.now, KEEP_MAX),
            at=run.now,
        )

    # How far it is to an end --------------------------------------------------------------------

    def _is_new(self, key: str) -> bool:
        self._met[key] = self._met.get(key, 0) + 1
        return self._met[key] == 1

    def _far_after(self, taken: str) -> int:
        if taken in {"CancelRun", "FailRun"}:
            return BADLY
        return self._far.get(taken, NEVER)

    def _far_by(self, handler: Handler) -> int:
        kinds = {*self._kinds[handler.name]}
        is_end = kinds != {*_KINDS} and kinds & {CancelRun, FailRun}
        least = BADLY if is_end else NEVER
        return min((self._far[to] for to in handler.to), default=least)

    @cached_property
    def _far(self) -> Mapping[str, int]:
        """How many handlers are called from each status until the record is at an end, at least."""
        far = dict.fromkeys(self._machine.statuses, NEVER) | dict.fromkeys(
            self._machine.terminal, 0
        )
        for _ in self._machine.statuses:
            for handler in self._machine.handlers:
                kinds = {*self._kinds[handler.name]}
                is_end = kinds != {*_KINDS} and kinds & {CancelRun, FailRun}
                least = BADLY if is_end else NEVER
                least = min(least, *(far[to] for to in handler.to)) if handler.to else least
                for status in handler.statuses:
                    far[status] = min(far[status], least + 1)
        return far


def short(message: str) -> str:
    """Return the name of a message's class without that of its module."""
    return message.rpartition(".")[2]

"""One run at work in this process: its mailbox, its state, and at most one append in flight.

A turn takes everything that waits, folds it, asks `decide` until it adds nothing, appends once,
and performs the commands when the append is acknowledged:

    resting --(something arrives)--> deciding --(facts)--> appending --(applied)--> resting
                                        |                      |
                                        | (nothing new)        | (conflict) read again, decide again
                                        v                      | (fenced)   drop the run
                                     resting                   | (no room)  the same append, later

What arrives while an append is in flight waits for the next turn. Nothing is performed before
its fact is durable, and a refused append leaves no trace: the state is folded again from the
journal, and the outcomes that were in it are folded again after that.
"""

from __future__ import annotations

import asyncio
from functools import partial
from typing import TYPE_CHECKING

from msgspec.structs import replace

from makegood.decision import facts
from makegood.decision.commands import Local
from makegood.decision.evolve import evolve, expects, fold_appends
from makegood.decision.facts import write_facts
from makegood.decision.state import RunState
from makegood.errors import StoreBusy, StoreError, StoreFailed, StoreFull
from makegood.journal.protocol import (
    Append,
    Applied,
    Conflict,
    Exists,
    Fenced,
    Refused,
)
from makegood.runtime.asking.unread import taken
from makegood.runtime.calling.local import LocalBody
from makegood.runtime.telemetry import log
from makegood.runtime.turning.bodies import Bodies
from makegood.runtime.turning.deciding import Deciding
from makegood.runtime.turning.outgoing import outgoing_of
from makegood.runtime.turning.sending import (
    Sent,
    fold_local,
    is_progress,
    moves_of,
    summary_of,
    unwritten,
    whether_to_release,
)
from makegood.runtime.turning.watchers import Watchers
from makegood.values.instants import Instant, after

if TYPE_CHECKING:
    from collections.abc import Sequence

    from makegood.decision.commands import Command
    from makegood.decision.facts import Fact
    from makegood.journal.protocol import History, NewRun, Posted, Statement, Verdict
    from makegood.journal.reply import Pending
    from makegood.runtime.calling.arriving import Arrival
    from makegood.runtime.calling.served import Served
    from makegood.runtime.ports import Timer
    from makegood.runtime.shell import Shell
    from makegood.values.envelope import Envelope
    from makegood.values.ids import RunId

__all__ = ["Turn"]


class Turn:
    """One run that this engine holds."""

    __slots__ = (
        "_bodies",
        "_claims",
        "_decided_at",
        "_deciding",
        "_has_left",
        "_is_busy",
        "_is_gone",
        "_is_rung",
        "_is_scheduled",
        "_loop",
        "_mail",
        "_one_by_one",
        "_shell",
        "_timer",
        "_watchers",
        "epoch",
        "errors",
        "inbox_head",
        "run",
        "seq",
        "served",
        "state",
    )

    def __init__(self, shell: Shell, served: Served, run: RunId, *, epoch: int) -> None:
        self.run = run
        self.served = served
        self.state = RunState(served.plan)
        self.epoch = epoch
        self.seq = 0
        self.inbox_head = 0
        self._shell = shell
        self._loop = asyncio.get_running_loop()
        self._decided_at = Instant(0)
        self._deciding = Deciding(shell.decide, served, run)
        self.errors = self._deciding.errors
        self._bodies = Bodies(shell, served, run, self.errors, is_resumed=epoch > 1)
        self._mail: list[Arrival] = []
        self._watchers = Watchers()
        self._timer: Timer | None = None
        self._claims = 0
        """How often it was claimed, until that is on record."""
        self._is_busy = False
        self._is_gone = False
        """Nothing is written for the run any more."""
        self._has_left = False
        """It was given back in good order: the state is what the journal holds."""
        self._is_rung = False
        self._is_scheduled = False
        self._one_by_one = False

    # Coming to be ----------------------------------------------------------------------------

    async def begin(self, started: facts.RunStarted, new: NewRun) -> Verdict:
        """Start the run and hold it, if the verdict on its first append allows that."""
        if self.served.announces is not None:
            await self._shell.publisher.subscribe()
        now = started.at
        recorded: list[Fact] = [started]
        evolve(self.state, started)
        commands = self._decide(recorded, now)
        append = self._append(recorded, commands, now, winds_down=self._winds_down(), create=new)
        self._is_busy = True
        written = self._shell.journal.append(append)
        self._shell.hold(self)
        # A caller that gives up must not take the append along, which may well be durable.
        begun: asyncio.Future[Verdict] = self._loop.create_future()
        sent = Sent(append, recorded, commands, [])
        if written.done():
            self._on_begun(sent, begun, written)
        else:
            written.add_done_callback(partial(self._on_begun, sent, begun))
        return await begun

    def resume(self, history: History, *, claims: int) -> None:
        """Go on with a run that was just claimed."""
        self._shell.hold(self)
        self._claims = claims
        self._round(self._restore(history), history.inbox)

    # Being told ------------------------------------------------------------------------------

    def deliver(self, arrival: Arrival) -> None:
        """Take the outcome of a body."""
        self._mail.append(arrival)
        # A body that records a value is at work itself: its own task takes no turn.
        is_alone = len(self._bodies.at_work) == 1 and arrival.stored is None
        if is_alone and not (self._is_busy or self._is_scheduled or self._is_gone):
            # Nothing else of this run is at work: waiting could not fold anything more.
            self._take()
        else:
            self._wake()

    def ring(self) -> None:
        """Learn that something was posted to the run."""
        self._is_rung = True
        self._wake()

    def look_up(self) -> None:
        """Learn that what is halted has changed."""
        self._wake()

    @property
    def is_at_work(self) -> bool:
        """Whether an append is in flight, or about to be."""
        return self._is_busy or self._is_scheduled

    @property
    def is_at_rest(self) -> bool:
        """Whether only time moves it on, be it that the store may have room again."""
        return not self._is_scheduled and (not self._is_busy or self._timer is not None)

    def abandon(self, error: StoreError | None = None) -> None:
        """Let the run go without another word to the journal."""
        self._is_gone = True
        self._disarm()
        self._shell.let_go(self)
        self._bodies.stop_all()
        self._watchers.tell(error)

    async def left(self) -> None:
        """Wait until this engine no longer holds the run, mostly because it is settled."""
        if not self._is_gone:
            await self._watchers.wait()

    @property
    def is_settled(self) -> bool:
        """Whether the run is known, durably, to have ended or to be parked."""
        return self._has_left and self.state.is_settled

    # One turn --------------------------------------------------------------------------------

    def _wake(self) -> None:
        if not (self._is_busy or self._is_scheduled or self._is_gone):
            self._is_scheduled = True
            self._loop.call_soon(self._take)

    def _take(self) -> None:
        self._is_scheduled = False
        if self._is_busy or self._is_gone:
            return
        if self._is_rung:
            self._is_rung = False
            self._is_busy = True
            self._disarm()
            self._shell.spawn(self._look_into_inbox(), self)
            return
        self._round([], ())

    async def _look_into_inbox(self) -> None:
        history = await self._shell.history(self.run)
        self._is_busy = False
        if self._is_gone:
            return
        self._round([], [post for post in history.inbox if post.n > self.inbox_head])

    def _round(self, recorded: list[Fact], posts: Sequence[Posted]) -> None:
        """Fold what waits, decide, and send the append that follows."""
        state = self.state
        now = self._shell.clock.now()
        arrivals = self._mail
        self._mail = arrivals[1:] if self._one_by_one else []
        taken: list[Arrival] = []
        writes: tuple[Statement, ...] = ()
        messages: tuple[Envelope, ...] = ()
        for arrival in arrivals[:1] if self._one_by_one else arrivals:
            if not expects(state, arrival.fact):
                self._bodies.drop(state, arrival)
                continue
            taken.append(arrival)
            evolve(state, arrival.fact)
            recorded.append(arrival.fact)
            writes += arrival.writes
            messages += arrival.messages
        if posts:
            recorded += self._take_posts(posts)
        winds_down = self._winds_down()
        commands = [] if winds_down else self._decide(recorded, now)
        if recorded:
            append = self._append(recorded, commands, now, winds_down=winds_down, writes=writes)
            append = replace(append, messages=append.messages + messages) if messages else append
            self._send(Sent(append, recorded, commands, taken))
        elif commands:
            (local,) = commands
            assert isinstance(local, Local)
            self._send_local(local, now)
        else:
            self._rest()

    def _take_posts(self, posts: Sequence[Posted]) -> list[Fact]:
        """Fold what was posted to the run, and return it as facts."""
        asked = taken(posts, self.served.plan, self.served.code)
        self._shell.raised.hand_over(asked, self.errors)
        for fact in asked:
            evolve(self.state, fact)
        self.inbox_head = posts[-1].n
        return asked

    def _decide(self, recorded: list[Fact], now: Instant) -> list[Command]:
        self._decided_at = now
        state, shell = self.state, self._shell
        if not (shell.halts.known or shell.guards.circuits or state.halted):
            # Mostly nothing is halted, and nothing could be: then nobody needs to be asked.
            return self._deciding.decide_all(state, recorded, now)
        state.halted = shell.guards.halted(self.run, now)
        commands = self._deciding.decide_all(state, recorded, now)
        shell.guards.begin(state.graph, commands, now)
        return commands

    # The append ------------------------------------------------------------------------------

    def _append(
        self,
        recorded: Sequence[Fact],
        commands: Sequence[Command],
        now: Instant,
        *,
        winds_down: bool,
        create: NewRun | None = None,
        writes: tuple[Statement, ...] = (),
        local: LocalBody | None = None,
    ) -> Append:
        state, shell = self.state, self._shell
        release, wake_at = False, None
        if not state.in_flight or state.is_settled:
            release, wake_at = whether_to_release(
                state,
                now,
                is_busy=bool(commands or self._mail),
                is_draining=winds_down,
                wait_max=shell.config.release_after,
            )
        speaks = self.served.speaks or state.family.parent is not None
        # Python passes up to fifteen values by name at a fifth of the price of one more.
        append = Append(
            run=self.run,
            worker=shell.worker,
            epoch=self.epoch,
            seq=self.seq + 1,
            inbox_head=self.inbox_head,
            inbox_taken=self.inbox_head,
            token=shell.ids.token(),
            facts=write_facts(recorded) if local is None else b"",
            at=now,
            summary=summary_of(state),
            release=release,
            wake_at=wake_at,
            progress=local is not None or is_progress(recorded),
            outgoing=outgoing_of(state, self.run, recorded, now) if speaks else (),
            moves=() if state.lifecycle is None else moves_of(self.run, recorded),
        )
        if (told := self.served.announces) is not None:
            append = told.added(append, state, recorded, source=shell.config.message_source)
        if create is None and local is None and not writes:
            return append
        return replace(append, create=create, writes=writes, local=local)

    def _send(self, sent: Sent) -> None:
        if self._is_gone:
            return
        self._is_busy = True
        self._disarm()
        future = self._shell.journal.append(sent.append)
        if future.done():
            self._on_reply(sent, future)
        else:
            future.add_done_callback(partial(self._on_reply, sent))

    def _send_local(self, command: Local, now: Instant) -> None:
        body = LocalBody(self._bodies.make(self.state, command), self._shell)
        append = self._append([], [command], now, winds_down=False, local=body)
        sent = Sent(append, [], [command], [], body)
        self._is_busy = True
        body.when_ready(partial(self._send, sent), self)

    # The reply -------------------------------------------------------------------------------

    def _on_begun(self, sent: Sent, begun: asyncio.Future[Verdict], done: Pending[Verdict]) -> None:
        error = done.exception()
        if error is None and isinstance(done.result(), Applied):
            self._on_reply(sent, done)
        else:
            self.abandon()
            if isinstance(error, StoreFailed):
                self._shell.fail(error)
        if error is not None and not begun.done():
            begun.set_exception(error)
        elif not begun.done():
            begun.set_result(done.result())

    def _on_reply(self, sent: Sent, done: Pending[Verdict]) -> None:
        self._shell.replied()
        if self._is_gone:
            return
        error = done.exception()
        if error is None:
            self._take_verdict(sent, done.result())
        elif isinstance(error, StoreFull | StoreBusy):
            # Nothing was written: the very same append is sent again when there may be room.
            self._shell.outage.tell(f"run {self.run}", error)
            again = after(self._shell.clock.now(), self._shell.config.poll_max)
            self._timer = self._shell.clock.call_at(again, lambda: self._send(sent))
        elif isinstance(error, StoreError):
            self._shell.fail(error)
        else:
            log.error("run %s: the journal raised", self.run, exc_info=error)
            self.abandon(StoreError(f"the journal raised {error!r}"))

    def _take_verdict(self, sent: Sent, verdict: Verdict) -> None:
        match verdict:
            case Applied():
                self._applied(sent, verdict)
            case Conflict():
                self._shell.spawn(self._read_again(sent.arrivals), self)
            case Refused(reason=reason):
                self._one_by_one = self._one_by_one or len(sent.arrivals) > 1
                arrivals = unwritten(sent.arrivals, reason, self._shell.clock.now())
                self._shell.spawn(self._read_again(arrivals), self)
            case Fenced() | Exists():
                log.warning("run %s is held by another worker; it is dropped here", self.run)
                self.abandon()

    def _applied(self, sent: Sent, verdict: Applied) -> None:
        shell, state, bodies, append = self._shell, self.state, self._bodies, sent.append
        shell.outage.is_over()
        if append.outgoing:
            shell.ring_relay()
        if append.messages:
            shell.publisher.stored(append.messages)
        self._is_busy = False
        self._one_by_one = False
        self._claims = 0
        self.seq = append.seq
        recorded = sent.recorded
        if sent.local is not None:
            recorded = fold_local(sent, verdict, state, self.errors)
            shell.publisher.stored(sent.local.messages)
        for arrival in sent.arrivals:
            bodies.let_go(state, arrival)
        shell.telemetry.publish(self.run, self.served.name, recorded, state.fact_count)
        has_local = sent.local is not None
        if sent.commands:
            now = shell.clock.now()
            late = now - append.at
            for command in sent.commands:
                has_local = has_local or isinstance(command, Local)
                bodies.perform(state, command, self.deliver, now, late)
        if append.release:
            self._leave()
        elif has_local:
            self._wake()
        else:
            self._rest()

    async def _read_again(self, arrivals: list[Arrival]) -> None:
        """Fold the run anew after a refused append, and take the same outcomes once more."""
        history = await self._shell.history(self.run)
        if self._is_gone:
            return
        if (history.row.epoch, history.row.owner) != (self.epoch, self._shell.worker):
            self.abandon()
            return
        self._mail = arrivals + self._mail
        self._is_busy = False
        self._round(self._restore(history), history.inbox)

    def _restore(self, history: History) -> list[Fact]:
        """Fold the run anew, and its being claimed too; return that fact until it is written."""
        self.state = fold_appends(self.served.plan, history.appends)
        self.seq = history.row.seq
        self.inbox_head = history.row.inbox_head - len(history.inbox)
        # What kills its worker without having begun anything is known by its second claim.
        if self._claims <= (0 if self.state.in_flight else 1):
            return []
        claimed = facts.Claimed(self._claims, self._shell.clock.now())
        evolve(self.state, claimed)
        return [claimed]

    # Resting and leaving -----------------------------------------------------------------------

    def _rest(self) -> None:
        """Wait for whatever comes first; costs nothing but a timer.

        What is due is counted from the last decision and not from now: something that fell due
        in between has been decided by nobody yet.
        """
        if self._mail or self._is_rung:
            self._wake()
            return
        self._disarm()
        due = self.state.next_due(self._decided_at)
        if due is None and self.state.in_flight:
            return
        if self._winds_down():
            if not (self._shell.is_draining or self.state.in_flight):
                self._is_busy = True
                self._shell.spawn(self._give_back(), self)
        elif due is not None:
            self._timer = self._shell.clock.call_at(due, self._wake)

    def _winds_down(self) -> bool:
        """Say whether outcomes are still recorded, and nothing new is decided here."""
        halts = self._shell.halts
        return self._shell.is_draining or (bool(halts.known) and halts.holds(self.served.name))

    async def _give_back(self) -> None:
        """Give the run back as it is; nobody claims it before its halt is lifted."""
        is_given = await self._shell.give_back(self.run)
        self._is_busy = False
        if is_given and not self._is_gone:
            self._leave()

    def _disarm(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _leave(self) -> None:
        """Forget the run: it is settled, or waits so long that it was given back."""
        self._is_gone = self._has_left = True
        self._disarm()
        self._shell.let_go(self)
        self._watchers.tell(None)

"""How a run's facts become a story: attempts with their ends, and what else happened, in order.

The states are those that `evolve` gives; here it is only remembered when each came about. A fact
without a time of its own is told at the time of the one before it, with which it was recorded.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, assert_never

from msgspec.structs import replace

from makegood.decision import facts
from makegood.decision.evolve import evolve
from makegood.decision.facts import EndStatus
from makegood.decision.happening.groups import OfLifecycle, OfMail, OfPeople
from makegood.decision.state import WITH_CHILD, Phase, RunState
from makegood.definition.plan import Kind
from makegood.picture import words
from makegood.picture.story import Attempted, Ending, Entry, Happened, Happening
from makegood.picture.telling.of_lifecycle import of_lifecycle
from makegood.picture.telling.of_mail import of_mail, told_of
from makegood.picture.telling.of_people import of_people
from makegood.values.ids import effect_key
from makegood.values.instants import as_datetime
from makegood.values.verdict import FailureKind, ItDidNotHappen, ItHappened, Kept, UndoneByHand

if TYPE_CHECKING:
    from makegood.decision.facts import Fact
    from makegood.decision.happening.groups import (
        OfChildren,
        OfFlow,
        OfNode,
        OfRun,
        Outcome,
    )
    from makegood.definition.plan import Node, Plan
    from makegood.journal.protocol import RunRow
    from makegood.values.instants import Instant
    from makegood.values.verdict import Failure

__all__ = ["Teller"]

Direction = Literal["do", "undo", "compensate"]


class Teller:
    """Folds the facts one by one, and remembers what each of them tells."""

    def __init__(self, row: RunRow, plan: Plan) -> None:
        self.state: RunState = RunState(plan)
        self.ended: dict[str, Instant] = {}
        """When each node's latest attempt or doubt ended."""
        self.undo_ended: dict[str, Instant] = {}
        self.notes: dict[str, str] = {}
        """Why a node was skipped or kept, or what is left of it."""
        self._row = row
        self._now: Instant = row.created_at
        self._entries: list[Entry] = []
        self._at_work: dict[tuple[str, Direction], int] = {}
        """Where in the story the attempts stand whose end is not known."""
        self._latest: dict[str, int] = {}
        """Where in the story each node's latest attempt stands."""
        self._asked: dict[int, int] = {}
        """Where in the story each request stands, by the number of its post."""
        self._slept_from: dict[str, Instant] = {}
        """When each sleep began."""
        self._doubts: set[tuple[str, Direction]] = set()
        """What is in doubt."""

    def story(self) -> tuple[Entry, ...]:
        """Return everything told so far, with its words."""
        return tuple(words.put_in_words(entry) for entry in self._entries)

    def tell(self, fact: Fact) -> None:
        """Fold one fact, and add what it tells."""
        # Any: not every fact has a time, nor a node.
        at: Any = getattr(fact, "at", None)
        path: Any = getattr(fact, "node", None)
        self._now = self._now if at is None else at
        evolve(self.state, fact)
        self._tell(fact)
        # A request may name a node that there is not.
        touched = [path] if path in self.state.positions else [*self.state.positions]
        for each in touched:
            self._tell_doubt(each)

    def _tell(self, fact: Fact) -> None:
        if isinstance(fact, OfPeople):
            self._tell_of_people(fact)
            return
        if isinstance(fact, OfMail):
            self._tell_of_mail(fact)
            return
        if isinstance(fact, OfLifecycle):
            # What is called on entry is told by its attempt.
            if not (isinstance(fact, facts.HandlingBegan) and fact.cause == "entry"):
                self._add(*of_lifecycle(fact), fact.node)
            return
        match fact:
            case facts.NodeStarted():
                self._begin(fact.node, "do", fact.attempt)
            case facts.CompensateStarted():
                self._begin(fact.node, "compensate", fact.attempt)
            case facts.UndoStarted():
                self._begin(fact.node, "undo", fact.attempt)
            case (
                facts.NodeDone()
                | facts.NodeFailed()
                | facts.CompletionAwaited()
                | facts.EffectUnrecorded()
                | facts.NodeRefused()
                | facts.VerdictGiven()
                | facts.CompensateFailed()
                | facts.UndoDone()
                | facts.UndoFailed()
            ):
                self._tell_outcome(fact)
            case (
                facts.RetryScheduled()
                | facts.CompensateRetryScheduled()
                | facts.UndoRetryScheduled()
            ):
                # A value has no attempts, and is computed again when a person wants that.
                if fact.node in self._latest:
                    self._change(self._latest[fact.node], again_at=as_datetime(fact.due))
            case (
                facts.Guarded()
                | facts.Recorded()
                | facts.NodeDelayed()
                | facts.Chosen()
                | facts.SleepBegan()
                | facts.ItemsListed()
                | facts.RoundBegan()
                | facts.RoundDone()
                | facts.RoundFailed()
                | facts.RoundGaveUp()
                | facts.NodeSkipped()
                | facts.NodeStopped()
                | facts.NodeGaveUp()
                | facts.NodeStuck()
                | facts.UndoLeft()
                | facts.NodeKept()
                | facts.NodeSettled()
            ):
                self._tell_of_node(fact)
            case (
                facts.ChildStarted()
                | facts.ChildEnded()
                | facts.ChildMoved()
                | facts.ChildRefused()
                | facts.ChildCancelled()
            ):
                self._tell_of_child(fact)
            case _:
                self._tell_of_run(fact)

    # Attempts ---------------------------------------------------------------------------------

    def _begin(self, path: str, direction: Direction, attempt: int) -> None:
        position = len(self._entries)
        self._at_work[path, direction] = self._latest[path] = position
        generation = self.state.nodes[self.state.positions[path]].generation
        self._entries.append(
            Attempted(
                node=path,
                direction=direction,
                function=self._function(path, direction),
                attempt=attempt,
                generation=generation,
                key=self._key(path, direction, generation),
                began=as_datetime(self._now),
            )
        )

    def _function(self, path: str, direction: Direction) -> str:
        node = self.state.graph[self.state.positions[path]]
        remedy = {"do": None, "undo": node.undo, "compensate": node.compensate}[direction]
        current = self.state.nodes[self.state.positions[path]]
        if direction == "undo" and current.phase is Phase.CHILD_UNDOING:
            return current.child or node.function
        return node.function if remedy is None else remedy.function

    def _key(self, path: str, direction: Direction, generation: int) -> str | None:
        """Return the key that the function could be given: only what reaches outside has one."""
        node = self.state.graph[self.state.positions[path]]
        undo = node.undo if direction == "undo" else None
        is_local = node.kind is not Kind.STEP if undo is None else undo.local
        if is_local:
            return None
        way: Literal["do", "undo"] = "undo" if direction == "undo" else "do"
        is_kept = self.state.lifecycle is None
        run = (self._row.key if is_kept else None) or self._row.run
        return effect_key(self._row.workflow, run, path, way, generation=generation)

    def _tell_outcome(self, fact: Outcome) -> None:
        match fact:
            case facts.NodeDone():
                self._end(fact.node, "do", Ending.DONE)
            case facts.NodeFailed():
                self._end(fact.node, "do", _ending_of(fact.failure), failure=fact.failure)
            case facts.CompletionAwaited():
                self._end(fact.node, "do", Ending.AWAITING)
            case facts.EffectUnrecorded():
                self._end(fact.node, "do", Ending.UNRECORDED, failure=fact.failure)
                self.notes[fact.node] = "it happened, and its result is not on record"
            case facts.NodeRefused() if (fact.node, "do") in self._at_work:
                self._end(fact.node, "do", Ending.REFUSED, failure=fact.failure)
            case facts.NodeRefused():
                self._add(Happening.REFUSED, f"{fact.failure}", fact.node, failure=fact.failure)
            case facts.VerdictGiven():
                answer = words.verdict(fact.verdict)
                self._end(fact.node, "compensate", Ending.ANSWERED, verdict=answer)
            case facts.CompensateFailed():
                self._end(fact.node, "compensate", Ending.FAILED, failure=fact.failure)
            case facts.UndoDone() if (fact.node, "undo") in self._at_work:
                self._end(fact.node, "undo", Ending.DONE)
            case facts.UndoDone():
                # It was the child that was undone, and there was nothing else.
                self.undo_ended[fact.node] = self._now
            case facts.UndoFailed():
                self._end(fact.node, "undo", _ending_of(fact.failure), failure=fact.failure)
            case _:
                assert_never(fact)

    # Any: the fields of an attempt, each with its own type.
    def _end(self, path: str, direction: Direction, ending: Ending, **fields: Any) -> None:
        if direction == "undo":
            self.undo_ended[path] = self._now
        else:
            self.ended[path] = self._now
        position = self._at_work.pop((path, direction), None)
        if position is None:
            # A value or a flag: it is computed within the turn, and its beginning is no fact.
            self._tell_computed(path, fields.get("failure"))
            return
        attempt = self._entries[position]
        assert isinstance(attempt, Attempted), "an event has no end"
        ended = as_datetime(self._now)
        took = ended - attempt.began
        self._change(position, ended=ended, took=took, ending=ending, **fields)

    def _tell_computed(self, path: str, failure: Failure | None) -> None:
        node = self.state.graph[self.state.positions[path]]
        if failure is None:
            what = Happening.NOTED if node.kind is Kind.NOTE else Happening.COMPUTED
            self._add(what, self._ended_well(node), path)
            return
        text = f"{words.uncomputed(node)}: {failure}"
        self._add(Happening.FAILED, text, path, failure=failure)

    def _ended_well(self, node: Node) -> str:
        """Say what it means that a node without a body of its own has its result."""
        match node.kind:
            case Kind.NOTE:
                noted = words.noted(self.state.results[self.state.positions[node.path]])
                self.notes[node.path] = noted
                return f"is {noted}"
            case Kind.SLEEP:
                took = as_datetime(self._now) - as_datetime(self._slept_from[node.path])
                self.notes[node.path] = f"slept {words.slept(took)}"
                return self.notes[node.path]
            case _:
                return words.computed(node, self.state)

    def _tell_of_child(self, fact: OfChildren) -> None:
        path = fact.node
        is_child = self.state.graph[self.state.positions[path]].kind is Kind.CHILD
        match fact:
            case facts.ChildStarted() if is_child:
                self._begin(path, "do", self.state.nodes[self.state.positions[path]].attempt)
            case facts.ChildStarted():
                self._end(path, "do", Ending.DONE)
            case facts.ChildEnded() if (path, "undo") in self._at_work:
                self._end(path, "undo", Ending.DONE)
            case facts.ChildEnded() if (path, "do") in self._at_work:
                is_done = fact.status is EndStatus.COMPLETED
                self._end(path, "do", Ending.DONE if is_done else Ending.FAILED)
            case _:
                pass
        self._add(Happening.CHILD, words.of_child(fact), path)

    # A node ------------------------------------------------------------------------------------

    def _tell_of_node(self, fact: OfNode) -> None:
        path = fact.node
        match fact:
            case facts.Guarded() | facts.NodeDelayed() | facts.Recorded():
                self._tell_on_the_way(fact)
            case (
                facts.Chosen()
                | facts.SleepBegan()
                | facts.ItemsListed()
                | facts.RoundBegan()
                | facts.RoundDone()
                | facts.RoundFailed()
                | facts.RoundGaveUp()
            ):
                self._tell_of_flow(fact)
            case facts.NodeSkipped():
                why = words.skipped_because(fact.reason)
                if bytes(fact.instead) != b"null":
                    why = f"{why}, and something else is its result"
                self._conclude(path, Happening.SKIPPED, f"skipped: {why}", note=why)
            case facts.NodeStopped():
                if (path, "do") in self._at_work:
                    self._end(path, "do", Ending.STOPPED)
                else:
                    is_alone = self.state.is_in_failing_round(self.state.positions[path])
                    whole = "its round" if is_alone else "the run"
                    self._conclude(path, Happening.STOPPED, f"not tried again: {whole} goes back")
            case facts.NodeGaveUp():
                self._conclude(path, Happening.GAVE_UP, "definitely failed: nothing of it is left")
            case facts.NodeStuck():
                why = "nobody can say whether it happened"
                text = f"{why}, and nothing more can be asked or tried"
                self._conclude(path, Happening.STUCK, text, note=why)
            case facts.UndoLeft():
                why = "its undo gave up, and it still stands"
                if (path, "undo") in self._at_work:
                    failure = self.state.nodes[self.state.positions[path]].undo_failure
                    self._end(path, "undo", Ending.FAILED, failure=failure)
                self._add(Happening.LEFT, why, path)
                self.notes[path] = why
            case facts.NodeKept():
                why = words.kept_because(self.state.graph[self.state.positions[path]])
                self._add(Happening.KEPT, f"stays done: {why}", path)
                self.notes[path] = why
            case facts.NodeSettled():
                self._tell_settlement(fact)
            case _:
                assert_never(fact)

    def _tell_on_the_way(self, fact: facts.Guarded | facts.NodeDelayed | facts.Recorded) -> None:
        if isinstance(fact, facts.NodeDelayed) and (fact.node, fact.direction) in self._at_work:
            self._end(fact.node, fact.direction, Ending.STOPPED)
        self._add(*words.on_the_way(fact), fact.node)

    def _tell_of_flow(self, fact: OfFlow) -> None:
        path = fact.node
        match fact:
            case facts.Chosen():
                self._add(Happening.CHOSEN, f"takes the case {fact.case}", path)
                self._note_dropped(self.state.positions[path], fact.case)
            case facts.SleepBegan():
                self._slept_from[path] = self._now
                until = as_datetime(fact.due)
                self._add(Happening.ASLEEP, f"sleeps until {until:%Y-%m-%d %H:%M:%S}", path)
            case facts.RoundFailed():
                text = words.of_rounds(fact, self.state)
                self._add(Happening.FAILED, text, path, failure=fact.failure)
            case _:
                text = words.of_rounds(fact, self.state)
                if text:
                    self._add(Happening.ROUNDS, text, path)

    def _tell_of_mail(self, fact: OfMail) -> None:
        path = told_of(fact, self.state, self.ended)
        what, text = of_mail(fact, is_wanted=path is not None)
        self._add(what, text, path)
        if path is not None and not isinstance(fact, facts.WaitBegan) and not self.state.lifecycle:
            self.ended[path] = self._now
            self.notes[path] = text

    def _note_dropped(self, switch: int, chosen: str) -> None:
        """Note of every node in the other branches, and of what branches off there, why."""
        for case in self.state.graph[switch].cases:
            if case.label == chosen:
                continue
            for index in self.state.branches[switch, case.label]:
                self.notes[self.state.graph[index].path] = f"the case is {chosen}"
                self._note_dropped(index, chosen)

    def _tell_settlement(self, fact: facts.NodeSettled) -> None:
        path, found = fact.node, words.settlement(fact.settlement)
        reason = f" ({fact.reason})" if fact.reason else ""
        text = f"settled by {fact.actor}, {found}{reason}"
        self._add(Happening.SETTLED, text, path, actor=fact.actor, reason=fact.reason)
        self.notes[path] = text
        match fact.settlement:
            case ItHappened() | ItDidNotHappen():
                self.ended[path] = self._now
            case UndoneByHand() | Kept():
                self.undo_ended[path] = self._now
            case _:
                assert_never(fact.settlement)

    def _conclude(self, path: str, what: Happening, text: str, *, note: str = "") -> None:
        self.ended[path] = self._now
        self._add(what, text, path)
        if note:
            self.notes[path] = note

    def _tell_doubt(self, path: str) -> None:
        """Add that a node has come to be in doubt, or is so no more."""
        current = self.state.nodes[self.state.positions[path]]
        # What happened and is not on record is settled by a person, but no question is open.
        is_open = current.doubt and current.phase is not Phase.UNRECORDED
        self._open_or_resolve(
            path, "do", is_open=is_open, did_happen=current.phase is Phase.DONE, of="it"
        )
        is_undone = current.phase is Phase.UNDONE
        self._open_or_resolve(
            path,
            "undo",
            is_open=current.undo_doubt and not is_undone,
            did_happen=is_undone,
            of="its undo",
        )

    def _open_or_resolve(
        self, path: str, direction: Direction, *, is_open: bool, did_happen: bool, of: str
    ) -> None:
        was_open = (path, direction) in self._doubts
        if is_open and not was_open:
            self._doubts.add((path, direction))
            self._add(Happening.DOUBT_OPENED, f"in doubt: {of} may or may not have happened", path)
        elif was_open and not is_open:
            self._doubts.remove((path, direction))
            answer = f"{of} did happen" if did_happen else f"nothing of {of} is left"
            self._add(Happening.DOUBT_RESOLVED, f"no longer in doubt: {answer}", path)

    # People -------------------------------------------------------------------------------------

    def _tell_of_people(self, fact: OfPeople) -> None:
        if isinstance(fact, facts.ControlAnswered):
            self._change(self._asked[fact.post], answer=fact.answer.value)
            return
        told = of_people(fact)
        if isinstance(fact, facts.Request | facts.CompletionGiven):
            self._asked[fact.post] = len(self._entries)
        if isinstance(fact, facts.AttemptsGranted):
            self.notes.pop(fact.node or "", None)
        self._add(told.what, told.text, told.node, actor=told.actor, reason=told.reason)

    # The run ------------------------------------------------------------------------------------

    def _tell_of_run(self, fact: OfRun) -> None:
        match fact:
            case facts.RunStarted(deadline=deadline):
                self._add(Happening.STARTED, words.start(deadline))
            case facts.Claimed():
                self._tell_claim(fact.claims)
            case facts.MovedOn(fingerprint=fingerprint):
                self._add(Happening.MOVED_ON, f"goes on under another definition, {fingerprint}")
            case facts.DeadlinePassed():
                self._add(Happening.DEADLINE_PASSED, "the run's deadline passed")
            case facts.RollbackBegan():
                self._add(Happening.ROLLBACK_BEGAN, f"goes back: {words.cause(fact.cause)}")
            case facts.Returned(failure=failure):
                if failure is not None:
                    text = f"its value cannot be built: {failure}"
                    self._add(Happening.FAILED, text, failure=failure)
            case facts.Parked():
                text = f"parked, {fact.reason.value}: {words.park_reason(fact.reason)}"
                self._add(Happening.PARKED, text)
            case facts.RunEnded():
                self._add(Happening.ENDED, words.end(fact))
            case _:
                assert_never(fact)

    def _tell_claim(self, claims: int) -> None:
        text = f"taken up by another worker, claim {claims} since there was progress"
        self._add(Happening.CLAIMED, text)
        for (path, direction), position in [*self._at_work.items()]:
            # What is under way in a child goes on: it has a worker of its own.
            if self.state.nodes[self.state.positions[path]].phase not in _IN_CHILDREN:
                self._change(position, ending=Ending.INTERRUPTED)
                del self._at_work[path, direction]

    # The story ----------------------------------------------------------------------------------

    # Any: the fields of an event, each with its own type.
    def _add(self, what: Happening, text: str, path: str | None = None, **fields: Any) -> None:
        at = as_datetime(self._now)
        self._entries.append(Happened(at=at, what=what, node=path, text=text, **fields))

    def _change(self, position: int, **fields: Any) -> None:  # Any: as above
        self._entries[position] = replace(self._entries[position], **fields)


_IN_CHILDREN = WITH_CHILD | {Phase.CHILD_PARKED}


def _ending_of(failure: Failure) -> Ending:
    return Ending.IN_DOUBT if failure.kind is FailureKind.IN_DOUBT else Ending.FAILED

"""What is durable of one run, read from its facts alone, and which rules they break.

It reads the JSON as it is stored and shares no code with what decides. The words of the facts are
all that it knows of the product.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

import msgspec

from tests.simulation.outside import LOOK_UP, QUERY, TAKES_BACK

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["UNDO_OF", "Ledger"]

UNDO_OF = {done: undo for undo, done in TAKES_BACK.items()}
"""What takes each effect back; all others stay."""
_PURE = frozenset({"price", "expect", QUERY})
"""What has no effect outside, and so nothing to undo."""
_PIVOT = "issue"
_ATTEMPTS = 3
_FINAL = frozenset({"completed", "failed", "cancelled"})
_STILL = frozenset(
    {
        "control_answered",
        "cancel_requested",
        "undo_requested",
        "claimed",
        "moved_on",
        "rollback_began",
    }
)
"""What may be recorded of a run that has ended or is parked."""


class Ledger:
    """One run, as somebody would know it who can only read the journal."""

    def __init__(self, workflow: str, broken: Callable[[str, str], None]) -> None:
        self.workflow = workflow
        self.begun: set[str] = set()
        """Everything outside that there is a durable intent for: operations, undos, look-ups."""
        self.running: set[str] = set()
        self.asking: set[str] = set()
        self.undoing: set[str] = set()
        self.waiting: set[str] = set()
        """What is to be tried again when its time has come."""
        self.open: set[str] = set()
        """What was begun and has neither a result nor a definite end."""
        self.done: list[str] = []
        """Effects that stand, in the order of their recorded completion."""
        self.undone: list[str] = []
        self.kept: list[str] = []
        self.left: list[str] = []
        self.stuck: list[str] = []
        self.unrecorded: list[str] = []
        self.gave_up: list[str] = []
        self.skipped: dict[str, str] = {}
        self.results: dict[str, Any] = {}  # Any: JSON.
        self.attempts: Counter[str] = Counter()
        self.asked: dict[int, str] = {}
        self.answers: dict[int, str] = {}
        self.rolling_back: str | None = None
        self.parked: str | None = None
        self.ended: tuple[str, str | None, str] | None = None
        self.settled: list[tuple[str, str | None, str | None]] = []
        """Every end that it has had, and every reason for which it was parked."""
        self.seen: Counter[str] = Counter()
        """How often each kind of fact was recorded, and some of them in more detail."""
        self._broken = broken

    @property
    def is_settled(self) -> bool:
        """Whether nothing happens any more unless somebody asks."""
        return self.parked is not None or self.ended is not None

    def read(self, facts: bytes) -> list[str]:
        """Take the facts of one append, and return them in words."""
        recorded: list[dict[str, Any]] = msgspec.json.decode(facts)  # Any: JSON.
        for fact in recorded:
            kind: str = fact["type"]
            self.seen[kind] += 1
            if self.is_settled and kind not in _STILL:
                self._broken("what has ended stays ended", f"{kind} of {self.workflow}")
            read = _READS.get(kind)
            if read is not None:
                read(self, fact)
        together = {fact["type"] for fact in recorded}
        if "cancel_requested" in together and len(recorded) > 2:
            for other in ("run_ended", "node_done"):
                self.seen[f"cancel and {other} at once"] += other in together
        return [_in_words(fact) for fact in recorded]

    # Forward ------------------------------------------------------------------------------------

    def _node_started(self, fact: dict[str, Any]) -> None:
        node = fact["node"]
        if node in self.running | self.asking or node in self.results:
            self._broken("nothing is begun twice at once", f"{node} of {self.workflow}")
        if self.rolling_back is not None and node not in self.open:
            self._broken("nothing new begins on the way back", f"{node} of {self.workflow}")
        self.attempts[node] += 1
        self.begun.add(node)
        self.open.add(node)
        self.running.add(node)
        self.waiting.discard(node)

    def _node_done(self, fact: dict[str, Any]) -> None:
        self._complete(fact["node"], fact["result"])

    def _complete(self, node: str, result: object) -> None:
        if node in self.results:
            self._broken("what is recorded is never recorded anew", f"{node} of {self.workflow}")
        self.results[node] = result
        self._leave(node)
        self.open.discard(node)
        if node not in _PURE and not node.startswith("expect"):
            self.done.append(node)

    def _leave(self, node: str) -> None:
        self.running.discard(node)
        self.asking.discard(node)
        self.waiting.discard(node)

    def _node_failed(self, fact: dict[str, Any]) -> None:
        self._leave(fact["node"])

    def _effect_unrecorded(self, fact: dict[str, Any]) -> None:
        self._leave(fact["node"])
        self.unrecorded.append(fact["node"])

    def _retry_scheduled(self, fact: dict[str, Any]) -> None:
        self.waiting.add(fact["node"])

    def _definite(self, fact: dict[str, Any]) -> None:
        self._leave(fact["node"])
        self.open.discard(fact["node"])
        if fact["type"] == "node_gave_up":
            self.gave_up.append(fact["node"])

    def _node_skipped(self, fact: dict[str, Any]) -> None:
        self._definite(fact)
        self.skipped[fact["node"]] = fact["reason"]
        self.seen[f"skipped: {fact['reason']}"] += 1

    def _node_stuck(self, fact: dict[str, Any]) -> None:
        self._leave(fact["node"])
        self.stuck.append(fact["node"])
        self.seen[f"stuck: {fact['node']}"] += 1
        if self.attempts[fact["node"]] < _ATTEMPTS and fact["node"] == "charge":
            self.seen["stuck: its key is forgotten"] += 1

    # Doubt --------------------------------------------------------------------------------------

    def _compensate_started(self, fact: dict[str, Any]) -> None:
        self._leave(fact["node"])
        self.begun.add(LOOK_UP + fact["node"])
        self.asking.add(fact["node"])

    def _verdict_given(self, fact: dict[str, Any]) -> None:
        verdict = fact["verdict"]
        self.seen[f"verdict: {verdict['type']}"] += 1
        if verdict["type"] == "proceed":
            self._complete(fact["node"], verdict["result"])
        else:
            self._leave(fact["node"])

    def _claimed(self, _fact: dict[str, Any]) -> None:
        self.running.clear()
        self.asking.clear()
        self.undoing.clear()

    # Back ---------------------------------------------------------------------------------------

    def _rollback_began(self, fact: dict[str, Any]) -> None:
        if _PIVOT in self.results:
            self._broken("behind the pivot nothing is undone", self.workflow)
        is_reversed = fact["cause"] == "reversed"
        if self.rolling_back is not None or is_reversed != (self.ended is not None):
            self._broken("what has ended stays ended", f"{self.workflow} goes back again")
        if self.ended is not None and self.ended[0] != "completed":
            self._broken("what has ended stays ended", f"{self.workflow} goes back again")
        self.rolling_back = fact["cause"]
        self.ended = None

    def _undo_started(self, fact: dict[str, Any]) -> None:
        node = fact["node"]
        self._may_go_back(node)
        if self.undoing:
            self._broken("one undo at a time", f"{node} and {self.undoing} of {self.workflow}")
        self.begun.add(UNDO_OF[node])
        self.undoing.add(node)
        self.waiting.discard(node)

    def _undo_done(self, fact: dict[str, Any]) -> None:
        self._may_go_back(fact["node"])
        self.undoing.discard(fact["node"])
        self._take(fact["node"], self.undone)

    def _undo_failed(self, fact: dict[str, Any]) -> None:
        self.undoing.discard(fact["node"])

    def _undo_left(self, fact: dict[str, Any]) -> None:
        self._may_go_back(fact["node"])
        self._take(fact["node"], self.left)

    def _node_kept(self, fact: dict[str, Any]) -> None:
        self._may_go_back(fact["node"])
        if fact["node"] in UNDO_OF:
            self._broken("everything done is undone", f"{fact['node']} of {self.workflow} is kept")
        self._take(fact["node"], self.kept)

    def _take(self, node: str, to: list[str]) -> None:
        if node in self.done:
            self.done.remove(node)
        to.append(node)

    def _may_go_back(self, node: str) -> None:
        if self.rolling_back is None:
            self._broken("only a rollback undoes", f"{node} of {self.workflow}")
        if self.running or self.asking or self.open:
            doubtful = sorted(self.running | self.asking | self.open)
            self._broken("nothing is undone in doubt", f"{node}, {doubtful} of {self.workflow}")
        if self.done[-1:] != [node]:
            self._broken("undone in reverse order", f"{node} of {self.done} of {self.workflow}")

    # The run ------------------------------------------------------------------------------------

    def _requested(self, fact: dict[str, Any]) -> None:
        self.asked[fact["post"]] = fact["type"].removesuffix("_requested")

    def _control_answered(self, fact: dict[str, Any]) -> None:
        post, answer = fact["post"], fact["answer"]
        if post not in self.asked or post in self.answers:
            self._broken("every request is answered once", f"post {post} of {self.workflow}")
        self.answers[post] = answer
        self.seen[f"{self.asked.get(post)}: {answer}"] += 1
        had_ended = bool(self.settled) and self.settled[-1][0] in _FINAL
        if answer == "too late" and not had_ended:
            self._broken("an answer is true", f"too late, and {self.workflow} is at work")

    def _parked(self, fact: dict[str, Any]) -> None:
        self.parked = fact["reason"]
        self.settled.append(("parked", self.rolling_back, self.parked))
        self.seen[f"parked: {self.parked}"] += 1

    def _run_ended(self, fact: dict[str, Any]) -> None:
        self.ended = (fact["status"], fact["cause"], fact["rollback"])
        self.settled.append((fact["status"], fact["cause"], fact["rollback"]))
        self.seen[f"ended: {fact['status']}, {fact['cause']}, {fact['rollback']}"] += 1
        if self.running or self.asking or self.undoing or self.open:
            self._broken("nothing is at work at the end", self.workflow)
        if fact["status"] != "completed" and (self.done or self.left):
            self._broken("everything done is undone", f"{self.done} of {self.workflow}")


def _in_words(fact: dict[str, Any]) -> str:  # Any: JSON.
    words = [fact[name] for name in ("node", "reason", "answer", "status", "cause") if name in fact]
    if fact.get("failure"):
        words.append(fact["failure"]["kind"])
    if "verdict" in fact:
        words.append(fact["verdict"]["type"])
    return f"[{' '.join(map(str, [fact['type'], *words]))}]"


_READS = {
    "node_started": Ledger._node_started,
    "node_done": Ledger._node_done,
    "node_failed": Ledger._node_failed,
    "effect_unrecorded": Ledger._effect_unrecorded,
    "retry_scheduled": Ledger._retry_scheduled,
    "node_gave_up": Ledger._definite,
    "node_stopped": Ledger._definite,
    "node_skipped": Ledger._node_skipped,
    "node_stuck": Ledger._node_stuck,
    "compensate_started": Ledger._compensate_started,
    "verdict_given": Ledger._verdict_given,
    "compensate_failed": Ledger._node_failed,
    "compensate_retry_scheduled": Ledger._retry_scheduled,
    "claimed": Ledger._claimed,
    "rollback_began": Ledger._rollback_began,
    "undo_started": Ledger._undo_started,
    "undo_done": Ledger._undo_done,
    "undo_failed": Ledger._undo_failed,
    "undo_retry_scheduled": Ledger._retry_scheduled,
    "undo_left": Ledger._undo_left,
    "node_kept": Ledger._node_kept,
    "cancel_requested": Ledger._requested,
    "undo_requested": Ledger._requested,
    "control_answered": Ledger._control_answered,
    "parked": Ledger._parked,
    "run_ended": Ledger._run_ended,
}

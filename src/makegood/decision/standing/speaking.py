"""What does a run know of others? Those that it has called, and the messages between them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from makegood.decision.happening.of_run import Beginning

if TYPE_CHECKING:
    from makegood.decision.happening.of_children import Parent
    from makegood.decision.happening.of_mail import MessageSent
    from makegood.values.ids import RunId

__all__ = ["Family", "Mailbox"]


class Family:
    """What a run knows of the run that called it, and of those that it has called."""

    __slots__ = (
        "beginning",
        "child_has_moved",
        "children",
        "depth",
        "parent",
        "parents_posts",
        "root",
        "subject",
    )

    def __init__(self) -> None:
        self.subject: str | None = None
        """Whom the run is about, and so all that it calls."""
        self.parent: Parent | None = None
        self.root: RunId | None = None
        """The run with which its tree began; None: itself."""
        self.beginning: Beginning | None = None
        """What the run came of, where there is more to say than its parent and its root do."""
        self.depth: int = 0
        """In how many runs it stands."""
        self.children: list[int] = []
        """Nodes that wait for what a child says."""
        self.child_has_moved: bool = False
        """A child has said something since this run was parked."""
        self.parents_posts: list[int] = []
        """Which of the requests are the parent's, by the numbers of their posts."""

    def correlation_of(self, run: RunId) -> str:
        """Return what the run shares with everything that came of one beginning."""
        beginning = self.beginning
        said = None if beginning is None else beginning.correlation
        return said or self.root or run

    def handed_on(self, run: RunId) -> Beginning | None:
        """Return what is said of the beginning of a run that this one calls, or None."""
        beginning = self.beginning
        if beginning is None:
            return None
        return Beginning(
            correlation=self.correlation_of(run), causation=run, tenant=beginning.tenant
        )


class Mailbox:
    """What a run waits for, what it was given too late, and what it holds back."""

    __slots__ = ("claimed", "claims", "held_back", "unwanted", "waits")

    def __init__(self) -> None:
        self.waits: dict[tuple[str, str], list[int]] = {}
        """Nodes that wait for a message, by its class and key, the first one first."""
        self.claims: dict[int, str] = {}
        """What the last claim of each node was named that has waited to hold a key."""
        self.claimed: dict[str, None] = {}
        """The keys that the run has claimed: it lets go of them when it ends."""
        self.unwanted: set[str] = set()
        """The ids of messages for which the run did not wait any more when they came."""
        self.held_back: list[MessageSent] = []
        """What goes out when the run completes, and not before."""

"""What one call of a step's function sends: collected while its body is at work.

It is part of the arrival by which the call is recorded as done, and of no other one: what failed,
or is in doubt, has sent nothing. Its messages are named by the idempotency key of the effect, so
whatever is done once more under that key sends the same messages again, which are known then.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from makegood.errors import DefinitionError, InvalidInput, MakegoodError
from makegood.runtime.emitting.origin import origin_of
from makegood.runtime.receiving.context import with_context
from makegood.runtime.receiving.outbox import Outbox

if TYPE_CHECKING:
    from datetime import timedelta

    from makegood.decision.state import RunState
    from makegood.runtime.calling.jobs import Job
    from makegood.runtime.shell import Shell
    from makegood.values.envelope import Envelope, Origin

__all__ = ["Emission"]


class Emission:
    """Implements `Emit` for one call of a step's function, its undo or its compensate.

    `key` is the idempotency key of the effect; a compensate has that of the body, in whose place
    it speaks.
    """

    __slots__ = ("_job", "_outbox", "_shell", "_state", "refused")

    def __init__(self, job: Job, state: RunState, shell: Shell, *, key: str) -> None:
        self._job = job
        self._state = state
        self._shell = shell
        self.refused: MakegoodError | None = None
        """Why the last message that could not be sent could not."""
        self._outbox = Outbox(
            job.path,
            job.bound.sends,
            calls=False,
            key=key,
            source=shell.config.message_source,
            origin=self._origin,
            now=shell.clock.now,
        )

    def __call__(
        self, message: object, /, *, key: str | None = None, after: timedelta | None = None
    ) -> None:
        """Send a message; see `Emit`."""
        try:
            self._require_sendable(message)
            self._outbox(message, key=key, after=after)
        except MakegoodError as error:
            self.refused = error
            raise

    @property
    def messages(self) -> tuple[Envelope, ...]:
        """What goes out when the call is recorded as done."""
        return tuple(self._outbox.messages)

    def _require_sendable(self, message: object) -> None:
        path, kind = self._job.path, type(message)
        if self._job.is_reported:
            late = f"`{path}` cannot send a `{kind.__qualname__}`: its attempt is over"
            raise InvalidInput(late)
        if kind not in self._job.bound.sends:
            undeclared = (
                f"`{path}` sends a `{kind.__qualname__}`, which its Emit[…] does not name; add it "
                "there"
            )
            raise DefinitionError(undeclared)

    def _origin(self) -> Origin:
        captured = self._shell.carriers.capture()
        return with_context(origin_of(self._state, self._job.run), captured)

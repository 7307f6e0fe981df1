"""Which exceptions a caller may catch, arranged by what the caller can do about them.

This module knows nothing of plans, journals or engines; every other layer raises from here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar, overload

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import timedelta

__all__ = [
    "BadSignature",
    "ControlRefused",
    "Declined",
    "DefinitionError",
    "EngineClosed",
    "HoldTimedOut",
    "InvalidInput",
    "KeyConflict",
    "MailboxFull",
    "MakegoodError",
    "ModelBehind",
    "NotAwaited",
    "NotPaused",
    "NotUndoable",
    "OutcomeUnknown",
    "PastPivot",
    "PayloadTooLarge",
    "QuorumMissed",
    "RemoteError",
    "RunCancelled",
    "RunEnded",
    "RunErased",
    "RunFailed",
    "RunParked",
    "ServiceError",
    "StepTimeout",
    "StoreBusy",
    "StoreError",
    "StoreFailed",
    "StoreFull",
    "StoreRefused",
    "TooDeep",
    "TransportDown",
    "Unavailable",
    "UnknownMessage",
    "UnknownRun",
    "UnknownToken",
    "UnreadableRun",
    "WaitTimedOut",
    "WritesRefused",
]

E = TypeVar("E", bound=BaseException)


class MakegoodError(Exception):
    """The root of every exception that makegood raises on purpose."""


# Fix the declaration ------------------------------------------------------------------------


class DefinitionError(MakegoodError):
    """A declaration is wrong: raised at import, with the place, the reason and the remedy.

    `problems` holds every problem that was found at once; the message joins them.
    """

    def __init__(self, *problems: str) -> None:
        super().__init__("\n".join(problems))
        self.problems: tuple[str, ...] = problems


class ServiceError(MakegoodError):
    """A service that a step needs is missing or ambiguous: raised by `Engine.serve`."""


# Fix the call -------------------------------------------------------------------------------


class InvalidInput(MakegoodError, ValueError):
    """An input is missing, unknown or not of the declared type; nothing was written."""


class BadSignature(MakegoodError):
    """What came is not signed by whom it says that it is from; nothing was stored."""


class PayloadTooLarge(InvalidInput):
    """A value is larger, once encoded, than the limit allows; nothing was written."""


class KeyConflict(MakegoodError):
    """The key was used before with another input; nothing was written."""


class TooDeep(MakegoodError):
    """A workflow is called within more runs than may stand in one another; it was not begun."""


class UnknownMessage(InvalidInput):
    """No workflow that is served waits for a message of this class; nothing was sent."""


class MailboxFull(MakegoodError):
    """As many messages as may be kept for one class and key wait already; nothing was sent."""


class UnknownRun(MakegoodError, LookupError):
    """No run with that id is in the journal."""


class UnknownToken(MakegoodError, LookupError):
    """No step was ever given that token, or not for what it does now."""


class UnreadableRun(MakegoodError):
    """What is recorded of the run cannot be read: another version wrote it, or it is damaged."""


class NotAwaited(MakegoodError):
    """The step does not wait to be completed from outside; `state` says where it stands."""

    def __init__(self, message: str, *, state: str) -> None:
        super().__init__(message)
        self.state: str = state


class ControlRefused(MakegoodError):
    """What was asked of the run cannot be done as it stands.

    The message says why, and what to do; `answer` is the same in a word.
    """

    def __init__(self, message: str, *, answer: str) -> None:
        super().__init__(message)
        self.answer: str = answer


class NotUndoable(ControlRefused):
    """The run cannot be undone or cancelled as it stands."""


class NotPaused(MakegoodError):
    """Nothing is paused under that name, so there is nothing to resume."""


class PastPivot(NotUndoable):
    """The run has passed its pivot: it only goes forward and nothing is undone any more."""


# What a step says about the outside world ---------------------------------------------------


class Unavailable(MakegoodError):
    """Nothing happened and trying again may help: the step is retried under its policy.

    `retry_after` is what the other side asked for; it is honoured up to the policy's cap.
    """

    def __init__(self, message: str = "", *, retry_after: timedelta | None = None) -> None:
        super().__init__(message)
        self.retry_after: timedelta | None = retry_after


class ModelBehind(Unavailable):
    """A read model does not have yet what was asked for: ask again later.

    It is being built, or has not folded a message within the time given, or never will before a
    person has looked at a dead letter; the message says which.
    """


class StepTimeout(Unavailable):
    """An attempt of something without outside effect took longer than its timeout."""


class WaitTimedOut(MakegoodError):
    """The message that a run has waited for did not come in time."""


class HoldTimedOut(MakegoodError):
    """Others have held a key until the time that a run would wait for it was over."""


class Declined(MakegoodError):
    """A definite no from the other side: nothing happened and the same request will not help.

    It is the only answer that settles a doubt left by an earlier attempt under the same key.
    """


class QuorumMissed(MakegoodError):
    """Fewer rounds of an each succeeded, or still can, than its policy asks for."""


class OutcomeUnknown(MakegoodError):
    """The effect may or may not have happened: the step is in doubt, never failed."""


# The store ----------------------------------------------------------------------------------


class TransportDown(MakegoodError):
    """A broker cannot be reached or has not answered; what was sent may have arrived.

    Sending it again under the same id is harmless.
    """


class StoreError(MakegoodError):
    """The journal cannot do what was asked."""


class StoreRefused(StoreError):
    """The journal will not be opened: not ours, newer than the code, read-only, on a network."""


class StoreBusy(StoreError):
    """Another process holds what is needed; trying again later may help."""


class StoreFull(StoreError):
    """There is no room left; what was acknowledged is intact and work goes on when there is."""


class StoreFailed(StoreError):
    """The store broke while writing: the engine is closed; start it again to recover."""


class WritesRefused(StoreError):
    """A statement of a step was refused: a constraint, bad SQL, or not the rows it expected."""


class EngineClosed(MakegoodError):
    """The engine is closed, or was never entered with `async with`."""


# How a run ended ----------------------------------------------------------------------------


class RemoteError(MakegoodError):
    """An error that was raised in another process or before a restart, as it was recorded."""

    def __init__(self, type_name: str, message: str, traceback: str = "") -> None:
        super().__init__(f"{type_name}: {message}" if message else type_name)
        self.type_name: str = type_name
        self.message: str = message
        self.traceback: str = traceback


class RunEnded(MakegoodError):
    """A run did not give its result. `errors` has the original error first, then each undo's.

    What failed in a run that it had called stands at the place of the step that called it.
    """

    def __init__(self, message: str, *, run: str, errors: Sequence[BaseException] = ()) -> None:
        super().__init__(message)
        self.run: str = run
        self.errors: tuple[BaseException, ...] = tuple(errors)

    @overload
    def find(self, kind: type[E]) -> E | RemoteError | None: ...
    @overload
    def find(self, kind: str) -> BaseException | None: ...
    def find(self, kind: type[BaseException] | str) -> BaseException | None:
        """Return the first error of a class, given as that or by its name; None: there is none.

        One that was raised in another process is a `RemoteError`, and is found by the name of its
        class, or of one that is derived from the class given and known here.
        """
        return next(iter(self.find_all(kind)), None)

    @overload
    def find_all(self, kind: type[E]) -> tuple[E | RemoteError, ...]: ...
    @overload
    def find_all(self, kind: str) -> tuple[BaseException, ...]: ...
    def find_all(self, kind: type[BaseException] | str) -> tuple[BaseException, ...]:
        """Return every error of a class, as `find` does, in their order."""
        if isinstance(kind, str):
            return tuple(error for error in self.errors if kind in _names_of(error))
        names = {_name_of(each) for each in _derived(kind)}
        return tuple(
            error
            for error in self.errors
            if isinstance(error, kind)
            or (isinstance(error, RemoteError) and error.type_name in names)
        )


class RunFailed(RunEnded):
    """The run failed, and all that it had done was undone."""


class RunCancelled(RunEnded):
    """The run was cancelled, or undone after it had completed."""


class RunErased(RunEnded):
    """However the run had ended, its values were erased since: there is nothing to return."""


class RunParked(RunEnded):
    """The run is parked: only a person may move it on. `left` says what is unresolved."""

    def __init__(
        self,
        message: str,
        *,
        run: str,
        errors: Sequence[BaseException] = (),
        left: Sequence[str] = (),
    ) -> None:
        super().__init__(message, run=run, errors=errors)
        self.left: tuple[str, ...] = tuple(left)


def _names_of(error: BaseException) -> set[str]:
    """Return the names by which an error is found: qualified, and the class's own."""
    if isinstance(error, RemoteError):
        return {error.type_name, error.type_name.rpartition(".")[2]}
    kinds = type(error).__mro__
    return {_name_of(kind) for kind in kinds} | {kind.__name__ for kind in kinds}


def _name_of(kind: type) -> str:
    return f"{kind.__module__}.{kind.__qualname__}"


def _derived(kind: type[BaseException]) -> list[type[BaseException]]:
    """Return a class and all that are derived from it and known in this process."""
    found = [kind]
    for each in found:
        found += each.__subclasses__()
    return found

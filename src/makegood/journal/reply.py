"""How the verdict on an append reaches whoever waits for it, without a detour.

An `asyncio.Future` calls back in a later turn of the event loop, once for each; six of them a
workflow were a tenth of an engine's work. A `Reply` calls back where it is given. It is otherwise
used like a future, and a store may as well return a future: `Pending` is what both can do.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Generic, Protocol, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

__all__ = ["Pending", "Reply", "given"]

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)


class Pending(Protocol[T_co]):
    """An outcome that is there, or will be."""

    def done(self) -> bool:
        """Say whether the outcome is there."""
        ...

    def result(self) -> T_co:
        """Return the outcome, or raise it when it is an error."""
        ...

    def exception(self) -> BaseException | None:
        """Return the error, or None when there is a result."""
        ...

    # Any: a future calls back with itself, whatever its own class is.
    def add_done_callback(self, callback: Callable[[Any], object], /) -> None:
        """Call back on the event loop with this object, once the outcome is there."""
        ...

    def __await__(self) -> Generator[Any, None, T_co]:
        """Wait for the outcome."""
        ...


class Reply(Generic[T]):
    """An outcome that calls back at once. Made and given on the event loop's thread."""

    __slots__ = ("_callback", "_error", "_is_done", "_result")

    _result: T
    """There once it was given: None may be one too, so it cannot stand for there being none."""

    def __init__(self) -> None:
        self._is_done = False
        self._error: BaseException | None = None
        self._callback: Callable[[Reply[T]], object] | None = None

    def give(self, outcome: T | BaseException) -> None:
        """Give the outcome; an exception is raised for whoever asks for the result."""
        assert not self._is_done, "an outcome is given once"
        if isinstance(outcome, BaseException):
            self._error = outcome
        else:
            self._result = outcome
        self._is_done = True
        callback, self._callback = self._callback, None
        if callback is not None:
            callback(self)

    def done(self) -> bool:
        """Say whether the outcome is there."""
        return self._is_done

    def result(self) -> T:
        """Return the outcome, or raise it when it is an error."""
        assert self._is_done, "the outcome is there"
        if self._error is not None:
            raise self._error
        return self._result

    def exception(self) -> BaseException | None:
        """Return the error, or None when there is a result."""
        return self._error

    def add_done_callback(self, callback: Callable[[Reply[T]], object], /) -> None:
        """Call back where the outcome is given, or now if it is there; one callback at most."""
        assert self._callback is None, "one waits for an append"
        if self._is_done:
            callback(self)
        else:
            self._callback = callback

    # Any: what is yielded is between the future and the event loop.
    def __await__(self) -> Generator[Any, None, T]:
        """Wait for the outcome."""
        if not self._is_done:
            given: asyncio.Future[None] = asyncio.get_running_loop().create_future()

            def wake(_reply: Reply[T]) -> None:
                if not given.done():
                    given.set_result(None)

            self.add_done_callback(wake)
            yield from given
        return self.result()


def given(outcome: T | BaseException) -> Reply[T]:
    """Return an outcome that is there already."""
    reply: Reply[T] = Reply()
    reply.give(outcome)
    return reply

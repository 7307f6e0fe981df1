"""When the shop's process is killed, and how it is started again on the same store.

The moments are drawn from the seed. Each life of the process may place a few more orders than the
one before it, so that work is left whenever it is killed: where there are more orders than kills,
the last ones are placed only when all kills have landed. This side never opens the store.
"""

from __future__ import annotations

import os
import select
import subprocess
import sys
import tempfile
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from makegood.cli.demo.shop import Day, Evening
from makegood.cli.demo.tally import Killed, Opened, ShopNews
from makegood.decision.retry import Chance
from makegood.errors import MakegoodError

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator, Sequence
    from typing import BinaryIO

    from makegood.cli.demo.tally import News, Tally

__all__ = [
    "Failed",
    "Moment",
    "Told",
    "keep_shop_through_crashes",
    "moments",
    "read_day",
    "write_told",
]

EARLY_SHARE = 0.25
"""How many of the kills wait for no order to end: most of them strike while the runs that the
last kill left are being taken up."""

OPEN_SECONDS = (0.0, 0.02)
"""How long the store is open at least before a kill, drawn from this: about as long as an order
takes that is alone."""

LONG_OPEN_SECONDS = (0.1, 0.2)
"""The same for every third kill. A run that finds its process dead again and again without having
got on is taken for the killer, and parked; so now and then there is time to get on."""

CLOSING_SECONDS_MAX = 20
"""How long the process may take to close in good order when a person interrupts it."""

LAST_WORDS_BYTES_MAX = 2_000
"""How much is told of what the process wrote before it failed."""

CHUNK_BYTES_MAX = 65_536


class Failed(msgspec.Struct, frozen=True, tag="failed"):
    """The shop could not be kept, and why."""

    reason: str


Told = ShopNews | Evening | Failed
"""What the process says, a line each."""


class Moment(msgspec.Struct, frozen=True, kw_only=True):
    """When a life of the process ends: once so many orders have ended and the time is up."""

    placed: int
    """How many orders of the sample may be placed by then."""
    ended: int
    """How many have ended, in all lives together: fewer than may be placed."""
    open_seconds: float
    """How long the store has been open."""


def moments(orders: int, crashes: int, *, seed: int) -> Sequence[Moment]:
    """Return when the process is killed, a moment for each crash."""
    chance = Chance(seed)
    found: list[Moment] = []
    before = 0
    for crash in range(1, crashes + 1):
        placed = max(1, orders * crash // (crashes + 1))
        is_early = chance.fraction("early", crash) < EARLY_SHARE
        ended = before + int(chance.fraction("ended", crash) * (placed - before))
        shortest, longest = OPEN_SECONDS if crash % 3 else LONG_OPEN_SECONDS
        found.append(
            Moment(
                placed=placed,
                ended=0 if is_early else min(ended, placed - 1),
                open_seconds=shortest + chance.fraction("open", crash) * (longest - shortest),
            )
        )
        before = placed
    return found


def keep_shop_through_crashes(
    day: Day, tally: Tally, hear: Callable[[News], None], *, clock: Callable[[], float]
) -> Evening:
    """Keep shop in a process that is killed as often as the tally says; the last one finishes.

    `hear` passes on to the tally. Raises `MakegoodError` when the shop cannot be kept.
    """
    began = clock()
    for moment in moments(tally.orders, tally.crashes, seed=day.seed):
        # Where all that may be placed has ended, one more gives the kill something to strike.
        placed = min(max(moment.placed, tally.ended + 1), tally.orders)
        with _living(msgspec.structs.replace(day, placed=placed)) as life:
            _hear_until(moment, life, tally, hear, clock=clock)
            life.kill()
            for told in life.last_words():
                _pass_on(told, hear)
        hear(Killed())
    with _living(day) as life:
        while True:
            for told in life.listen():
                if isinstance(told, Evening):
                    return msgspec.structs.replace(told, seconds=clock() - began)
                _pass_on(told, hear)


def read_day(line: bytes) -> Day:
    """Return the day that the process is asked for."""
    return msgspec.json.decode(line, type=Day, dec_hook=lambda _kind, text: Path(str(text)))


def write_told(told: Told) -> bytes:
    """Return what is told as a line."""
    return msgspec.json.encode(told) + b"\n"


def _hear_until(
    moment: Moment,
    life: _Life,
    tally: Tally,
    hear: Callable[[News], None],
    *,
    clock: Callable[[], float],
) -> None:
    """Hear what the process says until the moment has come."""
    opened: float | None = None
    while True:
        left = None
        if opened is not None and tally.ended >= moment.ended:
            left = opened + moment.open_seconds - clock()
            if left <= 0:
                return
        for told in life.listen(left):
            opened = clock() if isinstance(told, Opened) else opened
            _pass_on(told, hear)


def _pass_on(told: Told, hear: Callable[[News], None]) -> None:
    if isinstance(told, Failed):
        raise MakegoodError(told.reason)
    assert not isinstance(told, Evening), "only the last process places the last orders"
    hear(told)


@contextmanager
def _living(day: Day) -> Generator[_Life]:
    """Start a process that keeps shop, and leave none behind."""
    with tempfile.TemporaryFile() as errors:
        life = _Life(day, errors)
        try:
            yield life
        finally:
            life.end()


class _Life:
    """One process, and what it says."""

    def __init__(self, day: Day, errors: BinaryIO) -> None:
        self._errors = errors
        # In a group of its own, Ctrl-C in a terminal reaches this process alone, which passes
        # it on by ending the other's input.
        self._process = subprocess.Popen(
            [sys.executable, "-m", "makegood.cli.demo.child"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=errors,
            process_group=0,
        )
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._asks, self._answers = self._process.stdin, self._process.stdout.fileno()
        self._line = b""
        # A process that ended at once is found out by what it did not say.
        with suppress(BrokenPipeError):
            self._asks.write(msgspec.json.encode(day, enc_hook=str) + b"\n")
            self._asks.flush()

    def listen(self, seconds: float | None = None) -> Sequence[Told]:
        """Return what is said as soon as anything is, or nothing once the time is up."""
        ready, _, _ = select.select([self._answers], [], [], seconds)
        if not ready:
            return ()
        if not (chunk := os.read(self._answers, CHUNK_BYTES_MAX)):
            message = f"the shop's process ended by itself, with {self._process.wait()}"
            raise MakegoodError(f"{message}: {self._error()}")
        return self._told(chunk)

    def kill(self) -> None:
        """Kill the process by SIGKILL, of which it learns nothing."""
        self._process.kill()
        self._process.wait()

    def last_words(self) -> Iterator[Told]:
        """Yield what a killed process had said and nobody had read; half a line was not said."""
        while chunk := os.read(self._answers, CHUNK_BYTES_MAX):
            yield from self._told(chunk)

    def end(self) -> None:
        """Ask the process to close, give it some time, and end it if it takes longer."""
        with suppress(BrokenPipeError):
            self._asks.close()
        try:
            with suppress(subprocess.TimeoutExpired):
                self._process.wait(timeout=CLOSING_SECONDS_MAX)
        finally:
            self._process.kill()
            self._process.wait()
            if self._process.stdout is not None:
                self._process.stdout.close()

    def _told(self, chunk: bytes) -> Sequence[Told]:
        *lines, self._line = (self._line + chunk).split(b"\n")
        return [_told_type.decode(line) for line in lines]

    def _error(self) -> str:
        self._errors.seek(0, os.SEEK_END)
        self._errors.seek(max(0, self._errors.tell() - LAST_WORDS_BYTES_MAX))
        return self._errors.read().decode(errors="replace").strip()


_told_type = msgspec.json.Decoder[Told](Told)

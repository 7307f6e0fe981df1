"""Another engine, measured beside ours: installed on demand, in an environment of its own.

So nothing of it comes near makegood's own dependencies, and neither can slow the other down.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import msgspec

from benchmarks.measurement import Sample

__all__ = ["PEERS", "PeerSample", "PeerUnavailable", "install_peers", "measure_peer"]

PEERS = {"dbos": "benchmarks.peer_dbos"}
"""The module that measures each peer."""

_ROOT = Path(__file__).resolve().parent.parent
_INSTALL_SECONDS_MAX = 600
_MEASURE_SECONDS_MAX = 1_800


class PeerUnavailable(Exception):
    """The peers cannot be installed here, or the one that was asked for does not run."""


class PeerSample(msgspec.Struct, frozen=True, kw_only=True):
    """One repeat of a peer, and what it says of itself."""

    version: str
    settings: str
    """What its own connections to the database are set to."""
    seconds: float
    latencies_ms: tuple[float, ...]
    commits: int
    """The transactions that it committed, those that only read among them."""
    rss_mb: float

    @property
    def sample(self) -> Sample:
        """What is comparable with others."""
        return Sample(seconds=self.seconds, latencies_ms=self.latencies_ms, commits=self.commits)


def install_peers(
    folder: Path = _ROOT / ".venv" / "peers",
    requirements: Path = _ROOT / "benchmarks" / "peers.txt",
) -> Path:
    """Return the Python that has the peers; install them where they are not, or are others.

    Raises `PeerUnavailable` with what the installer said last.
    """
    python = folder / "bin" / "python"
    stamp = folder / "installed.txt"
    wanted = requirements.read_text(encoding="utf-8")
    if stamp.exists() and stamp.read_text(encoding="utf-8") == wanted:
        return python
    pip = (str(python), "-m", "pip", "--disable-pip-version-check", "--quiet")
    for command in (
        (sys.executable, "-m", "venv", "--clear", str(folder)),
        (*pip, "install", "--requirement", str(requirements)),
    ):
        finished = _run(command, timeout_seconds=_INSTALL_SECONDS_MAX)
        if finished.returncode != 0:
            reason = (finished.stderr.strip() or finished.stdout.strip()).splitlines()
            message = (
                f"the peers in {requirements.name} cannot be installed "
                f"({reason[-1] if reason else 'no reason was given'}); reach a package registry, "
                "or measure without --peer"
            )
            raise PeerUnavailable(message)
    stamp.write_text(wanted, encoding="utf-8")
    return python


def measure_peer(
    peer: str, python: Path, *, url: str, fails: bool, runs: int, clients: int, warmup: int
) -> PeerSample:
    """Measure one repeat of a peer, in a process of its own, on the database of a URL."""
    command = [str(python), "-m", PEERS[peer], "--url", url]
    for name, number in (("runs", runs), ("clients", clients), ("warmup", warmup)):
        command += [f"--{name}", str(number)]
    if fails:
        command.append("--fails")
    finished = _run(command, timeout_seconds=_MEASURE_SECONDS_MAX)
    if finished.returncode != 0:
        message = f"{peer} ended with status {finished.returncode}:\n{finished.stderr.strip()}"
        raise PeerUnavailable(message)
    return msgspec.json.decode(finished.stdout.splitlines()[-1], type=PeerSample)


def _run(
    command: list[str] | tuple[str, ...], *, timeout_seconds: float
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(  # noqa: S603 - commands that were made here
        command, cwd=_ROOT, capture_output=True, text=True, timeout=timeout_seconds, check=False
    )

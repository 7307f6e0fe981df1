"""A demonstration as a user performs it, and what must be true of every one."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

DEMO = [sys.executable, "-m", "makegood.cli", "demo"]
SECONDS_MAX = 110


def demo(*options: str, folder: Path | None = None) -> tuple[int, dict[str, Any], str]:
    """Run a demonstration in a folder; return its status, its JSON and what it told people."""
    ended = subprocess.run(
        [*DEMO, "--json", *options],
        capture_output=True,
        text=True,
        check=False,
        timeout=SECONDS_MAX,
        cwd=folder,
    )
    assert ended.stdout, ended.stderr
    return ended.returncode, json.loads(ended.stdout.splitlines()[-1]), ended.stderr


def check(report: dict[str, Any]) -> None:
    """Check what must be true of every report whose books agree."""
    ends = [report[name] for name in ("completed", "undone", "refused", "parked")]
    assert sum(ends) == report["orders"]
    assert report["captured_minor"] - report["refunded_minor"] == report["shipped_minor"]
    assert report["gateway_net_minor"] == report["shipped_minor"]
    assert [report[name] for name in ("holds_left", "stock_balance", "in_doubt")] == [0, 0, 0]
    assert report["books_agree"] is True


def begun(*options: str) -> subprocess.Popen[str]:
    """Start a demonstration and return it as soon as its process has been killed once."""
    process = subprocess.Popen(
        [*DEMO, *options], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    while "killed 1/" not in process.stdout.readline():
        assert process.poll() is None
    return process

"""`makegood keys` and `makegood http`: as a person and a real client meet them."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

import httpx2
import pytest

from makegood.cli.app import main
from makegood.cli.status import DONE, MISTAKE
from tests.source import ROOT

if TYPE_CHECKING:
    from collections.abc import Generator
    from pathlib import Path

FRONT = "tests.cli.serving.front"
SECONDS_MAX = 30.0
LISTENS = re.compile(r"answers at (http://127\.0\.0\.1:\d+)")


def made(keys: Path, *words: str) -> str:
    """Make a key as a person does, and return it."""
    told = subprocess.run(
        [sys.executable, "-m", "makegood.cli", "keys", "create", "--keys", str(keys), *words],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": f"{ROOT / 'src'}"},
        capture_output=True,
        check=True,
        text=True,
    )
    assert "this is shown once" in told.stderr
    return told.stdout.strip()


def test_a_key_is_shown_once_listed_and_revoked(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    keys = tmp_path / "keys.json"
    given = ["--keys", str(keys)]
    make = ["keys", "create", *given, "--name", "front", "--scope", "runs:read"]
    assert main([*make, "--scope", "runs:write", "--valid-for", "1d", "--json"]) == DONE
    told = json.loads(capsys.readouterr().out)

    assert main(["keys", "list", *given]) == DONE
    listed = capsys.readouterr().out
    assert told["id"] in listed
    assert "runs:read runs:write" in listed
    assert told["key"] not in listed
    assert main(["keys", "list", *given, "--json"]) == DONE
    (shown,) = json.loads(capsys.readouterr().out)["keys"]
    assert (shown["name"], "digest" in shown) == ("front", False)

    assert main(["keys", "revoke", told["id"], *given]) == DONE
    assert "is revoked" in capsys.readouterr().out
    assert main(["keys", "list", *given]) == DONE
    assert capsys.readouterr().out == "there are no keys\n"


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (["keys", "list"], "there is no file"),
        (["keys", "revoke", "0123456789ab"], "has no key"),
        (["keys", "create", "--name", "a", "--scope", "all"], "all is no scope"),
        (["http", f"{FRONT}:engine"], "nobody could ask"),
    ],
)
def test_what_cannot_be_is_a_mistake(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], words: list[str], why: str
) -> None:
    assert main([*words, "--keys", str(tmp_path / "keys.json")]) == MISTAKE
    assert why in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (["--port", "1"], "nothing can listen at"),
        (["--app", "tests.cli.serving.nowhere"], "cannot be imported"),
        (["--extension", f"{FRONT}:doubled"], "and no extension"),
    ],
)
@pytest.mark.real
def test_what_cannot_be_served_is_a_mistake(tmp_path: Path, words: list[str], why: str) -> None:
    keys = tmp_path / "keys.json"
    made(keys, "--name", "front", "--scope", "runs:read")
    if words[0] == "--port" and os.geteuid() == 0:
        # Whoever may listen everywhere is refused a port that is taken.
        words = ["--host", "203.0.113.1"]
    told = subprocess.run(
        [*served(keys), *words],
        cwd=ROOT,
        env=environment(tmp_path),
        capture_output=True,
        check=False,
        text=True,
        timeout=SECONDS_MAX,
    )
    assert (told.returncode, why in told.stderr) == (MISTAKE, True)


def served(keys: Path) -> list[str]:
    place = f"{FRONT}:engine"
    return [sys.executable, "-m", "makegood.cli", "http", place, "--keys", str(keys)]


def environment(folder: Path) -> dict[str, str]:
    return {
        **os.environ,
        "PYTHONPATH": f"{ROOT / 'src'}:{ROOT}",
        "FRONT_STORE": str(folder / "front.journal"),
    }


@contextmanager
def serving(folder: Path, keys: Path) -> Generator[tuple[subprocess.Popen[str], str]]:
    """Start the command, and leave no process behind."""
    process = subprocess.Popen(
        [*served(keys), "--app", FRONT, "--port", "0"],
        cwd=ROOT,
        env=environment(folder),
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stderr is not None
    try:
        found = None
        for line in process.stderr:
            found = LISTENS.search(line)
            if found:
                break
        assert found, "it says where it answers"
        yield process, found[1]
    finally:
        process.kill()
        process.wait()
        process.stderr.close()


@pytest.mark.real
def test_a_real_client_starts_a_run_and_the_process_stops_in_good_order(tmp_path: Path) -> None:
    keys = tmp_path / "keys.json"
    key = made(keys, "--name", "front", "--scope", "runs:read", "--scope", "runs:write")
    with serving(tmp_path, keys) as (process, address), httpx2.Client(base_url=address) as client:
        assert client.get("/health/ready").status_code == 200
        assert client.get("/runs").status_code == 401
        client.headers["authorization"] = f"Bearer {key}"
        placed = client.post(
            "/workflows/doubled/runs", json={"number": 21}, headers={"idempotency-key": "a"}
        )
        seen = client.get(placed.headers["location"], params={"wait": "20"})
        assert (seen.json()["status"], seen.json()["value"]) == ("completed", 42)
        assert "server" not in seen.headers

        main(["keys", "revoke", key.split("_")[1], "--keys", str(keys)])
        assert client.get("/runs").status_code == 401

        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=SECONDS_MAX) == DONE

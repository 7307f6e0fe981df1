"""The command line: each way of ending has its status, and no mistake ends in a traceback."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
from contextlib import closing
from importlib import import_module
from pathlib import Path
from typing import get_args

import pytest

from makegood.cli.app import COMMANDS, GROUPS, Offer, main
from makegood.cli.commands import Cause, Status
from makegood.cli.status import DONE, ERROR, MISTAKE
from makegood.commerce.extension import commerce
from makegood.decision import facts
from tests.cli.shop import run_id

LOOKING = [
    ["runs"],
    ["show", run_id(1)],
    ["stuck"],
    ["diagram", "place_order"],
    ["undo", run_id(1), "--preview"],
    ["db", "status"],
    ["doctor"],
]
ASKING = [
    ["cancel", run_id(1), "--reason", "x"],
    ["undo", run_id(1), "--reason", "x", "--yes"],
    ["settle", run_id(1), "charge", "--kept", "--reason", "x"],
    ["retry", run_id(1), "--reason", "x"],
    ["prune", "--older-than", "1d"],
    ["erase", "--subject", "x", "--reason", "x"],
]


def test_the_version_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--version"]) == DONE
    assert capsys.readouterr().out.startswith("makegood")


@pytest.mark.parametrize(
    "words",
    [[], ["--help"], *([*offer.name.split(), "--help"] for offer in COMMANDS)],
    ids=" ".join,
)
def test_help_names_the_exit_statuses(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(words) == DONE
    shown = " ".join(capsys.readouterr().out.split())
    assert "Exit status: 0 done" in shown
    assert "3 something is not as it should be" in shown


def test_every_command_is_named_in_the_help(capsys: pytest.CaptureFixture[str]) -> None:
    shown: dict[str, str] = {}
    for group in ("", *GROUPS):
        main([*group.split(), "--help"])
        shown[group] = " ".join(capsys.readouterr().out.replace("│", " ").split())
    for offer in COMMANDS:
        group, _, name = offer.name.rpartition(" ")
        assert f"{name} {offer.summary}" in shown[group]
    assert all(f"{name} {about}" in shown[""] for name, about in GROUPS.items())


@pytest.mark.parametrize("offer", COMMANDS, ids=lambda offer: offer.name)
def test_a_command_says_of_itself_what_the_help_says_of_it(offer: Offer) -> None:
    module, _, name = offer.place.partition(":")
    told = getattr(import_module(module), name).__doc__
    assert told.partition("\n")[0] == offer.summary


def test_what_extensions_declare_is_offered_as_they_declare_it() -> None:
    declared = [
        (command.name, f"{command.run.__module__}:{command.run.__name__}", command.summary)
        for command in commerce.commands
    ]
    offered = [offer for offer in COMMANDS if offer.place.startswith("makegood.commerce.")]
    assert offered == declared


def test_runs_are_filtered_by_the_words_of_the_decision_core() -> None:
    ends = {end.value for end in facts.EndStatus}
    assert set(get_args(Status)) == {"running", "waiting", "paused", "undoing", "parked"} | ends
    assert set(get_args(Cause)) == {cause.value for cause in facts.Cause}


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["bogus"], 'Unknown command "bogus"'),
        (["demo", "--bogus"], "Unknown option"),
        (["show", "a/\udcff", "--store", "x"], r"the argument 'a/\udcff' is not text"),
        (["demo", "--orders", "many"], 'unable to convert "many" into int'),
        (["demo", "--orders", "0"], "--orders is 0; place at least one"),
        (["demo", "--orders", "70000"], "there are only 69,659 purchases"),
        (["demo", "--faults", "0.9"], "--faults is 0.9; give a rate from 0 to 0.5"),
        (["demo", "--faults", "nan"], "--faults is nan; give a rate"),
        (["demo", "--concurrency", "0"], "--concurrency is 0"),
        (["demo", "--store", "/no/such/folder/shop.journal"], "is no place for a file"),
        (["demo", "--store", "/"], "is no place for a file"),
        (["demo", "--purchases", "/no/such/file"], "No such file or directory: /no/such/file"),
        (["books"], "--store requires an argument"),
        (["books", "/no/such/store"], "there are no books at /no/such/store"),
    ],
)
def test_a_mistake_is_told_in_one_sentence(
    words: list[str], sentence: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(words) == MISTAKE
    told = capsys.readouterr()
    assert sentence in told.err
    assert told.err.count("\n") == 1
    assert told.out == ""


def test_a_store_that_is_no_journal_is_left_alone(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    store = tmp_path / "shop.journal"
    store.write_text("a letter to a friend\n")
    assert main(["demo", "--orders", "1", "--store", str(store)]) == ERROR
    told = capsys.readouterr().err
    assert str(store) in told
    assert told.count("\n") == 1
    assert store.read_text() == "a letter to a friend\n"


@pytest.mark.parametrize("words", [*LOOKING, *ASKING], ids=" ".join)
@pytest.mark.parametrize("address", ["{}", "sqlite:///{}"])
def test_a_store_that_is_not_there_is_a_mistake_and_is_not_made(
    words: list[str], address: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    missing = tmp_path / "shop.journal"
    assert main([*words, "--store", address.format(missing)]) == MISTAKE
    told = capsys.readouterr()
    assert told.err == f"there is no journal at {missing}; name the file of one with --store\n"
    assert told.out == ""
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("words", [*LOOKING, *ASKING], ids=" ".join)
def test_a_file_that_is_no_journal_is_left_alone_by_every_command(
    words: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    letter = tmp_path / "letter.txt"
    letter.write_text("dear friend\n")
    assert main([*words, "--store", str(letter)]) == ERROR
    told = capsys.readouterr()
    assert f"{letter} is not a database; give the path of a journal" in told.err
    assert told.err.count("\n") == 1
    assert told.out == ""
    assert [path.name for path in tmp_path.iterdir()] == ["letter.txt"]
    assert letter.read_text() == "dear friend\n"


def test_a_journal_of_a_newer_makegood_is_refused_in_one_sentence(
    store: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with closing(sqlite3.connect(store)) as connection:
        connection.execute("PRAGMA user_version = 99")
    assert main(["runs", "--store", store]) == ERROR
    told = capsys.readouterr().err
    assert f"{store} has schema 99 and this version of makegood knows only" in told
    assert told.count("\n") == 1


@pytest.mark.parametrize(
    ("address", "sentence"),
    [
        ("memory://", "memory:// ends with its process, so there is nothing to look into"),
        ("mysql://host/db", "'mysql://host/db' names no journal; write sqlite:///"),
        ("", "there is no journal at ''; name the file of one with --store"),
    ],
)
def test_an_address_that_leads_to_no_journal_is_a_mistake(
    address: str, sentence: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["runs", "--store", address]) == MISTAKE
    told = capsys.readouterr().err
    assert sentence in told
    assert told.count("\n") == 1


@pytest.mark.real
def test_the_store_may_be_named_once_for_all_commands(store: str) -> None:
    told = subprocess.run(
        [sys.executable, "-m", "makegood.cli", "runs", "--limit", "1"],
        env={**os.environ, "MAKEGOOD_STORE": store},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert (told.returncode, told.stderr) == (DONE, "")
    assert "place_order/order-5" in told.stdout


@pytest.mark.real
@pytest.mark.parametrize("words", [["show", run_id(2)], ["--help"], ["--version"]], ids=" ".join)
def test_nobody_is_told_when_whoever_read_the_output_has_left(words: list[str], store: str) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    told = subprocess.run(
        [sys.executable, "-m", "makegood.cli", *words],
        env={**os.environ, "MAKEGOOD_STORE": store},
        stdout=writer,
        stderr=subprocess.PIPE,
        text=True,
        check=False,
        timeout=60,
    )
    os.close(writer)
    assert (told.returncode, told.stderr) == (ERROR, "")


def test_what_went_wrong_is_one_line_that_no_terminal_obeys(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    store = tmp_path / "a\nletter\x1b[2J\u202e"
    assert main(["runs", "--store", str(store)]) == MISTAKE
    told = capsys.readouterr().err
    assert told.endswith("a letter\\x1b[2J\\u202e; name the file of one with --store\n")
    assert told.count("\n") == 1


@pytest.mark.real
def test_a_terminal_that_lacks_a_character_is_shown_its_escape(store: str) -> None:
    told = subprocess.run(
        [sys.executable, "-m", "makegood.cli", "show", run_id(2), "--store", store],
        env={**os.environ, "PYTHONIOENCODING": "ascii"},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert (told.returncode, told.stderr) == (DONE, "")
    assert "\\u2717 ship" in told.stdout


def test_a_file_without_purchases_says_so(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "purchases.txt"
    path.write_text("header\nnonsense\n")
    assert main(["demo", "--orders", "1", "--purchases", str(path)]) == MISTAKE
    told = capsys.readouterr().err
    assert "line 2 is skipped: 'nonsense' is not customer, date" in told
    assert "there are only 0 purchases" in told


WITHOUT_EXTRAS = """
import sys

class Bare:
    def __init__(self, finder):
        self.finder = finder

    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {"cyclopts", "rich"}:
            return None
        return self.finder.find_spec(name, path, target)

sys.meta_path[:] = [Bare(finder) for finder in sys.meta_path]
from makegood.cli.app import main
sys.exit(main(sys.argv[1:]))
"""


@pytest.mark.real
def test_a_bare_installation_names_the_extra_and_still_tells_its_version() -> None:
    command = [sys.executable, "-c", WITHOUT_EXTRAS]
    version = subprocess.run([*command, "--version"], capture_output=True, text=True, check=False)
    demo = subprocess.run([*command, "demo"], capture_output=True, text=True, check=False)
    assert (version.returncode, demo.returncode) == (DONE, MISTAKE)
    assert demo.stderr == 'cyclopts is missing; run: pip install "makegood[standard]"\n'


IMPORTED = """
import sys
from makegood.cli.app import main
main(sys.argv[1:])
print(*sys.modules)
"""


@pytest.mark.real
@pytest.mark.parametrize(
    ("words", "spared"),
    [
        (["--version"], ["cyclopts", "rich"]),
        (["--help"], ["markdown_it", "pygments"]),
        (["show", "--help"], ["markdown_it", "pygments"]),
        (["settle", "--help"], ["markdown_it", "pygments"]),
        (["db", "sql", "--help"], ["markdown_it", "pygments"]),
    ],
)
def test_help_and_the_version_are_told_without_the_engine(
    words: list[str], spared: list[str]
) -> None:
    told = subprocess.run(
        [sys.executable, "-c", IMPORTED, *words],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    ).stdout.splitlines()[-1]
    heavy = {"msgspec", "apsw", "asyncio", "uuid_utils", *spared}
    assert heavy.isdisjoint(name.partition(".")[0] for name in told.split())
    assert {name for name in told.split() if name.startswith("makegood.")} <= {
        "makegood.cli",
        "makegood.cli.app",
        "makegood.cli.commands",
        "makegood.cli.operations",
        "makegood.cli.operations.commands",
        "makegood.cli.status",
        "makegood.errors",
    }

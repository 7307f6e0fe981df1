"""The command line: each way of ending has its status, and no mistake ends in a traceback."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from makegood.cli.app import DONE, ERROR, MISTAKE, main


def test_the_version_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--version"]) == DONE
    assert capsys.readouterr().out.startswith("makegood")


@pytest.mark.parametrize("words", [[], ["--help"], ["demo", "--help"], ["books", "--help"]])
def test_help_names_the_exit_statuses(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(words) == DONE
    shown = " ".join(capsys.readouterr().out.split())
    assert "Exit status: 0 done" in shown
    assert "3 the books do not agree" in shown


def test_the_extensions_commands_are_offered(capsys: pytest.CaptureFixture[str]) -> None:
    main(["--help"])
    shown = capsys.readouterr().out
    assert "books" in shown
    assert "demo" in shown


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["bogus"], 'Unknown command "bogus"'),
        (["demo", "--bogus"], "Unknown option"),
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


HEAVY = "import sys; from makegood.cli.app import main; main(['--version']); print(*sys.modules)"


@pytest.mark.real
def test_the_version_is_told_without_importing_what_it_does_not_need() -> None:
    told = subprocess.run(
        [sys.executable, "-c", HEAVY], capture_output=True, text=True, check=True
    ).stdout
    loaded = {name.partition(".")[0] for name in told.split()}
    assert loaded.isdisjoint({"cyclopts", "rich"})
    assert "makegood.commerce" not in told

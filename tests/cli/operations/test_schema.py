"""`makegood db`: how far a schema is, how it gets further, and the SQL of that."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from makegood.cli.app import main
from makegood.cli.status import DONE, ERROR, FOUND, MISTAKE
from makegood.journal.sqlite.opening import SCHEMA_NUMBER, scripts

if TYPE_CHECKING:
    from pathlib import Path

COMMERCE = ["--extension", "makegood.commerce.extension:commerce"]


def make_older(path: Path) -> None:
    """Make a file as the first version of makegood did."""
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript(scripts()[0])
        connection.executescript(
            "CREATE TABLE makegood_migration (owner TEXT, number INTEGER);"
            "PRAGMA application_id = 0x6D676F64; PRAGMA user_version = 1;"
        )


def test_a_store_that_is_up_to_date_is_said_to_be(
    store: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["db", "status", "--store", store]) == DONE
    assert capsys.readouterr().out == f"{store}: schema {SCHEMA_NUMBER}, the newest\n"
    assert main(["db", "status", "--store", store, "--json"]) == DONE
    assert json.loads(capsys.readouterr().out) == {
        "number": SCHEMA_NUMBER,
        "newest": SCHEMA_NUMBER,
        "pending": [],
        "is_current": True,
    }


def test_what_an_extension_lacks_is_pending_until_it_is_applied(
    store: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["db", "status", "--store", store, *COMMERCE]) == FOUND
    assert "an upgrade would apply commerce 1" in capsys.readouterr().out
    assert main(["db", "upgrade", "--store", store, *COMMERCE]) == DONE
    assert capsys.readouterr().out == f"{store}: applied commerce 1\n"
    assert main(["db", "upgrade", "--store", store, *COMMERCE, "--json"]) == DONE
    assert json.loads(capsys.readouterr().out) == {"applied": []}
    assert main(["db", "upgrade", "--store", store]) == DONE
    assert capsys.readouterr().out == f"{store}: there was nothing to apply\n"


def test_a_store_of_a_newer_program_is_found_and_not_upgraded(
    store: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with closing(sqlite3.connect(store)) as connection:
        connection.execute("PRAGMA user_version = 99")
    assert main(["db", "status", "--store", store]) == FOUND
    told = capsys.readouterr().out
    assert told == f"{store}: schema 99, and this program knows only {SCHEMA_NUMBER}\n"
    assert main(["db", "upgrade", "--store", store]) == ERROR


@pytest.mark.parametrize(
    "words", [["runs"], ["stuck"], ["prune", "--older-than", "1d"]], ids=" ".join
)
def test_an_older_store_is_left_as_it_is_by_who_only_looks(
    words: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    older = tmp_path / "older.journal"
    make_older(older)
    before = older.read_bytes()

    assert main([*words, "--store", str(older)]) == MISTAKE

    told = capsys.readouterr().err
    assert told == (
        f"{older} has schema 1 and this program needs {SCHEMA_NUMBER}; run `makegood db upgrade`\n"
    )
    assert older.read_bytes() == before
    assert main(["db", "upgrade", "--store", str(older)]) == DONE
    assert main([*words, "--store", str(older)]) == DONE


def test_an_upgrade_makes_a_store_where_there_is_none(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    new = tmp_path / "new.journal"

    assert main(["db", "status", "--store", str(new)]) == MISTAKE
    assert main(["db", "upgrade", "--store", str(new)]) == DONE
    capsys.readouterr()

    assert main(["runs", "--store", str(new)]) == DONE
    assert capsys.readouterr().out == "there are no such runs\n"


def test_the_sql_is_written_as_it_would_be_run(
    store: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["db", "sql", "--store", store]) == DONE
    assert capsys.readouterr().out == "-- The file is up to date: there is nothing to apply.\n"
    assert main(["db", "sql", "--store", "postgresql://nowhere/db", "--since", "1"]) == DONE
    told = capsys.readouterr().out
    assert told.startswith("-- Brings the schema makegood from 1 to ")
    assert told.endswith("COMMIT;\n")


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["--since", "99"], f"--since 99: this program knows the numbers 0 to {SCHEMA_NUMBER}"),
        (["--since", "-1"], "--since -1: this program knows the numbers 0 to"),
        (["--since", "1", *COMMERCE], "--since says nothing of the tables of an extension"),
        (["--extension", "no.such"], "--extension: the module `no.such` cannot be imported"),
        (["--extension", "json:dumps"], "--extension json:dumps has no migrations"),
    ],
)
def test_what_cannot_be_is_a_mistake(
    words: list[str], sentence: str, store: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["db", "sql", "--store", store, *words]) == MISTAKE
    told = capsys.readouterr()
    assert sentence in told.err
    assert told.err.count("\n") == 1
    assert told.out == ""

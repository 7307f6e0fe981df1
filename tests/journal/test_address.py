"""Which journal does a URL mean, and what is said about one that means none?"""

from __future__ import annotations

from pathlib import Path

import pytest

from makegood.errors import InvalidInput
from makegood.journal.address import open_journal
from makegood.journal.memory import MemoryJournal
from makegood.journal.sqlite.journal import SqliteJournal


@pytest.mark.parametrize(
    ("url", "path"),
    [
        ("sqlite:///orders.journal", Path.cwd() / "orders.journal"),
        ("sqlite:///below/orders.journal", Path.cwd() / "below" / "orders.journal"),
        ("sqlite:////var/lib/orders.journal", Path("/var/lib/orders.journal")),
    ],
)
def test_a_file_is_relative_with_three_slashes_and_absolute_with_four(url: str, path: Path) -> None:
    journal = open_journal(url)

    assert isinstance(journal, SqliteJournal)
    assert journal._place.path == path
    assert not path.exists()


def test_memory_is_a_store_of_its_own() -> None:
    assert isinstance(open_journal("memory://"), MemoryJournal)


@pytest.mark.parametrize(
    "url",
    ["", "orders.journal", "sqlite://", "sqlite:///", "sqlite:////", "sqlite:///folder/",
     "sqlite://orders", "memory", "memory://name",
     "postgresql:localhost/orders", "mysql://localhost/orders"],
)  # fmt: skip
def test_any_other_address_is_refused_with_the_forms_that_are_understood(url: str) -> None:
    with pytest.raises(InvalidInput, match=r"names no journal; write sqlite:///orders\.journal"):
        open_journal(url)

"""A disk that loses what was not synced: the commits of a careful connection are not among it."""

from __future__ import annotations

import shutil
from contextlib import closing
from typing import TYPE_CHECKING

import apsw
import pytest

from tests.chaos.disk import Disk, Trouble

if TYPE_CHECKING:
    from pathlib import Path

NEVER = 1_000_000
SEEDS = range(12)


def rows_after_a_power_cut(folder: Path, synchronous: str, seed: int) -> int | None:
    """Commit a hundred rows, cut the power, and count what is there; None when it is damaged."""
    path = folder / f"{synchronous}-{seed}"
    disk = Disk(Trouble(kind="power_cut", at=NEVER, seed=seed))
    with closing(apsw.Connection(str(path), vfs=disk.name)) as connection:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute(f"PRAGMA synchronous = {synchronous}")
        connection.execute("CREATE TABLE orders (n INTEGER PRIMARY KEY, body TEXT)")
        for number in range(100):
            connection.execute("INSERT INTO orders VALUES (?, ?)", (number, "x" * 300))
            if number == 50:
                connection.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_PASSIVE)
        disk.lose_what_was_not_synced()
        copy = folder / f"copy-{seed}"
        shutil.copy(path, copy)
        shutil.copy(f"{path}-wal", f"{copy}-wal")
    try:
        with closing(apsw.Connection(str(copy))) as connection:
            [(count,)] = connection.execute("SELECT count(*) FROM orders")
            [(found,)] = connection.execute("PRAGMA integrity_check")
            return count if found == "ok" else None
    except (apsw.SQLError, apsw.CorruptError, apsw.NotADBError):
        return None


@pytest.mark.parametrize("seed", SEEDS)
def test_a_power_cut_takes_nothing_that_was_synced(tmp_path: Path, seed: int) -> None:
    assert rows_after_a_power_cut(tmp_path, "FULL", seed) == 100


def test_a_power_cut_takes_what_was_not_synced(tmp_path: Path) -> None:
    found = {rows_after_a_power_cut(tmp_path, "OFF", seed) for seed in SEEDS}
    assert 100 not in found


def test_a_full_disk_has_room_again(tmp_path: Path) -> None:
    disk = Disk(Trouble(kind="full", at=20))
    refused = written = 0
    with closing(apsw.Connection(str(tmp_path / "orders"), vfs=disk.name)) as connection:
        for _ in range(1_000):
            try:
                connection.execute("CREATE TABLE IF NOT EXISTS orders (n)")
                connection.execute("INSERT INTO orders VALUES (1)")
            except apsw.FullError:
                refused += 1
            else:
                written += 1
        while disk.times_full and not disk.has_room():
            pass
    assert refused > 0
    assert written > 0
    assert disk.times_full > 1

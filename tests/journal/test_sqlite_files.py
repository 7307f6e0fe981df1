"""Which files are opened, how are they left, and who leads them?"""

# The files of a test are small and local: waiting for them holds nobody up.
# ruff: noqa: ASYNC240

from __future__ import annotations

import asyncio
import os
import sqlite3
import stat
import subprocess
import sys
import warnings
from contextlib import closing
from pathlib import Path

import pytest

from makegood.errors import StoreFailed, StoreRefused
from makegood.journal.protocol import Applied
from makegood.journal.sqlite.journal import SqliteJournal
from makegood.journal.sqlite.opening import (
    APPLICATION_ID,
    SCHEMA_NUMBER,
    require_version,
    scripts,
)
from makegood.values.instants import Instant
from tests.journal.records import ALICE, BOB, append, first, post, run_id

RUN = run_id(1)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "orders.journal"


async def opened(path: Path, *, work: bool = True) -> SqliteJournal:
    journal = SqliteJournal(path)
    await journal.open(work=work)
    return journal


async def make(path: Path) -> None:
    journal = await opened(path)
    await journal.append(first(RUN))
    await journal.close()


def change(path: Path, script: str) -> None:
    """Change a closed journal as a stranger would, with another library."""
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript(script)


def contents(folder: Path) -> dict[str, bytes]:
    """Return the files; the shared memory is no content, whoever looks leaves traces in it."""
    files = (entry for entry in folder.iterdir() if entry.is_file())
    return {entry.name: entry.read_bytes() for entry in files if entry.suffix != ".journal-shm"}


async def refused(path: Path, message: str) -> None:
    """Open and be refused, with nothing created or changed."""
    before = contents(path.parent) if path.parent.is_dir() else {}
    with pytest.raises(StoreRefused, match=message):
        await opened(path)
    after = contents(path.parent) if path.parent.is_dir() else {}
    assert after == before


def test_every_script_of_the_schema_has_its_number() -> None:
    assert len(scripts()) == SCHEMA_NUMBER


async def test_a_new_file_is_ours_alone_to_read(path: Path) -> None:
    await make(path)

    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("PRAGMA application_id").fetchone() == (APPLICATION_ID,)
        assert connection.execute("PRAGMA user_version").fetchone() == (SCHEMA_NUMBER,)
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)


async def test_a_file_that_is_not_a_database_is_refused(path: Path) -> None:
    path.write_bytes(b"dear diary, " * 200)
    await refused(path, "is not a database")


async def test_another_programs_database_is_refused(path: Path) -> None:
    change(path, "CREATE TABLE notes (text)")
    await refused(path, "is not a journal of makegood")


async def test_another_programs_empty_database_is_refused(path: Path) -> None:
    change(path, "PRAGMA application_id = 77; CREATE TABLE a (b); DROP TABLE a")
    await refused(path, "is not a journal of makegood")


async def test_an_empty_file_is_refused(path: Path) -> None:
    path.touch()
    await refused(path, "is not a journal of makegood")


async def test_an_empty_file_that_a_killed_first_start_left_is_taken(path: Path) -> None:
    path.touch()
    path.with_name("orders.journal.lock").touch()

    await make(path)

    assert path.stat().st_size > 0


async def test_a_newer_schema_is_refused_with_both_numbers(path: Path) -> None:
    await make(path)
    newer = SCHEMA_NUMBER + 1
    change(path, f"PRAGMA user_version = {newer}")
    await refused(path, f"has schema {newer} and .* knows only {SCHEMA_NUMBER}; upgrade")


@pytest.mark.parametrize("version", ["3.51.2", "3.9.0", "2.99.9"])
def test_a_sqlite_that_may_damage_the_file_is_refused(version: str) -> None:
    with pytest.raises(StoreRefused, match=f"SQLite is {version}; upgrade apsw"):
        require_version(version)


@pytest.mark.parametrize("version", ["3.51.3", "3.54.1", "4.0"])
def test_a_sqlite_without_that_fault_is_taken(version: str) -> None:
    require_version(version)


async def test_a_folder_that_is_not_there_is_not_made(path: Path) -> None:
    await refused(path / "below" / "orders.journal", "does not exist; make it first")


async def test_a_folder_in_the_place_of_the_file_is_refused(path: Path) -> None:
    path.mkdir()
    await refused(path, "is not a file")


@pytest.mark.parametrize("kind", ["nfs4", "cifs", "fuse.sshfs", "9p", "virtiofs"])
async def test_a_shared_filesystem_is_refused(tmp_path: Path, path: Path, kind: str) -> None:
    table = tmp_path / "mountinfo"
    folder = str(path.parent).replace(" ", "\\040")
    table.write_text(
        "22 1 8:1 / / rw,relatime shared:1 - ext4 /dev/vda rw\n"
        f"40 22 0:50 / {folder} rw,relatime shared:2 - {kind} server:/export rw\n"
    )

    with pytest.raises(StoreRefused, match=f"shared filesystem \\({kind}\\)"):
        await SqliteJournal(path, mount_table=table).open(work=True)

    assert not path.exists()


async def test_a_local_disk_above_or_beside_a_shared_one_is_taken(
    tmp_path: Path, path: Path
) -> None:
    table = tmp_path / "mountinfo"
    table.write_text(
        "22 1 8:1 / / rw - ext4 /dev/vda rw\n"
        f"40 22 0:50 / {path.parent}x rw - nfs4 server:/export rw\n"
        f"41 22 0:51 / {path.parent}/below rw - nfs4 server:/export rw\n"
    )
    journal = SqliteJournal(path, mount_table=table)

    await journal.open(work=True)

    assert journal.leads
    await journal.close()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody without rights")
@pytest.mark.real
@pytest.mark.parametrize(
    ("mode_folder", "mode_file", "message"),
    [(0o555, 0o666, "cannot be written to"), (0o777, 0o444, "cannot be read and written")],
)
async def test_wrong_rights_are_refused_with_the_remedy(
    tmp_path: Path, path: Path, mode_folder: int, mode_file: int, message: str
) -> None:
    await make(path)
    for above in (tmp_path, *tmp_path.parents):
        if above.stat().st_uid == os.geteuid() and not above.stat().st_mode & stat.S_IXOTH:
            above.chmod(above.stat().st_mode | stat.S_IXOTH)
    path.chmod(mode_file)
    tmp_path.chmod(mode_folder)
    script = (
        "import asyncio, os, sys\n"
        "from makegood.journal.sqlite.journal import SqliteJournal\n"
        "if os.geteuid() == 0:  # To root nothing is forbidden.\n"
        "    os.setgroups([])\n    os.setgid(65534)\n    os.setuid(65534)\n"
        "try:\n"
        "    asyncio.run(SqliteJournal(sys.argv[1]).open(work=True))\n"
        "except Exception as error:\n"
        "    print(type(error).__name__, error)\n"
    )

    done = await asyncio.to_thread(
        subprocess.run,
        [sys.executable, "-c", script, str(path)],
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
        cwd="/",
    )

    assert done.stdout.startswith("StoreRefused"), done.stderr
    assert message in done.stdout


@pytest.mark.parametrize(
    ("sql", "message"),
    [
        ("UPDATE makegood_facts SET body = '[]'", "facts never change"),
        ("DELETE FROM makegood_facts", "facts stay"),
        (
            "INSERT OR REPLACE INTO makegood_facts SELECT run, seq, 9, token, at, '[]' "
            "FROM makegood_facts",
            "facts stay",
        ),
    ],
)
async def test_facts_cannot_be_changed_by_sql(path: Path, sql: str, message: str) -> None:
    await make(path)

    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA recursive_triggers = ON")
        with pytest.raises(sqlite3.IntegrityError, match=message):
            connection.execute(sql)


async def test_a_damaged_file_is_not_worked_on(path: Path) -> None:
    await make(path)
    data = bytearray(path.read_bytes())
    size = 4096
    for page in range(2, len(data) // size):
        data[page * size : page * size + 64] = b"\xff" * 64
    path.write_bytes(bytes(data))

    with pytest.raises((StoreFailed, StoreRefused), match="is damaged"):
        await opened(path)


async def test_a_file_that_is_replaced_while_it_is_open_stops_the_journal(path: Path) -> None:
    journal = await opened(path)
    await journal.append(first(RUN))
    path.rename(path.with_name("elsewhere"))

    with pytest.raises(StoreFailed, match="replaced or removed"):
        await journal.close()


async def test_a_lock_that_is_removed_stops_the_journal(path: Path) -> None:
    journal = await opened(path)
    await journal.append(first(RUN))
    path.with_name("orders.journal.lock").unlink()

    with pytest.raises(StoreFailed, match="another process may lead"):
        await journal.close()


async def test_a_journal_does_not_cross_a_fork(path: Path) -> None:
    journal = await opened(path)
    with warnings.catch_warnings():
        # From 3.12 on a fork beside threads is warned of, for the very reason of this test.
        warnings.simplefilter("ignore", DeprecationWarning)
        child = os.fork()
    if child == 0:
        refusal = journal.append(first(RUN)).exception()
        os._exit(0 if isinstance(refusal, StoreRefused) and "fork" in str(refusal) else 1)

    _, status = await asyncio.to_thread(os.waitpid, child, 0)

    assert os.waitstatus_to_exitcode(status) == 0
    await journal.append(first(RUN))
    await journal.close()


async def test_the_log_is_emptied_by_an_orderly_end(path: Path) -> None:
    await make(path)

    assert path.with_name("orders.journal-wal").stat().st_size == 0


async def test_a_client_never_shortens_the_log(path: Path) -> None:
    worker = await opened(path)
    client = await opened(path, work=False)
    await worker.append(first(RUN))
    size = path.with_name("orders.journal-wal").stat().st_size

    await client.post(post(RUN))
    await client.close()

    assert path.with_name("orders.journal-wal").stat().st_size >= size > 0
    await worker.close()


async def test_a_client_may_come_first_and_make_the_file(path: Path) -> None:
    client = await opened(path, work=False)
    await client.post(post(RUN, create=first(RUN).create))
    worker = await opened(path)

    leases = await worker.lease(ALICE, room={"plan-1": 999}, limit=9, now=Instant(1))

    assert [leased.run for leased in leases.claimed] == [RUN]
    await client.close()
    await worker.close()


async def test_many_may_make_the_file_at_once(path: Path) -> None:
    journals = [SqliteJournal(path) for _ in range(8)]

    await asyncio.gather(*(journal.open(work=True) for journal in journals))

    assert sum(journal.leads for journal in journals) == 1
    for journal in journals:
        await journal.close()


async def test_a_standby_takes_over_in_its_next_lease(path: Path) -> None:
    leader, standby = await opened(path), await opened(path)
    await leader.append(first(RUN))
    before = await standby.lease(BOB, room={"plan-1": 999}, limit=9, now=Instant(1))
    await leader.close()

    after = await standby.lease(BOB, room={"plan-1": 999}, limit=9, now=Instant(1))

    assert (before.claimed, [leased.run for leased in after.claimed]) == ((), [RUN])
    assert await standby.append(append(RUN, 2, worker=BOB, epoch=2)) == Applied()
    assert await standby.crashes() == 0
    await standby.close()


async def test_the_lock_says_who_holds_it(path: Path) -> None:
    journal = await opened(path)

    assert f"process {os.getpid()} since" in path.with_name("orders.journal.lock").read_text()
    await journal.close()

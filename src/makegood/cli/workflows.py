"""What of a user's program does a command name? The only place where a user's code is imported."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any, cast

from makegood import Engine, InvalidInput, Receptors, Workflow
from makegood.runtime.engine import declared_by

if TYPE_CHECKING:
    from collections.abc import Generator

    from makegood.runtime.moving.fitting import Declared

__all__ = ["AnyWorkflow", "declared_at", "object_at", "receptors_of", "workflows_of"]

# Any: a workflow is looked at whatever it takes and returns.
AnyWorkflow = Workflow[..., Any]


def workflows_of(place: str, *, asked: str = "--app") -> tuple[AnyWorkflow, ...]:
    """Return the workflows that `module:object` names; a module alone names all that it has.

    The object is a workflow, a module or an iterable of workflows. The working directory is looked
    in first. Anything that is wrong with it is `InvalidInput`; `asked` is what named it.
    """
    workflows = _within(object_at(place, asked=asked, wanted="a workflow"))
    if not workflows:
        message = f"{asked} {place} is no workflow and holds none; name one, or where they are"
        raise InvalidInput(message)
    return workflows


def receptors_of(place: str) -> tuple[Receptors, ...]:
    """Return the groups of receptors that `module:object` names, or that are in what it names."""
    found = object_at(place, asked="--app", wanted="receptors")
    if isinstance(found, Receptors):
        return (found,)
    return tuple(dict.fromkeys(each for each in _held(found) if isinstance(each, Receptors)))


def declared_at(place: str, *, asked: str) -> tuple[Declared, ...]:
    """Return what an engine serves that `module:object` names, or the workflows that it names."""
    found = object_at(place, asked=asked, wanted="an engine or a workflow")
    declared = declared_by(found) if isinstance(found, Engine) else _within(found)
    if not declared:
        message = f"{asked} {place} declares no workflow; name one, or the engine that serves them"
        raise InvalidInput(message)
    return declared


def object_at(place: str, *, asked: str, wanted: str) -> object:
    """Return what `module:object` names, or the module when no object is named.

    `asked` is the option that named it and `wanted` what it should be, for the messages of
    `InvalidInput`.
    """
    module_name, _, path = place.partition(":")
    found: object = _imported(module_name, asked)
    for name in filter(None, path.split(".")):
        if not hasattr(found, name):
            message = f"{asked} {place}: `{module_name}` has no `{path}`; name {wanted} in it"
            raise InvalidInput(message)
        found = getattr(found, name)
    return found


def _within(found: object) -> tuple[AnyWorkflow, ...]:
    """Return the workflows that something is or holds."""
    if isinstance(found, Workflow):
        return (cast("AnyWorkflow", found),)
    workflows = (cast("AnyWorkflow", item) for item in _held(found) if isinstance(item, Workflow))
    # A module may know one workflow by two names.
    return tuple(dict.fromkeys(workflows))


def _held(found: object) -> Iterable[object]:
    """Return what a module or an iterable holds; of anything else nothing."""
    held = vars(found).values() if isinstance(found, ModuleType) else found
    return cast("Iterable[object]", held) if isinstance(held, Iterable) else ()


def _imported(name: str, asked: str) -> ModuleType:
    try:
        with _here_first():
            return import_module(name)
    except Exception as error:
        why = " ".join(str(error).split())
        message = f"{asked}: the module `{name}` cannot be imported: {type(error).__name__}: {why}"
        raise InvalidInput(message) from error


@contextmanager
def _here_first() -> Generator[None]:
    """Let modules of the working directory be found, as `python -m` does."""
    here = str(Path.cwd())
    sys.path.insert(0, here)
    try:
        yield
    finally:
        sys.path.remove(here)

"""What a chain has so far, and how chains share it.

A chain is a value: whoever adds a link gets a new one, and the old one stays as it is. Copying all
links for each new one would cost the square of their number, so a chain goes on in the very trace
of the chain that it was made of, and only knows how many nodes of it are its own. That works for
the first one that goes on from there; every other one, which is a fork in the road, gets a copy.
What a link that was refused may have left behind is beyond every count, and so is never seen.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from difflib import get_close_matches
from itertools import islice
from typing import TYPE_CHECKING, Any, TypeVar, overload

from makegood.definition.reading.place import caller
from makegood.definition.step import Pure, Query, Step
from makegood.errors import DefinitionError

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator

    from makegood.definition.placeholder import Placeholder
    from makegood.definition.recipe import Recipe
    from makegood.definition.trace import Trace

__all__ = ["Done", "Link", "Links", "listed"]

R = TypeVar("R")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Link:
    """One step of a chain."""

    name: str
    recipe: Recipe
    result: Placeholder
    is_beside: bool
    """Whether it happens at the same time as the link before it."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Links:
    """The links of one chain: the first so many of a trace, which has a node for each."""

    trace: Trace
    count: int = 0
    _places: dict[str, int] = field(default_factory=dict[str, int])
    """Where each link of the trace stands, by its name."""
    _found: list[Link] = field(default_factory=list[Link])
    """The links of the trace, of which those from `count` on belong to other chains."""
    _turns: list[None] = field(default_factory=lambda: [None])
    """Empty once somebody has gone on in the trace from here."""

    def continued(self) -> Links:
        """Return these links with a trace that may be added to: their own, or else a copy."""
        try:
            self._turns.pop()  # It is asked for and taken in one, whatever thread declares.
        except IndexError:
            return self.forked()
        return self

    def forked(self) -> Links:
        """Return these links with a trace of their own."""
        found = self._found[: self.count]
        places = {link.name: place for place, link in enumerate(found)}
        trace = self.trace.fork(self.count)
        return Links(trace=trace, count=self.count, _places=places, _found=found, _turns=[])

    def added(self, link: Link) -> Links:
        """Return these links and one more, whose node has been added to the trace."""
        assert len(self._found) == self.count, "nobody else adds to a trace that was continued"
        self._places[link.name] = self.count
        self._found.append(link)
        return Links(
            trace=self.trace, count=self.count + 1, _places=self._places, _found=self._found
        )

    def all(self) -> Iterator[Link]:
        """Give every link, in the order in which they were added."""
        return islice(self._found, self.count)

    def last(self) -> Link:
        """Return the link that was added last."""
        return self._found[self.count - 1]

    def find(self, name: str) -> Link | None:
        """Return a link by its name, or None when there is none."""
        place = self._places.get(name, self.count)
        return self._found[place] if place < self.count else None

    def named(self, name: str) -> Link:
        """Return a link that there is."""
        link = self.find(name)
        assert link is not None, "a chain knows its own links"
        return link


class Done:
    """What the links of a chain have returned so far; the second argument of a `using`.

    `done[charge]`, by the step itself, has the step's type for type checkers; `done.charge` and
    `done["charge"]` find the same by name. Like everything that only exists when the workflow
    runs, it can be passed on, or asked for an attribute or an item.
    """

    __slots__ = ("_makegood_but", "_makegood_links")

    def __init__(self, links: Links, *, but: Collection[str] = ()) -> None:
        self._makegood_links = links
        self._makegood_but = but

    @overload
    def __getitem__(self, key: Step[..., R] | Query[..., R] | Pure[..., R], /) -> R: ...
    @overload
    def __getitem__(self, key: str, /) -> Any: ...
    # Any: the overloads above say what is known of the result.
    def __getitem__(self, key: object, /) -> Any:
        """Return the result of a link, by its step or its name."""
        match key:
            case Step() | Query() | Pure():
                name = key.wiring.name or key.recipe.node.path
                link = self._link(name)
                if link.recipe is not key.recipe:
                    message = (
                        f"{caller()}: `{name}` in this chain is {link.recipe.signature.name}, "
                        f'and not {key!r}; write done["{name}"], or give the step that was added'
                    )
                    raise DefinitionError(message)
            case str():
                link = self._link(key)
            case _:
                message = (
                    f"{caller()}: done[{key!r:.80}] is asked for; results are found by their step "
                    "or their name, such as done[charge]"
                )
                raise DefinitionError(message)
        return self._makegood_links.trace.adopt(link.result)

    def __getattr__(self, name: str) -> Any:  # Any: a name does not say the type of its result
        """Return the result of a link, by its name."""
        if name.startswith("__"):
            raise AttributeError(name)
        return self._makegood_links.trace.adopt(self._link(name).result)

    def __repr__(self) -> str:
        return f"<done: {', '.join(self._names())}>"

    def _link(self, name: str) -> Link:
        link = None if name in self._makegood_but else self._makegood_links.find(name)
        if link is None:
            names = self._names()
            near = get_close_matches(name, names, n=1)
            hint = f"did you mean `{near[0]}`?" if near else f"done are {listed(names)}"
            message = f"{caller()}: `{name}` is not done before this; {hint}"
            raise DefinitionError(message)
        return link

    def _names(self) -> list[str]:
        but = self._makegood_but
        return [link.name for link in self._makegood_links.all() if link.name not in but]


def listed(names: Iterable[str]) -> str:
    """Return names as a sentence names them."""
    return ", ".join(f"`{name}`" for name in names) or "nothing"

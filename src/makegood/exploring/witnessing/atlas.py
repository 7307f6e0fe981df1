"""Finds a node by its path in a plan and its rounds, without the decision core's graph."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from makegood.decision import facts

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from makegood.decision.facts import Fact
    from makegood.definition.plan import Node, Plan

__all__ = ["Atlas"]

_ROUND = re.compile(r"\[\d+\]/")


class Atlas:
    """What a plan says of the paths of a run: `each[3]/visit` is `visit` in the block of `each`."""

    def __init__(self, plan: Plan) -> None:
        self.nodes = plan.nodes
        self.planned: dict[str, Node] = {}
        self.siblings: dict[str, Sequence[Node]] = {}
        self._known: dict[str, str] = {}
        """Paths of a run as the plan has them, so that each is worked out once."""
        self._note("", plan.nodes)

    def _note(self, prefix: str, nodes: Sequence[Node]) -> None:
        for node in nodes:
            path = prefix + node.path
            self.planned[path] = node
            self.siblings[path] = nodes
            for block in node.inner:
                self._note(f"{path}[]/", block.nodes)

    def node(self, path: str) -> Node:
        """Return what is planned for this path of a run."""
        return self.planned[self._planned(path)]

    def _planned(self, path: str) -> str:
        planned = self._known.get(path)
        if planned is None:
            planned = self._known[path] = _ROUND.sub("[]/", path)
        return planned

    def paths(self, rounds_max: int) -> Iterator[str]:
        """Yield every path that a run can have whose blocks go round at most so often."""
        for path in self.planned:
            paths = [path]
            for _ in range(path.count("[]")):
                paths = [
                    each.replace("[]", f"[{number}]", 1)
                    for each in paths
                    for number in range(rounds_max)
                ]
            yield from paths

    def needs(self, path: str) -> Iterator[str]:
        """Yield what must have ended before this: the choice apart, which a switch outlasts."""
        prefix, node = _prefix(path), self.node(path)
        siblings = self.siblings[self._planned(path)]
        switch = None if node.branch is None else node.branch.node
        for place in node.needs:
            if place != switch:
                yield prefix + siblings[place].path

    def choice(self, path: str) -> tuple[str, str] | None:
        """Return the switch and the case that this path is of, or None."""
        branch = self.node(path).branch
        if branch is None:
            return None
        siblings = self.siblings[self._planned(path)]
        return _prefix(path) + siblings[branch.node].path, branch.case

    def keeping_failures(self, path: str) -> str | None:
        """Return how paths begin in the innermost round that keeps a node's failure, or None."""
        prefix = _prefix(path)
        while prefix:
            outer = prefix[: prefix.rindex("[")]
            block = self.node(outer).block
            if block is not None and block.keeps_failures:
                return prefix
            prefix = _prefix(outer)
        return None

    def in_rounds_that_count(self, paths: Iterable[str], stored: Sequence[Fact]) -> set[str]:
        """Return those of the paths that are in no round that has failed by itself."""
        failed = _given_up(stored)
        return {path for path in paths if not path.startswith(failed)} if failed else {*paths}

    def expected(self, stored: Sequence[Fact]) -> set[str]:
        """Return the paths that must have ended in a run that has these facts and completed."""
        chosen: dict[str, str] = {}
        rounds: dict[str, int] = {}
        for fact in stored:
            match fact:
                case facts.Chosen(node=node, case=case):
                    chosen[node] = case
                case facts.ItemsListed(node=node, items=items):
                    rounds[node] = len(items)
                case facts.RoundBegan(node=node):
                    rounds[node] = rounds.get(node, 0) + 1
                case _:
                    pass
        begun = {
            path[: match.end()]
            for path in (getattr(fact, "node", None) or "" for fact in stored)
            for match in _ROUND.finditer(path)
        }
        counted = begun.difference(_given_up(stored))
        expected = set(self._expected("", self.nodes, chosen, rounds, counted))
        return expected | set(self._handled(stored))

    def _handled(self, stored: Sequence[Fact]) -> Iterator[str]:
        """Yield the paths of the handlers that were called, but for those that gave up."""
        gave_up = {fact.node for fact in stored if isinstance(fact, facts.NodeGaveUp)}
        for fact in stored:
            if isinstance(fact, facts.HandlingBegan):
                node = self.planned[fact.node]
                assert node.machine is not None, "only a lifecycle has handlers"
                block = node.blocks[node.machine.places[fact.handler]]
                paths = (f"{fact.node}[{fact.round}]/{inner.path}" for inner in block.nodes)
                yield from (path for path in paths if path not in gave_up)

    def _expected(
        self,
        prefix: str,
        nodes: Sequence[Node],
        chosen: dict[str, str],
        rounds: dict[str, int],
        counted: set[str],
    ) -> Iterator[str]:
        there: set[int] = set()
        for place, node in enumerate(nodes):
            branch = node.branch
            if branch is not None:
                switch = prefix + nodes[branch.node].path
                if branch.node not in there or chosen.get(switch) != branch.case:
                    continue
            there.add(place)
            path = prefix + node.path
            yield path
            if node.block is not None:
                for number in range(rounds.get(path, 0)):
                    inside = f"{path}[{number}]/"
                    # Where enough is enough, a round need not have begun; one may have failed.
                    if inside in counted or not node.block.keeps_failures:
                        yield from self._expected(inside, node.block.nodes, chosen, rounds, counted)


def _prefix(path: str) -> str:
    """Return what stands before a node's own path: the rounds that it is within."""
    if "]" not in path:
        return ""
    ends = [match.end() for match in _ROUND.finditer(path)]
    return path[: max(ends, default=0)]


def _given_up(stored: Sequence[Fact]) -> tuple[str, ...]:
    """Return how the paths begin of the rounds that have failed by themselves."""
    return tuple(
        f"{fact.node}[{fact.round}]/" for fact in stored if isinstance(fact, facts.RoundGaveUp)
    )

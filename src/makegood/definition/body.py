"""Whether the body of a workflow is a straight line of calls: its source, parsed.

Placeholders refuse most of what a body must not do with them, but an object cannot notice
`x is None` or `isinstance(x, T)`, and it can only refuse the first mistake. So the body is also
read before it is run, and everything that is not in its grammar is found at once:

    body       = [docstring] statement* [return]
    statement  = name "=" value | name ":" type "=" value | call | part | "pass"
    part       = "def" name "(" ")" ":" body
    value      = a result, an input, a part of one | a constant | a tuple, list, dict or record
    call       = a definition, wired by .named, .after and .when, called with values
               | switch(value, {constant: branch, …}, default=branch) | sleep(…) | fail(…)
               | note(name, value) | hook(name, value, …) | hold(value, within=value)
               | wait(class, key=value) | send(value, key=value)
               | each(value, round) | repeat(round, value, until=…)
    branch     = a lambda of a value | the name of a part; a round is one with a parameter
    definition = step(…), query(…), pure(…), or a name for one

What only passes values on, such as a chain's `using`, is read so too, but calls no definition.

Every expression is given a meaning, by looking its names up where the body would; a name that
the body assigns has the meaning of what is assigned to it. What is wrong is given the meaning
`Wrong`, about which nothing more is said.
"""

from __future__ import annotations

import ast
import warnings
from collections import ChainMap
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import assert_never

from makegood.definition.flow.branching import switch
from makegood.definition.flow.failing import expect, fail
from makegood.definition.flow.holding import Hold
from makegood.definition.flow.hooking import hook
from makegood.definition.flow.looping import each, repeat
from makegood.definition.flow.messaging import Send, Wait
from makegood.definition.flow.noting import note
from makegood.definition.flow.sleeping import Sleep
from makegood.definition.reading.called import as_pure, is_class, taken_together, unknown_call
from makegood.definition.reading.inner import BRANCH, ROUND, is_lambda_of, problem_of_part
from makegood.definition.reading.meaning import (
    Definition,
    Meaning,
    Part,
    Result,
    Shape,
    Thing,
    Wiring,
    Written,
    Wrong,
)
from makegood.definition.reading.parts import is_record
from makegood.definition.reading.place import Place, caller, place_of
from makegood.definition.reading.refusals import EXPRESSIONS, STATEMENTS
from makegood.definition.reading.signature import name_of
from makegood.definition.reading.source import arguments_of, names_around, syntax_of
from makegood.definition.step import Pure, Query, Step, pure, query, step

__all__ = ["read_body", "read_passing"]

Function = Callable[..., object]


def read_body(function: Function) -> list[str]:
    """Return every problem of a body, each with its line and what to write instead.

    Where there is no source, as in an interactive session, a warning says that only the
    placeholders watch over the body.
    """
    if name_of(function) == "<lambda>":
        return []  # It is refused for its name; its source is not worth a warning.
    return _read(function, is_passing=False)


def read_passing(function: Function) -> list[str]:
    """Return every problem of a function that only passes values on, like those of a body."""
    return _read(function, is_passing=True)


def _read(function: Function, *, is_passing: bool) -> list[str]:
    parsed = syntax_of(function)
    if parsed is None:
        message = (
            f"the source of `{name_of(function)}` cannot be read, so it is not checked before it "
            "is run; declare workflows in a file"
        )
        file, line = caller()
        warnings.warn_explicit(message, UserWarning, file, line)
        return []
    tree, offset = parsed
    reading = _Reading(
        file=place_of(function).file,
        offset=offset,
        outer=names_around(function),
        is_passing=is_passing,
    )
    reading.names.update({argument.arg: Result() for argument in arguments_of(tree)})
    if isinstance(tree, ast.Lambda):
        reading.value(tree.body)
    else:
        reading.statements(tree.body)
    return reading.problems


_WIRING = frozenset({"named", "after", "when"})
_FACTORIES: tuple[object, ...] = (step, query, pure)
_WIRED = (Step, Query, Pure, Sleep, Wait, Send, Hold)


@dataclass(slots=True)
class _Reading:
    """One reading of one body, gathering its problems."""

    file: str
    offset: int
    outer: Mapping[str, object]
    is_passing: bool
    """Whether it only passes values on: the steps are called by somebody else."""
    names: ChainMap[str, Meaning] = field(default_factory=ChainMap[str, "Meaning"])
    problems: list[str] = field(default_factory=list[str])

    def value(self, expression: ast.expr) -> None:
        self._meaning(expression)

    def statements(self, body: list[ast.stmt]) -> None:
        for position, statement in enumerate(body):
            self._statement(statement)
            if isinstance(statement, ast.Return) and position + 1 < len(body):
                self._problem(body[position + 1], "nothing after `return` is read; remove it")
                return

    def _statement(self, statement: ast.stmt) -> None:
        match statement:
            case ast.Expr(ast.Constant(str())) | ast.Pass():
                return
            case ast.Expr(ast.Call() as call):
                self._meaning(call)
            case ast.Expr(value):
                if not isinstance(self._meaning(value), Wrong):
                    self._problem(statement, "this line does nothing; call a step, or remove it")
            case ast.Assign(targets, value):
                self._assign(targets, value)
            case ast.AnnAssign(target, _, value) if value is not None:
                self._assign([target], value)
            case ast.Return(value):
                if value is not None:
                    self._meaning(value)
            case ast.FunctionDef() if not self.is_passing:
                self._part(statement)
            case _:
                self._refuse_statement(statement)

    def _part(self, function: ast.FunctionDef) -> None:
        """Read a function that the body defines for one of its branches or its rounds."""
        problem = problem_of_part(function)
        if problem is not None:
            self._problem(function, problem)
        given = function.args.args
        outside = self.names
        self.names = outside.new_child({each.arg: Result() for each in given})
        self.statements(function.body)
        self.names = outside
        self.names[function.name] = Part(len(given))

    def _assign(self, targets: list[ast.expr], value: ast.expr) -> None:
        match targets, value:
            case [ast.Tuple(names) | ast.List(names)], ast.Tuple(values) | ast.List(values) if len(
                names
            ) == len(values):
                for name, part in zip(names, values, strict=True):
                    self._assign([name], part)
            case _:
                meaning = self._meaning(value)
                for target in targets:
                    self._assign_one(target, meaning)

    def _assign_one(self, target: ast.expr, meaning: Meaning) -> None:
        match target:
            case ast.Name(name):
                self.names[name] = meaning
            case ast.Tuple() | ast.List():
                self._assigned_within(target)
                self._problem(
                    target,
                    "unpacking iterates now, before the value exists; take parts with [0], [1]",
                )
            case _:
                self._problem(target, "a body assigns to plain names only; use one")

    def _refuse_statement(self, statement: ast.stmt) -> None:
        self._problem(
            statement,
            STATEMENTS.get(type(statement), "this statement has no place in a body; remove it"),
        )
        if isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            self.names[statement.name] = Wrong()
            return
        for inner in ast.iter_child_nodes(statement):
            match inner:
                case ast.ExceptHandler(body=body) | ast.match_case(body=body):
                    for held in body:
                        self._statement(held)
                case ast.stmt():
                    self._statement(inner)
                case ast.Name(name, ast.Store()):
                    self.names[name] = Wrong()
                case _:
                    self._assigned_within(inner)

    def _assigned_within(self, tree: ast.AST) -> None:
        """Know the names that a refused construct assigns, so as not to call them unknown."""
        for inner in ast.walk(tree):
            if isinstance(inner, ast.Name) and isinstance(inner.ctx, ast.Store):
                self.names[inner.id] = Wrong()

    def _meaning(self, expression: ast.expr) -> Meaning:
        match expression:
            case ast.Constant() | ast.UnaryOp(ast.USub(), ast.Constant()):
                return Written()
            case ast.Name():
                return self._name(expression)
            case ast.Attribute():
                return self._attribute(expression)
            case ast.Subscript():
                return self._item(expression)
            case ast.Call():
                return self._call(expression)
            case ast.Tuple(items) | ast.List(items):
                return self._shape(items)
            case ast.Dict(keys, values):
                return self._dict(expression, keys, values)
            case _:
                self._assigned_within(expression)
                return self._problem(expression, self._refusal(expression))

    def _refusal(self, expression: ast.expr) -> str:
        if self.is_passing:
            return (
                f"`{ast.unparse(expression):.60}` would be computed now, before the value exists; "
                "compute it in .then(pure(…), using=…), and pass its result on"
            )
        return EXPRESSIONS.get(type(expression), "this has no place in a body; remove it")

    def _name(self, expression: ast.Name) -> Meaning:
        name = expression.id
        if name in self.names:
            return self.names[name]
        if name in self.outer:
            return Thing(self.outer[name])
        return self._problem(expression, f"`{name}` is not defined; assign it above, or import it")

    def _attribute(self, expression: ast.Attribute) -> Meaning:
        whole, name = self._meaning(expression.value), expression.attr
        match whole:
            case Result() | Wrong():
                return whole
            case Definition():
                if name in _WIRING:
                    return Wiring()
                return self._problem(expression, f"a definition has no `{name}` in a body; {_WIRE}")
            case Thing(value):
                return self._attribute_of(expression, value, name)
            case Shape() | Written() | Wiring() | Part():
                return self._problem(
                    expression, f"`{ast.unparse(expression)}` has no place in a body; use pure(…)"
                )
            case _:
                assert_never(whole)

    def _attribute_of(self, expression: ast.Attribute, value: object, name: str) -> Meaning:
        if isinstance(value, _WIRED):
            if name in _WIRING:
                return Wiring()
            if self.is_passing:
                return self._problem(
                    expression,
                    f"`{name}` is a part of what the step returns; write "
                    f"`done[{ast.unparse(expression.value)}].{name}`",
                )
            return self._problem(
                expression,
                f"`{ast.unparse(expression.value)}` is not called; call it with its arguments, "
                f"then take `.{name}` of the result",
            )
        # Any attribute may run code of the user's and fail as it likes; that is the body's line.
        try:
            return Thing(getattr(value, name))
        except AttributeError:
            return self._problem(expression, f"`{ast.unparse(expression)}` does not exist")

    def _item(self, expression: ast.Subscript) -> Meaning:
        whole = self._meaning(expression.value)
        if isinstance(expression.slice, ast.Slice):
            return self._problem(expression, EXPRESSIONS[ast.Slice])
        key = self._meaning(expression.slice)
        if isinstance(key, Wrong):
            return key
        if isinstance(whole, Thing | Written):
            return Written()
        if isinstance(whole, Shape | Definition | Wiring | Part):
            return self._problem(
                expression, f"`{ast.unparse(expression)}` has no place in a body; use pure(…)"
            )
        if self.is_passing and isinstance(key, Definition):
            return whole
        if isinstance(whole, Result) and not isinstance(key, Written | Thing):
            return self._problem(
                expression, "an item is taken by constant text or number; take this one in pure(…)"
            )
        return whole

    def _shape(self, items: list[ast.expr]) -> Meaning:
        return taken_together([self._meaning(item) for item in items])

    def _dict(
        self, expression: ast.Dict, keys: list[ast.expr | None], values: list[ast.expr]
    ) -> Meaning:
        if any(key is None for key in keys):
            return self._problem(expression, EXPRESSIONS[ast.Starred])
        named = [self._meaning(key) for key in keys if key is not None]
        if any(isinstance(key, Result) for key in named):
            return self._problem(expression, "a result cannot be a key; build it in pure(…)")
        return taken_together([self._meaning(value) for value in values])

    def _call(self, call: ast.Call) -> Meaning:
        called = self._meaning(call.func)
        if self.is_passing and not isinstance(called, Wrong):
            return self._call_in_passing(call, called)
        match called:
            case Wrong():
                self._given(call)
                return called
            case Definition():
                self._given(call)
                return Result()
            case Wiring():
                self._given(call)
                return Definition()
            case Result():
                self._given(call)
                return self._problem(
                    call,
                    f"`{ast.unparse(call.func)}` is called, but it only exists when the workflow "
                    "runs; call it in a step or in pure(…)",
                )
            case Thing(value):
                return self._call_thing(call, value)
            case Part():
                return self._problem(
                    call,
                    f"`{ast.unparse(call.func)}` is a part of the body; give it to switch(…), "
                    "each(…) or repeat(…), uncalled",
                )
            case Written() | Shape():
                return self._problem(call, f"`{ast.unparse(call.func)}` cannot be called")
            case _:
                assert_never(called)

    def _call_in_passing(self, call: ast.Call, called: Meaning) -> Meaning:
        """Allow constants to be made and links to be named, and nothing else."""
        given = self._given(call)
        if isinstance(given, Wrong):
            return given
        if isinstance(called, Wiring) and ast.unparse(call.func).endswith(".named"):
            return Definition()
        if isinstance(called, Thing) and is_class(called.value) and isinstance(given, Written):
            return given
        return self._problem(
            call,
            f"`{ast.unparse(call.func):.60}(…)` is called where values are only passed on; let a "
            ".then(…) of its own call it, as a step, a query or pure(…)",
        )

    def _call_thing(self, call: ast.Call, value: object) -> Meaning:
        if any(value is factory for factory in _FACTORIES):
            return self._declared(call)
        if value is switch:
            return self._switch(call)
        if value is each or value is repeat:
            return self._rounds(call)
        given = self._given(call)
        if isinstance(value, _WIRED) or value is fail or value is hook:
            return Result()
        if value is expect or value is note:
            return Written()
        return self._constructed(call, value, given)

    def _switch(self, call: ast.Call) -> Meaning:
        """Read a switch: its value, and each branch as a part of this body."""
        for position, argument in enumerate(call.args):
            if position == 1:
                self._cases(argument)
            else:
                self._meaning(argument)
        for keyword in call.keywords:
            if keyword.arg == "cases":
                self._cases(keyword.value)
            elif keyword.arg == "default":
                self._branch(keyword.value)
            else:
                self._meaning(keyword.value)
        return Result()

    def _cases(self, cases: ast.expr) -> None:
        if not isinstance(cases, ast.Dict):
            self._problem(cases, "the cases of a switch are written out, as a dict of branches")
            return
        for case, branch in zip(cases.keys, cases.values, strict=True):
            if case is None:
                self._problem(branch, EXPRESSIONS[ast.Starred])
            elif not isinstance(self._meaning(case), Written | Thing | Wrong):
                self._problem(case, "a case is a constant; compare in pure(…), and switch on that")
            self._branch(branch)

    def _rounds(self, call: ast.Call) -> Meaning:
        """Read an each or a repeat: one of its parts is the body of a round."""
        is_each = self._meaning(call.func) == Thing(each)
        for position, argument in enumerate(call.args):
            if position == (1 if is_each else 0):
                self._round(argument)
            else:
                self._meaning(argument)
        for keyword in call.keywords:
            if keyword.arg == "body":
                self._round(keyword.value)
            elif keyword.arg != "until":  # It is a plain function, called when the workflow runs.
                self._meaning(keyword.value)
        return Result()

    def _round(self, body: ast.expr) -> None:
        if isinstance(body, ast.Name | ast.Attribute) and isinstance(
            self._meaning(body), Thing | Definition
        ):
            return  # A step, a query or a pure, which is called with the item as it is.
        self._part_given(body, 1, ROUND)

    def _branch(self, branch: ast.expr) -> None:
        self._part_given(branch, 0, BRANCH)

    def _part_given(self, part: ast.expr, parameters: int, remedy: str) -> None:
        """Read a part of the body that is given to a flow function."""
        match part:
            case ast.Lambda(given, body) if is_lambda_of(part, parameters):
                outside = self.names
                self.names = outside.new_child({each.arg: Result() for each in given.args})
                self._meaning(body)
                self.names = outside
            case ast.Name():
                meaning = self._name(part)
                if meaning != Part(parameters) and not isinstance(meaning, Wrong):
                    self._problem(part, remedy)
            case _:
                self._problem(part, remedy)

    def _declared(self, call: ast.Call) -> Meaning:
        """Allow anything in a declaration, except what only exists later."""
        for inner in ast.walk(call):
            if isinstance(inner, ast.Name) and isinstance(self.names.get(inner.id), Result):
                return self._problem(
                    inner,
                    f"`{inner.id}` only exists when the workflow runs, but a declaration is made "
                    "now; pass it when you call the step",
                )
        return Definition()

    def _constructed(self, call: ast.Call, value: object, given: Meaning) -> Meaning:
        name = ast.unparse(call.func)
        if isinstance(given, Wrong):
            return given
        if is_class(value):
            if isinstance(given, Written):
                return Written()
            if is_record(value):
                return Shape()
            return self._problem(call, f"`{name}` is given results; write {as_pure(value, name)}")
        return self._problem(call, unknown_call(value, name))

    def _given(self, call: ast.Call) -> Meaning:
        """Return what a call is given, taken together."""
        given = [self._meaning(argument) for argument in call.args]
        for keyword in call.keywords:
            if keyword.arg is None:
                given.append(self._problem(call, EXPRESSIONS[ast.Starred]))
            else:
                given.append(self._meaning(keyword.value))
        return taken_together(given)

    def _problem(self, node: ast.AST, sentence: str) -> Wrong:
        line = getattr(node, "lineno", 1) + self.offset
        self.problems.append(f"{Place(self.file, line)}: {sentence}")
        return Wrong()


_WIRE = "wire it with .named, .after or .when, then call it"

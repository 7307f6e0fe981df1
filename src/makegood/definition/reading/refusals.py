"""What a body may not contain, by its place in Python's grammar, and what to write instead."""

from __future__ import annotations

import ast

__all__ = ["EXPRESSIONS", "STATEMENTS"]

STATEMENTS: dict[type[ast.stmt], str] = {
    ast.If: "`if` decides now, for all runs; guard a step with .when(…), or decide in pure(…)",
    ast.Match: "`match` decides now, for all runs; guard a step with .when(…)",
    ast.For: "`for` repeats now, for all runs; pass the whole list to a step",
    ast.While: "`while` repeats now, for all runs; repeat inside a step",
    ast.AsyncFor: "`async for` has no place in a body; pass the whole list to a step",
    ast.With: "`with` has no place in a body; open and close inside a step",
    ast.AsyncWith: "`async with` has no place in a body; open and close inside a step",
    ast.Try: "`try` catches nothing here, because no step runs yet; use compensate= or optional=",
    ast.TryStar: "`try` catches nothing here, because no step runs yet; use compensate=",
    ast.Raise: "`raise` would fail now, for all runs; use expect(flag, error)",
    ast.Assert: "`assert` checks now, for all runs; use expect(flag, error)",
    ast.AugAssign: "a body does not calculate; use pure(…)",
    ast.Delete: "`del` has no place in a body; remove it",
    ast.Global: "`global` has no place in a body; return what is needed",
    ast.Nonlocal: "`nonlocal` has no place in a body; return what is needed",
    ast.Import: "imports stand at the top of the module; move it there",
    ast.ImportFrom: "imports stand at the top of the module; move it there",
    ast.FunctionDef: "functions stand outside of a body; move it out",
    ast.AsyncFunctionDef: "functions stand outside of a body; move it out",
    ast.ClassDef: "classes stand outside of a body; move it out",
}

EXPRESSIONS: dict[type[ast.expr], str] = {
    ast.Compare: "a body does not compare: the value only exists when the workflow runs; "
    "compare in pure(…), then use .when(…) or expect(…)",
    ast.BoolOp: "`and` and `or` decide now, for all runs; combine flags in pure(…)",
    ast.UnaryOp: "a body does not calculate; use pure(…)",
    ast.BinOp: "a body does not calculate; use pure(…), or name the constant outside of the body",
    ast.IfExp: "`if` decides now, for all runs; guard a step with .when(…), or decide in pure(…)",
    ast.JoinedStr: "an f-string would be filled in now, for all runs; make text in pure(…)",
    ast.Await: "nothing is awaited in a body: the engine awaits the steps; remove `await`",
    ast.Yield: "a body does not yield; return a tuple or a list of results",
    ast.YieldFrom: "a body does not yield; return a tuple or a list of results",
    ast.ListComp: "a comprehension repeats now, for all runs; pass the whole list to a step",
    ast.SetComp: "a comprehension repeats now, for all runs; pass the whole list to a step",
    ast.DictComp: "a comprehension repeats now, for all runs; pass the whole list to a step",
    ast.GeneratorExp: "a comprehension repeats now, for all runs; pass the whole list to a step",
    ast.NamedExpr: "`:=` has no place in a body; assign on a line of its own",
    ast.Starred: "`*` unpacks now, before the value exists; pass the whole value on",
    ast.Lambda: "a lambda is a branch of switch(…), or a round of each(…) or repeat(…); "
    "else write a function, as pure(…)",
    ast.Slice: "a slice is taken now, before the value exists; take it in pure(…)",
    ast.Set: "a set has no order to be stored in; use a tuple or a list",
}

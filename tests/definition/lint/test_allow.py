"""A reason allows what is found, for as long as it is found."""

from __future__ import annotations

from typing import Any

import pytest

from makegood import DefinitionError, IdempotencyKey, chain, injected, lint, query, step, workflow


async def hold(sku: str) -> str: ...
async def release(hold: str) -> None: ...
async def charge(sku: str, *, key: IdempotencyKey = injected) -> str: ...
async def ask(sku: str, *, key: IdempotencyKey = injected) -> str: ...


WHY = "the books keep it"


def told(declared: Any) -> list[tuple[str, str | None]]:
    return [(finding.code, finding.reason) for finding in declared.findings]


def test_a_step_allows_what_is_found_in_it() -> None:
    declared = step(hold, allow={"MG102": WHY})

    @workflow(strict=True)
    def kept(sku: str) -> str:
        return declared(sku)

    assert told(kept) == [("MG102", WHY)]
    assert lint(kept) == ()
    assert repr(kept) == "<workflow kept(sku) -> str: 1 nodes>"


def test_a_query_allows_what_is_found_in_it() -> None:
    @workflow(strict=True)
    def asked(sku: str) -> str:
        return query(ask, allow={"MG109": WHY})(sku)

    assert told(asked) == [("MG109", WHY)]


def test_a_workflow_allows_what_is_found_in_all_of_it() -> None:
    @workflow(strict=True, allow={"MG102": WHY, "MG101": "it is for later"})
    def kept(sku: str, more: int) -> None:
        step(hold)(sku)
        step(hold, name="again")(sku)

    assert told(kept) == [("MG101", "it is for later"), ("MG102", WHY), ("MG102", WHY)]


def test_a_chain_allows_like_a_body() -> None:
    kept = chain("kept", step(hold)).workflow(strict=True, allow={"MG102": WHY})

    assert told(kept) == [("MG102", WHY)]


def test_the_reason_of_the_step_comes_first() -> None:
    @workflow(allow={"MG102": "the workflow's"})
    def kept(sku: str) -> None:
        step(hold, allow={"MG102": WHY})(sku)
        step(hold, name="again")(sku)

    assert told(kept) == [("MG102", WHY), ("MG102", "the workflow's")]


def test_what_a_step_allows_it_allows_of_its_wiring_too() -> None:
    payment = step(charge, irreversible="cash", key_valid_for=None, allow={"MG103": WHY})

    @workflow(strict=True)
    def beside(sku: str) -> None:
        payment(sku)
        step(hold, undo=release)(sku)

    assert told(beside) == [("MG103", WHY)]


def test_a_reason_for_nothing_is_found() -> None:
    @workflow(allow={"MG105": WHY})
    def kept(sku: str) -> str:
        return step(hold, undo=release, allow={"MG102": WHY})(sku)

    assert [(finding.code, finding.path, finding.sentence) for finding in lint(kept)] == [
        (
            "MG100",
            "hold",
            "`hold` allows MG102, which finds nothing there; remove it from allow=, or give it to "
            "the workflows in which it is found",
        ),
        (
            "MG100",
            None,
            "`kept` allows MG105, which finds nothing in it; remove it from allow=",
        ),
    ]
    with pytest.raises(DefinitionError, match="MG100 `strict` allows MG105, which finds nothing"):

        @workflow(strict=True, allow={"MG105": WHY})
        def strict(sku: str) -> str:
            return step(hold, undo=release)(sku)


WRONG: list[tuple[Any, str]] = [
    ({"MG999": WHY}, "allow= names 'MG999', which is no rule; did you mean MG109?"),
    ({"tea": WHY}, "allow= names 'tea', which is no rule; docs/reference/lint.md lists the rules"),
    ({3: WHY}, "allow= names 3, which is no rule; docs/reference/lint.md lists the rules"),
    ({"MG102": " "}, "allow= gives no reason for MG102; say why it is meant so"),
    ({"MG102": None}, "allow= gives no reason for MG102; say why it is meant so"),
    ({"MG100": WHY}, "allow= names MG100, which nothing excuses; remove what it finds"),
    ("MG102", 'allow=\'MG102\' gives no reasons; write allow={"MG102": "why"}'),
]


@pytest.mark.parametrize(("allow", "why"), WRONG)
def test_a_reason_for_no_rule_and_no_reason_are_refused(allow: Any, why: str) -> None:
    for declare in (
        lambda: step(hold, undo=release, allow=allow),
        lambda: query(hold, allow=allow),
        lambda: chain("kept", step(hold)).workflow(allow=allow),
    ):
        with pytest.raises(DefinitionError) as caught:
            declare()

        assert [problem.partition(": ")[2] for problem in caught.value.problems] == [why]


def test_several_workflows_are_looked_at_in_their_order() -> None:
    first = chain("first", step(hold)).workflow()
    second = chain("second", step(charge, key_valid_for=None)).workflow()

    assert [(finding.workflow, finding.code) for finding in lint(second, first)] == [
        ("second", "MG102"),
        ("first", "MG102"),
    ]

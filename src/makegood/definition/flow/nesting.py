"""A workflow as a step of another one: `step(workflow)`.

It is a node without a function of the user's: what it is given starts a run of its own, and what
that run comes to is its result. So it has no policy of attempts, for the steps of the child have
theirs, and no undo, for the child is undone as one unit.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from makegood.definition.code import BodyCode
from makegood.definition.lint.rules import misallowed
from makegood.definition.plan import Backoff, Kind, Node
from makegood.definition.reading.fit import type_name
from makegood.definition.reading.place import caller
from makegood.definition.recipe import (
    COMPENSATE_RETRY,
    COMPENSATE_TIMEOUT,
    KEY_VALID_FOR,
    RETRY,
    TIMEOUT,
    UNDO_RETRY,
    UNDO_TIMEOUT,
    Recipe,
    StepPolicy,
    misnamed,
    out_of_bounds,
)
from makegood.errors import DefinitionError
from makegood.values.codec import codec_of

if TYPE_CHECKING:
    from makegood.definition.call import Workflow

__all__ = ["child_recipe"]


# Any: a workflow takes and returns whatever it declares.
def child_recipe(workflow: Workflow[..., Any], policy: StepPolicy) -> Recipe:
    """Return the recipe of a child; raise `DefinitionError` with everything that is wrong."""
    path = policy.name or workflow.name
    why = misnamed(path)
    problems = [*([why] if why else []), *_without_effect(workflow.name, policy)]
    problems += out_of_bounds("timeout_total", policy.timeout_total)
    problems += misallowed(policy.allow)
    if policy.optional and policy.pivot:
        problems.append(
            "optional=True and pivot=True contradict each other: a run cannot be past a step "
            "that need not happen; keep one"
        )
    if problems:
        raise DefinitionError(*(f"{caller()}: {problem}" for problem in problems))
    signature = replace(workflow.signature, name=workflow.name)
    node = Node(
        path=path,
        kind=Kind.CHILD,
        function=workflow.name,
        returns=type_name(signature.returns),
        retry=Backoff(attempts=1),
        timeout=None,
        timeout_total=policy.timeout_total,
        optional=policy.optional,
        pivot=policy.pivot,
        summary=workflow.plan.summary,
    )
    return Recipe(
        node=node,
        place=caller(),
        signature=signature,
        body=BodyCode(function=workflow),
        result=codec_of(signature.returns),
        allow={**policy.allow},
    )


def _without_effect(name: str, policy: StepPolicy) -> list[str]:
    """Name the options that say how a function is called, where there is none."""
    stated = {
        "undo": policy.undo is not None,
        "undo_retry": policy.undo_retry is not UNDO_RETRY,
        "undo_timeout": policy.undo_timeout is not UNDO_TIMEOUT,
        "compensate": policy.compensate is not None,
        "compensate_retry": policy.compensate_retry is not COMPENSATE_RETRY,
        "compensate_timeout": policy.compensate_timeout is not COMPENSATE_TIMEOUT,
        "retry": policy.retry is not RETRY,
        "timeout": policy.timeout is not TIMEOUT,
        "key_valid_for": policy.key_valid_for is not KEY_VALID_FOR,
        "irreversible": policy.irreversible is not None,
    }
    return [
        (
            f"{option}= has no effect on the workflow `{name}`, which is carried out and undone "
            "as a run of its own; say it of its steps, or use timeout_total="
        )
        for option, is_stated in stated.items()
        if is_stated
    ]

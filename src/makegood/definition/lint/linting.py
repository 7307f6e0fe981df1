"""What looks wrong in a workflow, and which of it is meant so: `lint`.

Every rule looks at the workflow when it is declared. `allow=` gives reasons: that of a declaration
speaks for the nodes it makes, that of a workflow for all that is in it. A reason for which nothing
is found is itself a finding, so that none outlives what it was given for.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from makegood.definition.lint.finding import Finding, Found
from makegood.definition.lint.rules import ALLOWED_FOR_NOTHING, RULES

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from makegood.definition.lint.subject import Subject
    from makegood.definition.recipe import Recipe
    from makegood.definition.workflow import Workflow

__all__ = ["findings_of", "lint"]


# Any: a workflow is looked at whatever it takes and returns.
def lint(*workflows: Workflow[..., Any]) -> tuple[Finding, ...]:
    """Return what looks wrong in workflows and is not allowed by a reason.

    The rules and their codes are listed in docs/reference/lint.md. What was allowed stands in
    `Workflow.findings`, with its reason.
    """
    return tuple(
        finding for workflow in workflows for finding in workflow.findings if finding.reason is None
    )


def findings_of(subject: Subject, allow: Mapping[str, str]) -> tuple[Finding, ...]:
    """Return all that looks wrong in a workflow, what is allowed with the reason for it."""
    findings: list[Finding] = []
    used: set[tuple[Recipe | None, str]] = set()
    for rule in RULES:
        findings += [
            _judged(rule.code, found, subject, allow, used) for found in rule.look(subject)
        ]
    findings += [
        _judged(ALLOWED_FOR_NOTHING, found, subject, {}, used)
        for found in _allowed_for_nothing(subject, allow, used)
    ]
    return tuple(findings)


def _judged(
    code: str,
    found: Found,
    subject: Subject,
    allow: Mapping[str, str],
    used: set[tuple[Recipe | None, str]],
) -> Finding:
    """Return a finding with the reason for which it is allowed, and note that this was used."""
    own: Mapping[str, str] = {} if found.recipe is None else found.recipe.allow
    reason = own.get(code) or allow.get(code)
    if reason is not None:
        used.add((found.recipe if code in own else None, code))
    return Finding(
        code=code,
        sentence=found.sentence,
        workflow=subject.plan.workflow,
        path=found.path,
        file=found.place.file,
        line=found.place.line,
        reason=reason,
    )


def _allowed_for_nothing(
    subject: Subject, allow: Mapping[str, str], used: set[tuple[Recipe | None, str]]
) -> Iterator[Found]:
    for seen, recipe in subject.declared:
        for code in recipe.allow:
            if (recipe, code) not in used:
                yield Found(
                    sentence=(
                        f"`{seen.path}` allows {code}, which finds nothing there; remove it from "
                        "allow=, or give it to the workflows in which it is found"
                    ),
                    place=recipe.place,
                    path=seen.path,
                    recipe=recipe,
                )
    for code in allow:
        if (None, code) not in used:
            yield Found(
                sentence=(
                    f"`{subject.plan.workflow}` allows {code}, which finds nothing in it; remove "
                    "it from allow="
                ),
                place=subject.place,
            )

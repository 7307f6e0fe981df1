"""What looks wrong in a program's workflows? `makegood lint` says, a line each, for an editor."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from makegood import DefinitionError, InvalidInput
from makegood.cli.status import DONE, ERROR
from makegood.cli.workflows import workflows_of
from makegood.cli.writing import json_of, look_of, write
from makegood.picture.marks import Style
from makegood.picture.typeset import visible

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from makegood import Finding
    from makegood.cli.workflows import AnyWorkflow
    from makegood.cli.writing import Look

__all__ = ["lint"]


def lint(place: str, *, is_told_allowed: bool, as_json: bool) -> int:
    """Write what looks wrong; a program that strict workflows refuse to import is told alike."""
    try:
        workflows = workflows_of(place, asked="lint")
    except InvalidInput as error:
        refused = error.__cause__
        if not isinstance(refused, DefinitionError):
            raise
        write(_as_json((), (), refused.problems) if as_json else "\n".join(refused.problems))
        return ERROR
    findings = [finding for each in workflows for finding in each.findings]
    wrong = [finding for finding in findings if finding.reason is None]
    told = findings if is_told_allowed else wrong
    if as_json:
        write(_as_json(workflows, told, ()))
    else:
        write("\n".join(_as_text(workflows, told, len(wrong), look_of(sys.stdout))))
    return ERROR if wrong else DONE


def _as_json(
    workflows: Sequence[AnyWorkflow], findings: Sequence[Finding], refused: Sequence[str]
) -> str:
    return json_of(
        {
            "workflows": [each.name for each in workflows],
            "findings": findings,
            "refused": refused,
        }
    )


def _as_text(
    workflows: Sequence[AnyWorkflow], findings: Sequence[Finding], wrong: int, look: Look
) -> Iterator[str]:
    for finding in findings:
        where = look.ink(f"{_shown(finding.file)}:{finding.line}:", Style.FAINT)
        if finding.reason is None:
            yield f"{where} {look.ink(finding.code, Style.BAD)} {finding.sentence}"
        else:
            yield f"{where} {finding.code} is allowed: {visible(finding.reason)}"
    count = f"{len(workflows)} workflow{'s' if len(workflows) > 1 else ''}"
    text = f"{count}, findings: {wrong or 'none'}"
    yield look.ink(text, Style.BAD if wrong else Style.GOOD)


def _shown(file: str) -> str:
    """Return a file's path as short as it is from here."""
    path = Path(file)
    return str(path.relative_to(Path.cwd())) if path.is_relative_to(Path.cwd()) else file

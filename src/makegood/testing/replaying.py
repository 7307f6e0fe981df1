"""Would yesterday's runs go on as a workflow is declared today? Their facts are folded anew."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from makegood.runtime.moving.exporting import imported
from makegood.runtime.moving.fitting import misfit_of_facts

if TYPE_CHECKING:
    from collections.abc import Iterator

    from makegood.definition.workflow import Workflow
    from makegood.runtime.moving.exporting import Exports

__all__ = ["replay"]


# Any: a workflow is looked at whatever it takes and returns.
def replay(workflow: Workflow[..., Any], path: str | Path) -> int:
    """Fold the runs of a file as a workflow is declared now, and return how many there are.

    The file is written by `makegood export`. Raises `AssertionError` with the first fact of each
    run that no longer fits, or whose value can no longer be read, and also when the file has no run
    of the workflow; `InvalidInput` when it cannot be read.
    """
    file = Path(path)
    exports = imported(file.read_text(encoding="utf-8").splitlines(), file.name)
    of_workflow = [run for run in exports.runs if run.workflow == workflow.name]
    if not of_workflow:
        message = f"{file.name} has no run of `{workflow.name}`, so this shows nothing"
        raise AssertionError(message)
    misfits = [*_misfits(workflow, exports)]
    if misfits:
        raise AssertionError("\n".join(misfits))
    return len(of_workflow)


def _misfits(workflow: Workflow[..., Any], exports: Exports) -> Iterator[str]:
    for run in exports.runs:
        if run.workflow != workflow.name:
            continue
        misfit = misfit_of_facts(run.facts, exports.plans[run.fingerprint], workflow)
        if misfit is not None:
            name = run.run if run.key is None else f"{run.workflow}/{run.key}"
            yield f"{name}, fact {misfit.position} ({misfit.fact}): {misfit.sentence}"

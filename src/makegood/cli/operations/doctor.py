"""Can the promises of a store be kept as it stands? `makegood doctor` looks, and no more."""

from __future__ import annotations

import asyncio
import sys
from typing import TYPE_CHECKING, assert_never

from makegood import Filter
from makegood.cli.status import DONE, FOUND
from makegood.cli.store import address_of, opened
from makegood.cli.writing import json_of, look_of, write
from makegood.journal.address import open_upkeep
from makegood.journal.upkeep import Bounds, Check, Health, every_row, held_in_vain, mail_check
from makegood.picture.marks import Style
from makegood.picture.typeset import padded, visible
from makegood.runtime.asking.waking import unwoken_runs
from makegood.runtime.clock import SystemClock
from makegood.values.limits import PAGE_RUNS_MAX

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from makegood.cli.writing import Look
    from makegood.journal.protocol import Journal

__all__ = ["audited", "doctor", "keys_check"]


def doctor(store: str, *, is_thorough: bool, as_json: bool) -> int:
    """Write what every check found; say by the status whether anything is wrong."""
    checks = asyncio.run(_checks(store, is_thorough=is_thorough))
    if as_json:
        write(json_of({"checks": checks}))
    else:
        write("\n".join(_as_text(checks, look_of(sys.stdout))))
    return FOUND if any(check.health is Health.WRONG for check in checks) else DONE


async def _checks(store: str, *, is_thorough: bool) -> list[Check]:
    upkeep = open_upkeep(address_of(store))
    checks = [*await upkeep.examine(now=SystemClock().now, thorough=is_thorough)]
    if any(check.name == "schema" and check.health is Health.OK for check in checks):
        async with opened(store) as its:
            checks.append(await _mail(its.journal))
            checks.append(await keys_check(its.journal))
            checks.append(await audited(its.journal))
    return checks


async def _mail(journal: Journal) -> Check:
    oldest = await journal.undelivered(limit=1)
    return mail_check(oldest[0] if oldest else None, SystemClock().now(), Bounds())


async def keys_check(journal: Journal) -> Check:
    """Judge whether every key that is held is held by a run that has not ended."""
    lost = sorted({claim.key for claim in await held_in_vain(journal)})
    if not lost:
        return Check(name="keys", health=Health.OK, says="no key is held by a run that has ended")
    return Check(
        name="keys",
        health=Health.WRONG,
        says=f"keys held by runs that have ended: {len(lost):,}, {lost[0]!r} for one",
        remedy="please report it: a run lets go of its keys when it ends",
    )


async def audited(journal: Journal) -> Check:
    """Judge whether anything will wake each run that has not ended; parked ones wait for people."""
    lost = await unwoken_runs(journal)
    wanted = Filter(statuses=frozenset({"parked"}), limit=PAGE_RUNS_MAX)
    parked = len([row.run async for row in every_row(journal, wanted)])
    waiting = f"; {parked:,} parked, to wait for a person" if parked else ""
    if not lost:
        says = f"every run has something that will wake it{waiting}"
        return Check(name="runs", health=Health.OK, says=says)
    return Check(
        name="runs",
        health=Health.WRONG,
        says=f"runs that nothing will wake: {len(lost):,}{waiting}",
        remedy="look at them with `makegood stuck`, and please report it: there should be none",
    )


def _as_text(checks: Sequence[Check], look: Look) -> Iterator[str]:
    width = max(len(check.name) for check in checks)
    for check in checks:
        mark, style = _mark(check.health)
        yield f"{look.ink(mark, style)} {padded(check.name, width)}  {visible(check.says)}"
        if check.remedy is not None:
            yield f"  {' ' * width}  → {visible(check.remedy)}"


def _mark(health: Health) -> tuple[str, Style]:
    match health:
        case Health.OK:
            return "✓", Style.GOOD
        case Health.WARNING:
            return "!", Style.DOUBT
        case Health.WRONG:
            return "✗", Style.BAD
        case _:
            assert_never(health)

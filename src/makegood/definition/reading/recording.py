"""What a step records for its undo: one type, on which the step and its remedies must agree.

Its body, its undo and its compensate may each store a value, by a `Record[T]`, and the undo and
the compensate may each be given the one that was stored last, as `recorded`.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, TypeVar, get_args

from makegood.definition.code import CompensateCode, RemedyCode
from makegood.definition.reading.fit import fits, plain, type_name
from makegood.definition.reading.place import place_of
from makegood.definition.reading.signature import name_of
from makegood.values.codec import uncarried

if TYPE_CHECKING:
    from collections.abc import Iterator

    from makegood.definition.code import Injection
    from makegood.definition.reading.fit import TypeForm
    from makegood.definition.reading.signature import Signature

__all__ = ["RECORDED", "read_record"]

RECORDED = "recorded"
"""The name of the parameter by which an undo and a compensate are given what was stored."""

Code = TypeVar("Code", RemedyCode, CompensateCode)


def read_record(
    step: Signature,
    undo: RemedyCode | None,
    compensate: CompensateCode | None,
    problems: list[str],
) -> tuple[TypeForm | None, RemedyCode | None, CompensateCode | None]:
    """Return the type of what is recorded, or None, and the remedies as they are to be called."""
    parts = [(f"{step.place}: `{step.name}`", step.injections)]
    for what, code in (("undo", undo), ("compensate", compensate)):
        if code is not None:
            where = f"{place_of(code.function)}: the {what} `{name_of(code.function)}`"
            parts.append((where, code.injections))
    kind: TypeForm | None = None
    for where, injections in parts:
        for stored in _stored(where, injections, problems):
            if kind is None:
                kind = stored
                why = uncarried(stored)
                if why is not None:
                    problems.append(f"{where} records what has no codec: {why}")
            elif plain(stored) != plain(kind):
                problems.append(
                    f"{where} records {type_name(stored)}, but {type_name(kind)} is recorded too; "
                    "a step and its remedies share one record: give it one type"
                )
    for where, injections in parts[1:]:
        problems.extend(_misread(where, injections, step, kind))
    return kind, _given(undo), _given(compensate)


def _stored(
    where: str, injections: tuple[Injection, ...], problems: list[str]
) -> Iterator[TypeForm]:
    """Give the type of what a function stores; one that has two records is a problem."""
    records = [item for item in injections if item.is_record]
    if len(records) > 1:
        names = " and ".join(f"`{item.name}`" for item in records)
        problems.append(f"{where} injects {names}; a step has one record: keep one of them")
    for item in records[:1]:
        yield get_args(item.wants)[0]


def _misread(
    where: str, injections: tuple[Injection, ...], step: Signature, kind: TypeForm | None
) -> Iterator[str]:
    """Say why a remedy cannot be given what was recorded."""
    for item in injections:
        if item.name != RECORDED:
            continue
        wanted = type_name(item.wants)
        if kind is None:
            yield (
                f"{where} takes `{RECORDED}: {wanted}`, but nothing is recorded; give "
                f"`{step.name}` a `record: Record[{wanted}] = injected`, or a service another name"
            )
        elif not fits(kind, item.wants):
            yield (
                f"{where} takes `{RECORDED}: {wanted}`, but {type_name(kind)} is what is "
                "recorded; give both the same type"
            )


def _given(code: Code | None) -> Code | None:
    """Mark the parameter that is given what was recorded, which else would be a service."""
    if code is None:
        return None
    return replace(
        code,
        injections=tuple(
            replace(item, is_recorded=item.name == RECORDED) for item in code.injections
        ),
    )

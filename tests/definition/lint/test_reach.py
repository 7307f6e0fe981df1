"""What never happens, or is never over, is found; what may happen is not."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from enum import Enum
from typing import Any, Literal

import pytest

from makegood import Declined, each, fail, lint, pure, repeat, sleep, step, switch, wait, workflow


class Way(Enum):
    ROAD = "road"
    RAIL = "rail"
    SEA = "sea"


async def hold(sku: str) -> str: ...
async def release(hold: str) -> None: ...
def shortened(text: str) -> str: ...


held = step(hold, undo=release)
NO = Declined("no")
EVERY_VALUE = "the case `default` of `switch` never happens: every value has a case of its own"


@workflow
def bool_with_default(sku: str, *, flag: bool) -> str:
    return switch(
        flag,
        {True: lambda: held(sku), False: lambda: held.named("other")(sku)},
        default=lambda: fail(NO),
    )


@workflow
def literal_with_default(size: Literal["s", "l"], sku: str) -> str:
    return switch(
        size,
        {"s": lambda: held(sku), "l": lambda: held.named("other")(sku)},
        default=lambda: fail(NO),
    )


@workflow
def same_value_inside_a_case(way: Way, sku: str) -> str:
    return switch(
        way,
        {
            Way.ROAD: lambda: switch(
                way,
                {Way.ROAD: lambda: held(sku), Way.SEA: lambda: fail(NO)},
                default=lambda: held.named("never")(sku),
                name="inner",
            )
        },
        default=lambda: held.named("other")(sku),
    )


@workflow
def same_value_inside_the_default(way: Way, sku: str) -> str:
    return switch(
        way,
        {Way.ROAD: lambda: held(sku)},
        default=lambda: switch(
            way,
            {Way.ROAD: lambda: fail(NO)},
            default=lambda: held.named("other")(sku),
            name="inner",
        ),
    )


@workflow
def after_a_failure(sku: str) -> None:
    refused = fail(NO)
    held.after(refused)(sku)


@workflow
def after_branches_that_all_fail(way: Way, sku: str) -> None:
    refused = switch(
        way,
        {
            Way.ROAD: lambda: fail(NO),
            Way.RAIL: lambda: switch(
                sku, {"a": lambda: fail(NO)}, default=lambda: fail(NO, name="no"), name="inner"
            ),
        },
        default=lambda: fail(NO),
    )
    held.after(refused)(sku)


@workflow
def after_rounds_that_fail(sku: str) -> None:
    def refused(text: str) -> str:
        fail(NO)
        return pure(shortened)(text)

    last = repeat(refused, sku, times_max=3)
    held.after(last)(sku)


UNREACHABLE: list[tuple[Any, list[tuple[str, str]]]] = [
    (
        bool_with_default,
        [
            (
                "switch",
                "the case `default` of `switch` never happens: every value has a case of its own",
            )
        ],
    ),
    (
        literal_with_default,
        [
            (
                "switch",
                "the case `default` of `switch` never happens: every value has a case of its own",
            )
        ],
    ),
    (
        same_value_inside_a_case,
        [
            (
                "switch/road/inner",
                "the case `sea` of `switch/road/inner` never happens: it stands in the case `road` "
                "of `switch`",
            ),
            (
                "switch/road/inner",
                "the case `default` of `switch/road/inner` never happens: it stands in the case "
                "`road` of `switch`",
            ),
        ],
    ),
    (
        same_value_inside_the_default,
        [
            (
                "switch/default/inner",
                "the case `road` of `switch/default/inner` never happens: `switch` has taken that "
                "value to another case",
            )
        ],
    ),
    (after_a_failure, [("hold", "`hold` never happens: `fail`, for which it waits, only fails")]),
    (
        after_branches_that_all_fail,
        [("hold", "`hold` never happens: `switch`, for which it waits, only fails")],
    ),
    (
        after_rounds_that_fail,
        [("hold", "`hold` never happens: `repeat`, for which it waits, only fails")],
    ),
]


@pytest.mark.parametrize(("wrong", "expected"), UNREACHABLE, ids=lambda it: getattr(it, "name", ""))
def test_what_never_happens_is_found(wrong: Any, expected: list[tuple[str, str]]) -> None:
    assert [(finding.code, finding.path, finding.sentence) for finding in lint(wrong)] == [
        ("MG105", path, f"{sentence}; remove it") for path, sentence in expected
    ]


@workflow
def other_values(way: Way, again: Way, sku: str) -> str:
    return switch(
        way,
        {
            Way.ROAD: lambda: switch(
                again, {Way.RAIL: lambda: held(sku)}, default=lambda: fail(NO), name="inner"
            )
        },
        default=lambda: held.named("other")(sku),
    )


@workflow
def a_branch_that_fails(way: Way, sku: str) -> None:
    done = switch(way, {Way.ROAD: lambda: held(sku)}, default=lambda: fail(NO))
    held.named("after").after(done)(sku)


@workflow
def any_text(text: str, sku: str) -> str:
    return switch(text, {"a": lambda: held(sku)}, default=lambda: fail(NO))


@workflow
def rounds_that_may_be_none(skus: list[str], sku: str) -> None:
    def refused(text: str) -> str:
        fail(NO)
        return held(text)

    last = each(skus, refused)
    held.after(last)(sku)


@pytest.mark.parametrize(
    "right",
    [other_values, a_branch_that_fails, any_text, rounds_that_may_be_none],
    ids=lambda item: item.name,
)
def test_what_may_happen_is_not_found(right: Any) -> None:
    assert lint(right) == ()


@workflow(deadline=timedelta(hours=1))
def patient(skus: list[str], patience: timedelta) -> None:
    sleep.named("given")(patience)
    sleep.named("short")(timedelta(minutes=59))
    sleep.named("exact")(timedelta(hours=1))

    def long(sku: str) -> str:
        sleep(timedelta(days=1))
        return held(sku)

    each(skus, long)


@workflow
def without_end() -> None:
    sleep(timedelta(days=1))


def test_a_sleep_that_takes_all_the_time_there_is_is_found() -> None:
    found = lint(patient)

    assert [(finding.code, finding.path) for finding in found] == [
        ("MG114", "exact"),
        ("MG114", "each[…]/sleep"),
    ]
    assert found[1].sentence == (
        "`each[…]/sleep` sleeps for 1 day, 0:00:00, but the run may take 1:00:00, so it only "
        "fails; raise deadline=, or sleep less"
    )
    assert lint(without_end) == ()


@workflow
def unused(sku: str, more: int, parts: list[str], again: str) -> tuple[str, dict[str, str]]:
    each(parts, lambda part: held.named("inside").after(held.named("part")(part))(again))
    return held(sku), {"again": again}


def test_an_input_that_nothing_takes_is_found() -> None:
    (finding,) = lint(unused)

    assert (finding.code, finding.path, finding.file) == ("MG101", None, __file__)
    assert finding.sentence == "`unused` does not use its input `more`; pass it on, or drop it"


@dataclass(frozen=True)
class Answer:
    yes: bool


@workflow(deadline=timedelta(days=3))
def within_a_deadline(sku: str) -> None:
    wait.after(held(sku))(Answer, key=sku, forever=True)


@workflow
def without_an_end(skus: list[str]) -> None:
    def asked(sku: str) -> str:
        wait(Answer, key=sku, forever=True)
        return held(sku)

    each(skus, asked)


def test_a_wait_that_nothing_ends_is_found() -> None:
    assert lint(within_a_deadline) == ()
    assert [(finding.code, finding.path) for finding in lint(without_an_end)] == [
        ("MG108", "each[…]/wait")
    ]

"""Does everything stand where it belongs on an axis whose waits are cut?"""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from makegood.picture.chart.axis import (
    BREAK_WIDTH,
    BREAKS_SHARE_MAX,
    STRETCH_PAD,
    Axis,
    Stretch,
    axis_of,
)

DAY = 86_400.0
WIDTH = 600.0

times = st.lists(
    st.tuples(st.floats(0, 1e7), st.floats(0, 1e4)).map(lambda at: (at[0], at[0] + at[1])),
    min_size=1,
    max_size=30,
)


def test_a_wait_that_is_long_beside_the_work_is_cut_and_the_rest_keeps_one_scale() -> None:
    axis = axis_of([(0.0, 1.0), (1.2, 2.2), (DAY, DAY + 1.0)], left=100.0, width=WIDTH)
    scale = (WIDTH - BREAK_WIDTH - 4 * STRETCH_PAD) / 3.2
    first = 2 * STRETCH_PAD + 2.2 * scale
    assert axis == Axis(
        (
            Stretch(0.0, 2.2, 100.0, first, is_cut=False, pad=STRETCH_PAD),
            Stretch(2.2, DAY, 100.0 + first, BREAK_WIDTH, is_cut=True),
            Stretch(
                DAY,
                DAY + 1.0,
                100.0 + first + BREAK_WIDTH,
                2 * STRETCH_PAD + (DAY + 1.0 - DAY) * scale,
                is_cut=False,
                pad=STRETCH_PAD,
            ),
        ),
        scale,
    )
    assert axis.place(1.0) - axis.place(0.0) == pytest.approx(scale)
    assert axis.place(DAY + 1.0) - axis.place(DAY) == pytest.approx(scale)


@pytest.mark.parametrize(("gap", "pieces"), [(0.5, 1), (0.51, 3)])
def test_a_wait_is_cut_from_a_quarter_of_the_work_on(gap: float, pieces: int) -> None:
    axis = axis_of([(0.0, 1.0), (1.0 + gap, 2.0 + gap)], left=0.0, width=WIDTH)
    assert len(axis.stretches) == pieces


def test_what_took_no_time_at_all_has_its_place_too() -> None:
    axis = axis_of([(0.0, 0.0), (DAY, DAY)], left=0.0, width=WIDTH)
    assert [each.is_cut for each in axis.stretches] == [False, True, False]
    assert (axis.place(0.0), axis.scale) == (STRETCH_PAD, 0.0)
    assert axis.place(DAY) == 3 * STRETCH_PAD + BREAK_WIDTH
    # What lies in the cut stands at its end.
    assert axis.place(DAY / 2) == 2 * STRETCH_PAD + BREAK_WIDTH


@given(times)
def test_what_is_later_never_stands_further_left_and_all_is_within(
    work: list[tuple[float, float]],
) -> None:
    axis = axis_of(work, left=10.0, width=WIDTH)
    moments = sorted(moment for piece in work for moment in piece)
    places = [axis.place(moment) for moment in moments]
    assert places == sorted(places)
    assert places[0] >= 10.0
    assert places[-1] <= 10.0 + WIDTH + 1e-6


@given(times)
def test_breaks_never_take_more_than_their_share(work: list[tuple[float, float]]) -> None:
    axis = axis_of(work, left=0.0, width=WIDTH)
    cut = sum(each.width for each in axis.stretches if each.is_cut)
    assert cut <= WIDTH * BREAKS_SHARE_MAX + 1e-6
    assert all(each.width >= 0 for each in axis.stretches)

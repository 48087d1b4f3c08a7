"""The packed plan against its definition written as loops."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rnnkit.sequences import pack, windows

LENGTHS = st.lists(st.integers(0, 9), min_size=1, max_size=12)
POSITIVE = st.lists(st.integers(1, 9), min_size=1, max_size=12)


def packed_positions(plan):
    """List (b, t) of each packed row, by the definition of the layout."""
    return [
        (b, t)
        for t in range(int(plan.lengths.max(initial=0)))
        for b in range(plan.n_sequences)
        if t < plan.lengths[b]
    ]


@given(LENGTHS)
def test_plan_follows_its_definition(lengths):
    plan = pack(np.array(lengths))
    assert plan.n_sequences == len(lengths)
    assert plan.n_steps == max(lengths)
    assert plan.n_rows == sum(lengths)
    assert plan.lengths.tolist() == sorted(lengths, reverse=True)
    assert [lengths[i] for i in plan.order] == plan.lengths.tolist()
    positions = packed_positions(plan)
    assert plan.sequence_of_row().tolist() == [b for b, _ in positions]
    for t in range(plan.n_steps):
        n_active = sum(length > t for length in lengths)
        assert plan.step_offsets[t + 1] - plan.step_offsets[t] == n_active


@given(LENGTHS)
def test_order_is_stable(lengths):
    plan = pack(np.array(lengths))
    expected = sorted(range(len(lengths)), key=lambda i: -lengths[i])
    assert plan.order.tolist() == expected


@given(LENGTHS, st.randoms(use_true_random=False))
def test_rows_point_at_the_source(lengths, random):
    starts = np.array([random.randrange(1000) for _ in lengths])
    plan = pack(np.array(lengths))
    expected = [starts[plan.order[b]] + t for b, t in packed_positions(plan)]
    assert plan.rows(starts).tolist() == expected


@given(POSITIVE)
def test_last_rows(lengths):
    plan = pack(np.array(lengths))
    positions = packed_positions(plan)
    expected = [positions.index((b, plan.lengths[b] - 1)) for b in range(plan.n_sequences)]
    assert plan.last_rows().tolist() == expected


def test_last_rows_refuses_an_empty_sequence():
    with pytest.raises(ValueError, match="lengths must be at least 1 for a last step"):
        pack(np.array([2, 0])).last_rows()


@pytest.mark.parametrize("lengths", [[3, 3, 3], [1, 3, 2]])
def test_index_arrays_are_intp(lengths):
    plan = pack(np.array(lengths, dtype=np.int32))
    arrays = [plan.lengths, plan.step_offsets, plan.order, plan.rows(np.zeros(3, dtype=np.intp))]
    arrays += [plan.sequence_of_row(), plan.last_rows()]
    assert all(array.dtype == np.intp for array in arrays)


def test_a_plan_of_nothing_has_no_rows():
    plan = pack(np.array([], dtype=int))
    assert (plan.n_sequences, plan.n_steps, plan.n_rows) == (0, 0, 0)
    assert plan.rows(np.array([], dtype=np.intp)).shape == (0,)


@given(LENGTHS, st.integers(1, 10))
def test_windows_cut_the_plan(lengths, n_steps):
    plan = pack(np.array(lengths))
    positions = packed_positions(plan)
    covered = []
    for i, (sub, first_row, last_row, n_active) in enumerate(windows(plan, n_steps)):
        start = i * n_steps
        assert sub.n_sequences == n_active
        assert sub.n_rows == last_row - first_row
        assert sub.n_steps == min(n_steps, plan.n_steps - start)
        assert (sub.lengths >= 1).all()
        assert sub.order.tolist() == plan.order[:n_active].tolist()
        assert [(b, start + t) for b, t in packed_positions(sub)] == positions[first_row:last_row]
        covered += range(first_row, last_row)
    assert covered == list(range(plan.n_rows))


def test_windows_refuses_a_width_below_one():
    with pytest.raises(ValueError, match="n_steps must be at least 1, got 0"):
        next(windows(pack(np.array([2])), 0))

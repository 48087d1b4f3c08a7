"""Rows are found by their ids, in the order they came in."""

import numpy as np

from rnnkit.backends.segments import segments_of


def test_rows_of_each_id():
    ids = np.array([4, 0, 4, 2, 0, 4])
    found = segments_of(ids)
    assert found.n == 3
    assert found.ids.tolist() == [0, 2, 4]
    rows = [found.order[first:last].tolist() for first, last in zip(found.bounds, found.bounds[1:])]
    assert rows == [[1, 4], [3], [0, 2, 5]]


def test_no_row_has_no_segment():
    found = segments_of(np.empty(0, np.intp))
    assert found.n == 0
    assert found.bounds.tolist() == [0]

"""The adding and multiplication problems keep to their definitions."""

import numpy as np
import pytest

from rnnkit.datasets import make_adding, make_adding_1997, make_multiplication
from rnnkit.sequences import Sequences


@pytest.mark.parametrize("n_steps", [22, 100, 105])
@pytest.mark.parametrize("make", [make_adding_1997, make_multiplication])
def test_marked_pairs(make, n_steps):
    X, y = make(n_samples=2000, n_steps=n_steps, random_state=0)
    assert isinstance(X, Sequences)
    lengths = X.lengths
    assert set(lengths.tolist()) == set(range(n_steps, n_steps + n_steps // 10 + 1))
    lowest = -1 if make is make_adding_1997 else 0
    assert lowest <= X.values[:, 0].min() < lowest + 0.01
    assert 0.99 < X.values[:, 0].max() <= 1
    neutral = 0 if make is make_adding_1997 else 1
    seen_first, seen_second, seen_at_start = set(), set(), 0
    for x, target in zip(X, y):
        values, markers = x.T
        assert markers[0] == markers[-1] == -1
        (marked,) = np.nonzero(markers == 1)
        assert ((markers[1:-1] == 0) | (markers[1:-1] == 1)).all()
        assert marked[-1] < n_steps // 2 - 1
        chosen = [values[t] for t in marked] + [neutral] * (2 - len(marked))
        assert len(chosen) == 2
        if len(marked) == 2:
            assert marked[0] < 10
            seen_first.add(marked[0])
        seen_second.add(marked[-1])
        seen_at_start += len(marked) < 2
        a, b = chosen
        expected = a * b if make is make_multiplication else 0.5 + (a + b) / 4
        assert abs(target - expected) <= 2 * np.finfo(float).eps
    assert seen_first >= set(range(1, 10 if n_steps > 22 else 9))
    assert max(seen_second) == n_steps // 2 - 2
    assert 0 < seen_at_start < 2000 / 4


def test_later_adding():
    X, y = make_adding(n_samples=4000, n_steps=31, random_state=0)
    assert X.shape == (4000, 31, 2)
    assert 0 <= X[:, :, 0].min() < X[:, :, 0].max() <= 1
    markers = X[:, :, 1]
    assert (markers[:, :15].sum(axis=1) == 1).all()
    assert (markers[:, 15:].sum(axis=1) == 1).all()
    assert (markers.sum(axis=0) > 0).all()
    np.testing.assert_array_equal((X[:, :, 0] * markers).sum(axis=1), y)
    standard_error = np.std((y - 1) ** 2) / np.sqrt(len(y))
    assert abs(np.mean((y - 1) ** 2) - 1 / 6) < 4 * standard_error


@pytest.mark.parametrize("make", [make_adding, make_adding_1997, make_multiplication])
def test_the_seed_decides(make):
    (X, y), (X_again, y_again), (_, y_other) = (make(5, 30, seed) for seed in (1, 1, 2))
    np.testing.assert_array_equal(y, y_again)
    for a, b in zip(X, X_again):
        np.testing.assert_array_equal(a, b)
    assert (y != y_other).any()
    rng = np.random.RandomState(1)
    np.testing.assert_array_equal(make(5, 30, rng)[1], y)
    assert (make(5, 30, rng)[1] != y).any()


@pytest.mark.parametrize(
    "make, shortest", [(make_adding, 2), (make_adding_1997, 22), (make_multiplication, 22)]
)
def test_wrong_arguments(make, shortest):
    with pytest.raises(ValueError, match="n_samples must be at least 1, got 0"):
        make(0)
    with pytest.raises(ValueError, match=f"n_steps must be at least {shortest}, got 1"):
        make(5, 1)
    for value in (2.0, "5", True, None):
        with pytest.raises(TypeError, match="n_steps must be an integer"):
            make(5, value)
    assert len(make(3, shortest, 0)[0]) == 3

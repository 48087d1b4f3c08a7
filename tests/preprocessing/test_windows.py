"""Sliding windows against their definition written as loops."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.base import clone

from rnnkit.preprocessing import SlidingWindows
from rnnkit.sequences import Sequences

SIZE = st.integers(1, 4)


def looped(series, targets, window, horizon, step):
    X, y, groups = [], [], []
    for i, (x, target) in enumerate(zip(series, targets)):
        for start in range(0, len(x) - window - horizon + 1, step):
            X.append(x[start : start + window])
            y.append(target[start + window : start + window + horizon].ravel())
            groups.append(i)
    return X, y, groups


@given(st.lists(st.integers(1, 14), min_size=1, max_size=4), SIZE, SIZE, SIZE, SIZE, SIZE)
def test_pairs_follow_their_definition(lengths, window, horizon, step, n_features, n_targets):
    rng = np.random.RandomState(0)
    series = [rng.randn(n, n_features) for n in lengths]
    targets = [rng.randn(n, n_targets) for n in lengths]
    X, y, groups = looped(series, targets, window, horizon, step)
    model = SlidingWindows(window, horizon, step)
    assert model.groups(series).tolist() == groups
    if not X:
        with pytest.raises(ValueError, match="no series is as long as window"):
            model.pairs(series, targets)
        return
    actual_X, actual_y = model.pairs(series, targets)
    np.testing.assert_array_equal(actual_X, X)
    y = np.array(y)
    np.testing.assert_array_equal(actual_y, y[:, 0] if y.shape[1] == 1 else y)


@given(st.lists(st.integers(4, 14), min_size=1, max_size=4), SIZE, SIZE)
def test_transform_includes_the_end(lengths, window, step):
    series = [np.arange(n, dtype=float)[:, None] for n in lengths]
    X, _, groups = looped(series, series, window, 0, step)
    model = SlidingWindows(window, step=step)
    np.testing.assert_array_equal(model.fit_transform(series), X)
    assert model.groups(series, pairs=False).tolist() == groups


def test_forms_of_series_agree():
    x = np.arange(12.0)
    expected, following = SlidingWindows(4, 2).pairs(x)
    assert expected.shape == (7, 4, 1)
    assert following.shape == (7, 2)
    for form in (
        x.tolist(),
        x[:, None],
        [x],
        [x[:, None]],
        Sequences(x, [0, 12]),
        x[None, :, None],
    ):
        X, y = SlidingWindows(4, 2).pairs(form)
        np.testing.assert_array_equal(X, expected)
        np.testing.assert_array_equal(y, following)


def test_series_in_a_frame():
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame({"a": np.arange(6.0), "b": np.arange(6.0) * 10})
    X, y = SlidingWindows(2).pairs(frame[["a"]], frame["b"])
    assert X.shape == (4, 2, 1)
    assert y.tolist() == [20.0, 30.0, 40.0, 50.0]


def test_dtype_follows_the_series_and_nothing_is_shared():
    x = np.arange(6, dtype=np.float32)
    X, y = SlidingWindows(2).pairs(x)
    assert X.dtype == y.dtype == np.float32
    X[:] = -1
    assert x.tolist() == [0, 1, 2, 3, 4, 5]


@pytest.mark.parametrize("name", ["window", "horizon", "step"])
def test_wrong_parameters(name):
    with pytest.raises(ValueError, match=f"{name} must be at least 1, got 0"):
        SlidingWindows(**{name: 0}).fit(None)
    for value in (1.5, "2", None, True):
        with pytest.raises(TypeError, match=f"{name} must be an integer"):
            SlidingWindows(**{name: value}).transform(np.arange(20.0))


def test_wrong_series():
    model = SlidingWindows(2)
    with pytest.raises(ValueError, match="the longest has 1 steps"):
        model.transform([1.0])
    with pytest.raises(ValueError, match=r"inconsistent numbers of series: \[1, 2\]"):
        model.pairs(np.arange(4.0), [[1.0], [2.0]])
    with pytest.raises(ValueError, match="series 0 has 4 steps in X but 3 in y"):
        model.pairs(np.arange(4.0), np.arange(3.0))
    with pytest.raises(ValueError, match="Input y contains NaN"):
        model.pairs(np.arange(4.0), np.full(4, np.nan))


def test_clone():
    assert clone(SlidingWindows(3, 2, 5)).get_params() == {"window": 3, "horizon": 2, "step": 5}

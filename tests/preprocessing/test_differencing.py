"""Difference against pandas, there and back, and the refusals."""

import numpy as np
import pandas as pd
import pytest
from tolerances import assert_close

from rnnkit.preprocessing import Difference


def ragged(seed=0, dtype=np.float64, least=1):
    rng = np.random.RandomState(seed)
    return [rng.randn(t, 2).astype(dtype) for t in rng.randint(least, 15, 12)]


@pytest.mark.parametrize("lag", [1, 2, 5])
def test_as_pandas_does(lag):
    X = ragged()
    frame = pd.DataFrame(np.concatenate(X))
    ids = np.repeat(np.arange(len(X)), [len(x) for x in X])
    expected = frame.groupby(ids).diff(lag).to_numpy()
    first = np.isnan(expected)
    found = np.concatenate(Difference(lag).fit_transform(X))
    np.testing.assert_array_equal(found, np.where(first, 0, expected))
    found = np.concatenate(Difference(lag, start="keep").fit_transform(X))
    np.testing.assert_array_equal(found, np.where(first, frame, expected))
    longer = [x for x in X if len(x) > lag]
    dropped = Difference(lag, start="drop").fit_transform(longer)
    assert [len(x) for x in dropped] == [len(x) - lag for x in longer]
    kept = np.concatenate([np.arange(len(x)) >= lag for x in X])
    np.testing.assert_array_equal(np.concatenate(dropped), expected[kept])


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("lag", [1, 3])
@pytest.mark.parametrize("start", ["zero", "keep", "drop"])
def test_there_and_back(start, lag, dtype):
    X = ragged(1, dtype, least=lag + 1 if start == "drop" else 1)
    difference = Difference(lag, start=start)
    initial = None if start == "keep" else [x[:lag] for x in X]
    back = difference.inverse_transform(difference.fit_transform(X), initial=initial)
    for got, x in zip(back, X, strict=True):
        assert got.dtype == dtype
        assert_close(got, x, dtype, 15)
    whole = [np.round(10 * x) for x in X]
    initial = None if start == "keep" else [x[:lag] for x in whole]
    back = difference.inverse_transform(difference.fit_transform(whole), initial=initial)
    for got, x in zip(back, whole, strict=True):
        np.testing.assert_array_equal(got, x)


def test_dense_there_and_back():
    X = np.round(10 * np.random.RandomState(0).randn(4, 6, 2))
    for form, head in ((X, X[:, :2]), (X.reshape(4, 12), X[:, :2].reshape(4, 4))):
        for start in ("zero", "drop"):
            difference = Difference(2, start=start, step_features=2)
            changes = difference.fit_transform(form)
            back = difference.inverse_transform(changes, initial=head)
            np.testing.assert_array_equal(back, form)


def test_a_series_goes_on_from_its_end():
    series = np.arange(20.0) ** 2
    difference = Difference(3, start="drop").fit([series[:15]])
    changes = difference.transform([series])[0][-5:]
    going_on = difference.inverse_transform([changes], initial=[series[12:15]])[0]
    np.testing.assert_array_equal(going_on, series[12:])


def test_a_gap_is_in_two_differences():
    found = Difference().fit_transform([np.array([1.0, np.nan, 3.0, 5.0])])[0]
    np.testing.assert_array_equal(found, [0, np.nan, np.nan, 2])


@pytest.mark.parametrize(
    ("parameters", "error", "message"),
    [
        ({"lag": 0}, ValueError, "lag must be at least 1, got 0"),
        ({"lag": 1.5}, TypeError, "lag must be an integer, got 1.5"),
        ({"start": "nan"}, ValueError, "start must be one of"),
    ],
)
def test_bad_parameters_are_named(parameters, error, message):
    with pytest.raises(error, match=message):
        Difference(**parameters).fit(np.ones((2, 3)))


def test_what_is_too_short_is_named():
    with pytest.raises(ValueError, match=r"sequence 1 has 2 steps; differences of lag=2 need more"):
        Difference(2, start="drop").fit_transform([np.ones(3), np.ones(2)])


@pytest.mark.parametrize(
    ("start", "initial", "message"),
    [
        ("zero", None, r'start="zero" needs initial: the first 2 steps of each sequence'),
        ("drop", None, r'start="drop" needs initial'),
        ("keep", [np.ones(2)], r'initial is known with start="keep": leave it out'),
        ("zero", [np.ones(2)] * 2, "initial holds 2 sequences of 1 features, but X 1 of 1"),
        ("zero", [np.ones((2, 3))], "initial holds 1 sequences of 3 features, but X 1 of 1"),
        ("drop", [np.ones(1)], "initial: sequence 0 has 1 steps, but needs 2"),
    ],
)
def test_a_beginning_that_does_not_fit(start, initial, message):
    difference = Difference(2, start=start).fit([np.ones(5)])
    with pytest.raises(ValueError, match=message):
        difference.inverse_transform([np.ones(4)], initial=initial)

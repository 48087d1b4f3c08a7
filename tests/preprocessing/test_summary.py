"""SequenceSummary by hand, by NumPy one sequence at a time, in every form, and beside a network."""

import pickle
import warnings

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import StackingClassifier, StackingRegressor
from sklearn.exceptions import NotFittedError
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LinearRegression, LogisticRegression, Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import parametrize_with_checks

from rnnkit import GRUClassifier, GRURegressor
from rnnkit.preprocessing import SequenceSummary
from rnnkit.sequences import Sequences

ALL = ("mean", "std", "min", "max", "first", "last")


@parametrize_with_checks([SequenceSummary(), SequenceSummary(ALL, n_segments=0, count_steps=False)])
def test_scikit_learn_checks(estimator, check):
    check(estimator)


def ragged(n=30, n_features=3, dtype=np.float64, seed=0):
    rng = np.random.RandomState(seed)
    lengths = [1, 2, 4, 5, 6, *rng.randint(1, 40, n - 5)]
    return [rng.randn(t, n_features).astype(dtype) for t in lengths]


def described(x, n_segments=5):
    """One sequence by NumPy."""
    x = np.asarray(x, np.float64)
    parts = [x.mean(0), x.std(0), x.min(0), x.max(0), x[0], x[-1]]
    for j in range(n_segments):
        begin, end = j * len(x) / n_segments, (j + 1) * len(x) / n_segments
        parts.append(x[int(np.floor(begin)) : int(np.ceil(end))].mean(0))
    return np.concatenate([*parts, [len(x)]])


def test_by_hand():
    X = [np.array([[1.0, 10], [2, 20], [6, 0]]), np.array([[4.0, 5]])]
    found = SequenceSummary(("last", "std"), n_segments=2).fit_transform(X)
    std = [np.sqrt(14 / 3), np.sqrt(200 / 3)]
    expected = [[6, 0, *std, 1.5, 15, 4, 10, 3], [4, 5, 0, 0, 4, 5, 4, 5, 1]]
    np.testing.assert_allclose(found, expected, rtol=1e-15)


@pytest.mark.parametrize("n_segments", [0, 1, 2, 5, 7, 50])
def test_as_numpy_says_of_every_length(n_segments):
    X = ragged()
    found = SequenceSummary(ALL, n_segments=n_segments).fit_transform(X)
    expected = [described(x, n_segments) for x in X]
    np.testing.assert_allclose(found, expected, rtol=1e-13, atol=1e-15)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_every_form_gives_the_same_bits(dtype):
    X = ragged(dtype=dtype)
    summary = SequenceSummary(ALL)
    expected = summary.fit_transform(X)
    assert expected.dtype == dtype
    objects = np.empty(len(X), dtype=object)
    objects[:] = X
    longest = max(map(len, X))
    padded = np.full((len(X), longest, 3), np.nan, dtype)
    for row, x in zip(padded, X, strict=True):
        row[: len(x)] = x
    lengths = [len(x) for x in X]
    rows = clone(summary).set_params(step_features=3)
    results = [
        clone(summary).fit_transform(objects),
        clone(summary).fit_transform(Sequences.from_list(X)),
        clone(summary).fit_transform(padded, lengths=lengths),
        clone(summary).fit_transform(padded, lengths="nan"),
        rows.fit_transform(padded.reshape(len(X), -1), lengths=lengths),
        np.concatenate([summary.transform([x]) for x in X]),  # alone as in a batch
    ]
    for found in results:
        np.testing.assert_array_equal(found, expected, strict=True)


def test_equal_steps_do_not_deviate_and_large_numbers_do_not_overflow():
    """A deviation of rounding errors would be scaled up to ones by what stands behind."""
    X = [np.full(n, value) for n in range(1, 60) for value in (0.1, -0.7, 1e-310, 1.7e308, 0.0)]
    found = SequenceSummary().fit_transform(X)
    values = np.array([x[0] for x in X])
    np.testing.assert_array_equal(found[:, 1], 0)
    for column in (0, *range(2, 10)):
        np.testing.assert_array_equal(found[:, column], values)
    for n in range(1, 40):  # beside a larger one that all are divided by
        x = np.concatenate([np.full(n, 0.1), np.full(n, 0.7)])
        segments = SequenceSummary((), n_segments=2, count_steps=False).fit_transform([x])
        np.testing.assert_array_equal(segments, [[0.1, 0.7]])
    wide = np.array([1.5e308, -1.5e308, 1.5e308, -1.5e308])
    np.testing.assert_allclose(SequenceSummary().fit_transform([wide])[0, :2], [0, 1.5e308])
    for factor in (1, 0.5):  # the mean of the first is so far from them that no number says how far
        x = factor * np.array([1.7e308, -1.7e308, -1.7e308, -1.7e308])
        std = SequenceSummary(("std",), n_segments=0, count_steps=False).fit_transform([x])
        np.testing.assert_allclose(std, factor * 1.7e308 * np.sqrt(0.75))
    for factor in (1e-200, 1e200, 2.0**300):
        x = ragged(n_features=1)
        plain = SequenceSummary(count_steps=False).fit_transform(x)
        scaled = SequenceSummary(count_steps=False).fit_transform([factor * one for one in x])
        np.testing.assert_allclose(scaled, factor * plain, rtol=1e-12, atol=1e-14 * factor)


def test_missing_values_count_for_nothing():
    X = [
        np.array([[1.0, np.nan], [np.nan, np.nan], [4, np.nan]]),
        np.array([[2.0, 5], [3, np.nan]]),
    ]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = SequenceSummary(ALL, n_segments=3).fit_transform(X)
    nan = np.nan
    first = [2.5, nan, 1.5, nan, 1, nan, 4, nan, 1, nan, 4, nan, 1, nan, nan, nan, 4, nan, 3]
    second = [2.5, 5, 0.5, 0, 2, 5, 3, 5, 2, 5, 3, nan, 2, 5, 2.5, 5, 3, nan, 2]
    np.testing.assert_array_equal(found, [first, second])
    filled = make_pipeline(SequenceSummary(), SimpleImputer(keep_empty_features=True))
    assert np.isfinite(filled.fit_transform(X)).all()


def test_names():
    frames = [pd.DataFrame(x, columns=["u", "v"]) for x in ragged(n_features=2)]
    summary = SequenceSummary(("max", "first"), n_segments=1)
    framed = summary.set_output(transform="pandas").fit_transform(frames)
    expected = ["u_max", "v_max", "u_first", "v_first", "u_segment0", "v_segment0", "steps"]
    assert framed.columns.tolist() == expected == summary.get_feature_names_out().tolist()
    with pytest.raises(ValueError, match="feature names should match"):
        summary.transform([frame[["v", "u"]] for frame in frames])
    table = pd.DataFrame(np.ones((2, 6)), index=["a", "b"], columns=list("uvwxyz"))
    rows = SequenceSummary(("max",), n_segments=0, count_steps=False, step_features=2)
    framed = rows.set_output(transform="pandas").fit_transform(table)
    assert framed.columns.tolist() == ["x0_max", "x1_max"]
    assert framed.index.tolist() == ["a", "b"]
    column = pd.DataFrame({"s": pd.Series(ragged(n_features=2), dtype=object)})
    columns = ColumnTransformer([("s", rows.set_params(step_features=1), "s")])
    framed = columns.set_output(transform="pandas").fit_transform(column)
    assert framed.columns.tolist() == ["s__s_x0_max", "s__s_x1_max"]
    counted = SequenceSummary(count_steps=np.True_).fit(np.ones((2, 3, 1)))
    assert counted.get_feature_names_out()[-1] == "steps"
    assert SequenceSummary().fit(np.ones((2, 3, 1))).get_feature_names_out()[-1] == "steps"


def test_it_is_what_it_was_fitted_as():
    X = ragged()
    summary = SequenceSummary()
    for method in (lambda: summary.transform(X), summary.get_feature_names_out):
        with pytest.raises(NotFittedError):
            method()
    expected = summary.fit_transform(X)
    summary.set_params(statistics=("min",), n_segments=2, count_steps=False)
    for again in (summary, pickle.loads(pickle.dumps(summary))):
        np.testing.assert_array_equal(again.transform(X), expected)
    with pytest.raises(ValueError, match=r"X has 2 features, but SequenceSummary is expecting 3"):
        summary.transform(ragged(n_features=2))


@pytest.mark.parametrize(
    ("parameters", "error", "text"),
    [
        ({"statistics": "mean"}, TypeError, "statistics must be a list of names, got 'mean'"),
        ({"statistics": 3}, TypeError, "statistics must be a list of names, got 3"),
        ({"statistics": ["mean", "mode"]}, ValueError, r"statistics\[1\] must be one of .*'mode'"),
        ({"statistics": [np.array(["max"])]}, ValueError, r"statistics\[0\] must be one of"),
        ({"statistics": ["max", "max"]}, ValueError, "each once, got 'max' twice"),
        ({"n_segments": 2.0}, TypeError, "n_segments must be an integer, got 2.0"),
        ({"n_segments": True}, TypeError, "n_segments must be an integer, got True"),
        ({"n_segments": -1}, ValueError, "n_segments must be at least 0, got -1"),
        ({"count_steps": 1}, TypeError, "count_steps must be True or False, got 1"),
        ({"step_features": 0}, ValueError, "step_features"),
        ({"statistics": [], "n_segments": 0, "count_steps": False}, ValueError, "nothing is left"),
    ],
)
def test_what_is_refused(parameters, error, text):
    summary = SequenceSummary().fit(ragged())
    with pytest.raises(error, match=text):
        summary.set_params(**parameters).fit(np.ones((2, 3)))
    assert summary.n_features_in_ == 3


@pytest.mark.parametrize("form", ["list", "Sequences", "dense"])
@pytest.mark.parametrize("task", ["Classifier", "Regressor"])
def test_stacked_with_a_network(form, task):
    """Both together are about as good as the better one, whichever that is."""
    rng = np.random.RandomState(0)
    X = [rng.randn(n, 2) for n in ([8] * 400 if form == "dense" else rng.randint(5, 12, 400))]
    level = np.array([x[:, 0].mean() for x in X])  # the linear model's
    order = np.array([x[-1, 0] * x[-1, 1] for x in X])  # the network's
    X = {"list": list, "Sequences": Sequences.from_list, "dense": np.array}[form](X)
    settings = {"hidden_size": 8, "max_iter": 60, "learning_rate": "linear", "random_state": 0}
    settings["learning_rate_init"] = 0.02
    for y in (level, order):
        if task == "Regressor":
            network, last = GRURegressor(**settings), Ridge()
            stack, final = StackingRegressor, LinearRegression(positive=True)
        else:
            network, last = GRUClassifier(**settings), LogisticRegression()
            stack, final = StackingClassifier, LogisticRegression()
            y = np.where(y > 0, "up", "down")
        linear = make_pipeline(SequenceSummary(), StandardScaler(), last)
        both = stack([("network", network), ("linear", linear)], final, cv=3)
        scores = [
            clone(model).fit(X[:200], y[:200]).score(X[200:], y[200:])
            for model in (network, linear, both)
        ]
        assert scores[2] > max(scores[:2]) - 0.05
    assert scores[0] > scores[1] + 0.1  # what the linear model cannot know

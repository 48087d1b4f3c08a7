"""Callbacks of scikit-learn on transformers: told of a fit, handed on by pipelines, no change."""

import inspect
import warnings

import numpy as np
import pandas as pd
import pytest
from sklearn.base import BaseEstimator, TransformerMixin, clone
from sklearn.decomposition import PCA
from sklearn.preprocessing import StandardScaler

from rnnkit.callbacks import TimeLimit
from rnnkit.preprocessing import (
    CalendarFeatures,
    Difference,
    Fold,
    FourierTime,
    Padder,
    SequenceImputer,
    SequenceScaler,
    SequenceSummary,
    SlidingWindows,
    TokenEncoder,
)

pytest.importorskip("sklearn.callback")


class OneToThree(TransformerMixin, BaseEstimator):
    """A transformer whose result does not fit: fitted, it fails."""

    def fit(self, X, y=None):
        return self

    def transform(self, X):
        return np.ones((3 * len(X), 1))


NUMBERS = [np.arange(6.0).reshape(3, 2), np.ones((4, 2))]
CASES = {
    "CalendarFeatures": (CalendarFeatures(), np.array(["2024-05-01", "2024-05-02"], "datetime64")),
    "Difference": (Difference(), NUMBERS),
    "Fold": (Fold(), NUMBERS),
    "FourierTime": (FourierTime(), NUMBERS),
    "Padder": (Padder(), NUMBERS),
    "SequenceImputer": (SequenceImputer(), NUMBERS),
    "SequenceScaler": (SequenceScaler(StandardScaler()), NUMBERS),
    "SequenceSummary": (SequenceSummary(), NUMBERS),
    "SlidingWindows": (SlidingWindows(2), np.arange(9.0)),
    "TokenEncoder": (TokenEncoder(), ["a b", "b c d"]),
}


class Recorder:
    def __init__(self):
        self.seen = []

    def setup(self, estimator, context):
        self.seen.append("setup")

    def teardown(self, estimator, context):
        self.seen.append("teardown")

    def on_fit_task_begin(self, estimator, context):
        self.seen.append("begin")

    def on_fit_task_end(self, estimator, context, *, X, fitted_estimator):
        fitted_estimator.transform(X)
        self.seen.append("end")


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("method", ["fit", "fit_transform"])
def test_a_fit_is_told(name, method):
    transformer, X = CASES[name]
    recorder = Recorder()
    watched, plain = clone(transformer).set_callbacks(recorder), clone(transformer)
    getattr(watched, method)(X)
    assert recorder.seen == ["setup", "begin", "end", "teardown"]
    plain.fit(X)
    assert vars(watched).keys() - vars(plain).keys() == {"_skl_callbacks"}
    for got, expected in zip(watched.transform(X), plain.transform(X), strict=True):
        np.testing.assert_array_equal(got, expected)


@pytest.mark.parametrize("name", CASES)
def test_a_fit_that_fails_is_torn_down(name):
    transformer, _ = CASES[name]
    recorder = Recorder()
    watched = clone(transformer).set_callbacks(recorder)
    with pytest.raises((TypeError, ValueError)):
        watched.fit(object())
    assert recorder.seen == ["setup", "begin", "teardown"]
    assert not vars(watched).keys() & {"_callback_fit_ctx", "_skl_callbacks_to_teardown"}


@pytest.mark.parametrize("name", CASES)
def test_the_signature_of_fit_is_its_own(name):
    transformer, _ = CASES[name]
    assert list(inspect.signature(transformer.fit).parameters)[:2] == ["X", "y"]


def test_what_looks_at_epochs_is_refused():
    watched = SequenceScaler(StandardScaler()).set_callbacks(TimeLimit(60))
    with pytest.raises(TypeError, match=r"TimeLimit\(60\) looks at epochs, and SequenceScaler"):
        watched.fit(NUMBERS)


WIDER = [np.arange(9.0).reshape(3, 3), np.ones((4, 3))]
GAPS = [np.full((3, 3), np.nan), np.full((4, 3), np.nan)]
DAYS = np.array(["2024-05-01", "2024-05-02"], "datetime64")


def named(arrays):
    """Return a list of frames."""
    return [pd.DataFrame(x, columns=list("abcdef")[: x.shape[1]]) for x in arrays]


# Parameters with which a fit on other data fails, and these data: before it learns and halfway.
FAILURES = {
    "CalendarFeatures": [({"cyclic": 3}, DAYS), ({}, pd.DataFrame({"a": [1.0], "b": [2.0]}))],
    "Difference": [({"lag": 0}, WIDER), ({"step_features": 2}, np.ones((3, 5)))],
    "Fold": [({"k": 0}, WIDER), ({"step_features": 2}, np.ones((3, 5)))],
    "FourierTime": [({"time": 0}, GAPS), ({"time": "when"}, WIDER), ({"keep_time": 3}, WIDER)],
    "Padder": [({"length": 0}, WIDER), ({}, GAPS)],
    "SequenceImputer": [({"strategy": "mode"}, WIDER), ({}, GAPS)],
    "SequenceScaler": [({"scaler": PCA(9)}, WIDER), ({"scaler": OneToThree()}, WIDER)],
    "SequenceSummary": [({"statistics": ["mode"]}, WIDER), ({"step_features": 2}, np.ones((3, 5)))],
    "SlidingWindows": [({"window": 0}, WIDER)],
    "TokenEncoder": [({"min_frequency": 0}, ["a"]), ({}, ["a", 3])],
}


@pytest.mark.parametrize("form", [list, named])
@pytest.mark.parametrize("name", CASES)
def test_a_fit_that_fails_changes_nothing(name, form):
    transformer, X = CASES[name]
    frames = form is named and X is NUMBERS
    X = named(X) if frames else X
    for fitted in (clone(transformer).fit(X), clone(transformer)):
        for parameters, other in FAILURES[name]:
            other = named(other) if frames and isinstance(other, list) else other
            before = {k: v for k, v in vars(fitted).items() if k not in parameters}
            kept = fitted.get_params(deep=False)
            fitted.set_params(**parameters)
            with warnings.catch_warnings():
                warnings.simplefilter("error")
                with pytest.raises((TypeError, ValueError, UserWarning)):
                    fitted.fit(other)
            fitted.set_params(**kept)
            after = {k: v for k, v in vars(fitted).items() if k not in parameters}
            assert before.keys() == after.keys()
            assert all(value is after[k] for k, value in before.items())
    fresh = clone(transformer).fit(X)
    assert fresh.fit(X) is fresh
    for a, b in zip(fresh.transform(X), clone(transformer).fit(X).transform(X), strict=True):
        np.testing.assert_array_equal(a, b)

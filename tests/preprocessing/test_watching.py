"""Callbacks of scikit-learn on transformers: told of a fit, handed on by pipelines, no change."""

import inspect

import numpy as np
import pytest
from sklearn.base import clone
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

"""Padding stays out of what a transformer learns and gives, however `lengths` reaches it."""

import inspect
import warnings

import numpy as np
import pytest
import sklearn
from sklearn.base import BaseEstimator, clone
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler

import rnnkit
import rnnkit.preprocessing
from rnnkit import GRUClassifier, RecurrentFeatures
from rnnkit.preprocessing import (
    Difference,
    Fold,
    FourierTime,
    SequenceImputer,
    SequenceScaler,
    SequenceSummary,
)

LENGTHS = np.array([3, 1, 4, 2])
Y = [0, 1, 0, 1]


def padded(junk):
    X = np.random.RandomState(0).randn(4, 4, 2)
    X[np.arange(4) >= LENGTHS[:, None]] = junk
    return X


MODEL = GRUClassifier(3, max_iter=2, learning_rate="linear", random_state=0)
TRANSFORMERS = {
    "SequenceScaler": SequenceScaler(),
    "SequenceImputer": SequenceImputer(),
    "Fold": Fold(2),
    "Fold pads the end": Fold(3, remainder="pad_end", fill="edge"),
    "Difference": Difference(),
    "FourierTime": FourierTime(4, time=0),
    "SequenceScaler of another": SequenceScaler(MinMaxScaler()),
    "SequenceSummary": SequenceSummary(),
    "RecurrentFeatures": RecurrentFeatures(MODEL),
    **{
        kind: getattr(rnnkit, kind)(4, code_size=2, max_iter=2, input_noise=0.0, random_state=0)
        for kind in ("RNNAutoencoder", "LSTMAutoencoder", "GRUAutoencoder")
    },
}
MENDED = list(TRANSFORMERS)


def takes_lengths(cls):
    return any(
        "lengths" in inspect.signature(getattr(cls, name)).parameters
        for name in ("fit", "transform", "fit_transform")
        if hasattr(cls, name)
    )


def test_every_transformer_that_takes_lengths_is_here():
    classes = {
        value
        for module in (rnnkit, rnnkit.preprocessing)
        for value in vars(module).values()
        if isinstance(value, type) and issubclass(value, BaseEstimator)
        if hasattr(value, "transform") and takes_lengths(value)
    }
    assert classes == {type(transformer) for transformer in TRANSFORMERS.values()}


@pytest.mark.parametrize("routing", [False, True])
@pytest.mark.parametrize("name", MENDED)
def test_one_call_does_as_two(name, routing):
    transformer = TRANSFORMERS[name]
    with sklearn.config_context(enable_metadata_routing=routing):
        if routing:
            transformer = clone(transformer).set_fit_request(lengths=True)
            transformer.set_transform_request(lengths=True)
        with warnings.catch_warnings():
            warnings.simplefilter("error", UserWarning)
            at_once = clone(transformer).fit_transform(padded(9.0), Y, lengths=LENGTHS)
        fitted = clone(transformer).fit(padded(0.0), Y, lengths=LENGTHS)
        in_two = fitted.transform(padded(-9.0), lengths=LENGTHS)
    np.testing.assert_array_equal(at_once, in_two)
    if at_once.ndim == 3 and at_once.shape[1] == 4:
        assert (at_once[np.arange(4) >= LENGTHS[:, None]] == 0).all()


def test_a_pipeline_hands_lengths_to_both():
    scaler = SequenceScaler(MinMaxScaler())
    in_two = clone(scaler).fit(padded(0.0), lengths=LENGTHS).transform(padded(0.0), lengths=LENGTHS)
    pipeline = make_pipeline(clone(scaler))
    at_once = pipeline.fit_transform(padded(9.0), sequencescaler__lengths=LENGTHS)
    np.testing.assert_array_equal(at_once, in_two)
    with sklearn.config_context(enable_metadata_routing=True):
        scaler.set_fit_request(lengths=True).set_transform_request(lengths=True)
        routed = make_pipeline(scaler)
        np.testing.assert_array_equal(routed.fit_transform(padded(9.0), lengths=LENGTHS), in_two)
        np.testing.assert_array_equal(routed.transform(padded(-9.0), lengths=LENGTHS), in_two)
        model = clone(MODEL).set_fit_request(lengths=True).set_score_request(lengths=True)
        model = make_pipeline(clone(scaler), model).fit(padded(9.0), Y, lengths=LENGTHS)
        alone = clone(MODEL).fit(in_two, Y, lengths=LENGTHS)
        np.testing.assert_array_equal(model[-1].loss_curve_, alone.loss_curve_)


def test_a_frame_comes_out_where_one_is_asked_for():
    X = padded(9.0)[:, :, 0]
    scaler = SequenceScaler().set_output(transform="pandas")
    frame = scaler.fit_transform(X, lengths=LENGTHS)
    assert list(frame.columns) == ["x0", "x1", "x2", "x3"]
    plain = SequenceScaler().fit_transform(X, lengths=LENGTHS)
    np.testing.assert_array_equal(frame.to_numpy(), plain)

"""Exported graphs against onnxruntime: every golden model agrees or is refused by name."""

import warnings

import numpy as np
import pytest
from persistence.trained import MODELS, refusal, trained
from sklearn.frozen import FrozenEstimator
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import (
    MaxAbsScaler,
    MinMaxScaler,
    PowerTransformer,
    RobustScaler,
    StandardScaler,
)

import rnnkit
from rnnkit.preprocessing import SequenceScaler

onnx = pytest.importorskip("onnx", reason='onnx is absent: pip install "rnnkit[oracle]"')
onnxruntime = pytest.importorskip("onnxruntime", reason='pip install "rnnkit[oracle]"')

REFUSED = ("layer_norm", "zoneout", "precision", "beam_width")
TOLERANCE = 1e-5  # of the largest value, at least 1


def why_refused(estimator):
    if getattr(estimator, "output", None) == "crf":
        return "crf"
    return refusal(estimator, REFUSED)


def dense(X, call, reader):
    """Return X and lengths as the graph takes them: padded, with NaN or -1 beyond the steps."""
    sequences = rnnkit.Sequences.from_any(
        X, call.get("lengths"), reader.step_features, dtype="tokens" if reader.all_tokens else None
    )
    fill = -1 if reader.all_tokens else np.nan
    padded, lengths = sequences.to_padded(fill)
    return padded, lengths


def feeds_of(model, estimator, X, call):
    reader = estimator._reader
    padded, lengths = dense(X, call, reader)
    inputs = {value.name: value for value in model.graph.input}
    feeds = {"lengths": lengths.astype(np.int64)} if "lengths" in inputs else {}
    if reader.n_numeric:
        feeds["X"] = np.delete(padded, reader.token_columns, axis=2).astype(np.float32)
    if reader.token_columns:
        ids = np.nan_to_num(padded[:, :, reader.token_columns], nan=-1).astype(np.int64)
        feeds["ids" if reader.n_numeric else "X"] = ids
    for name in feeds.keys() - {"lengths"}:
        if len(inputs[name].type.tensor_type.shape.dim) == 2:
            feeds[name] = feeds[name].reshape(len(padded), -1)
    return feeds, lengths


def run(model, feeds):
    session = onnxruntime.InferenceSession(
        model.SerializeToString(), providers=["CPUExecutionProvider"]
    )
    names = [value.name for value in session.get_outputs()]
    return dict(zip(names, session.run(names, feeds)))


def real(values, lengths):
    """Return the rows of real steps, whatever form the values have."""
    if isinstance(values, rnnkit.Sequences):
        values = values.to_list()
    return np.concatenate([np.asarray(row)[:length] for row, length in zip(values, lengths)])


def assert_near(got, expected):
    got, expected = np.asarray(got, np.float64), np.asarray(expected, np.float64)
    assert got.shape == expected.shape
    scale = max(1.0, np.abs(expected).max(initial=0.0))
    assert np.abs(got - expected).max(initial=0.0) <= TOLERANCE * scale


def assert_same_answers(estimator, found, X, call, lengths):
    per_step = type(estimator)._per_step
    rows = (lambda values: real(values, lengths)) if per_step else np.asarray
    predicted = estimator.predict(X, **call)
    if "label_lengths" in found:
        texts = [row[:n] for row, n in zip(found["label"], found["label_lengths"])]
        assert [list(text) for text in texts] == [list(text) for text in predicted]
        beyond = found["probabilities"][np.arange(found["label"].shape[1]) >= lengths[:, None]]
        assert not beyond.any()
    elif "label" in found:
        assert np.array_equal(rows(found["label"]), rows(predicted))
    else:
        expected = rows(predicted)
        expected = expected[:, None] if expected.ndim == 1 else expected
        assert_near(rows(found["variable"]), expected)
    if "probabilities" in found:
        assert_near(rows(found["probabilities"]), rows(estimator.predict_proba(X, **call)))
    if per_step and "label_lengths" not in found:
        for values in found.values():
            beyond = values[np.arange(values.shape[1]) >= lengths[:, None]]
            assert not any(np.ravel(beyond))


@pytest.mark.parametrize("name", MODELS)
def test_golden_model_agrees_or_is_refused_by_name(name):
    estimator, data = trained(name)
    refused = why_refused(estimator)
    if refused is not None:
        with pytest.raises(ValueError, match=refused):
            rnnkit.to_onnx(estimator)
        return
    model = rnnkit.to_onnx(estimator)
    feeds, lengths = feeds_of(model, estimator, data.X, data.call)
    assert_same_answers(estimator, run(model, feeds), data.X, data.call, lengths)

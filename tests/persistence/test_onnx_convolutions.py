"""Convolutions in ONNX: ONNX Runtime answers as the estimator does, and the way back."""

import numpy as np
import pytest

import rnnkit
from rnnkit import Convolution

pytest.importorskip("onnx")
runtime = pytest.importorskip("onnxruntime")

RNG = np.random.RandomState(0)
LENGTHS = np.array([12, 3, 7, 1, 5, 12, 2, 9])
PADDED = RNG.randn(8, 12, 3).astype("float32")
X = [x[:length] for x, length in zip(PADDED, LENGTHS)]
SHAPES = {
    "batch norm": [
        Convolution(4, 3, batch_norm=True),
        Convolution(6, 4, 2, pooling=2, causal=True, activation="tanh", batch_norm=True),
    ],
    "stacked": [Convolution(4, 3, causal=True), Convolution(6, 4, activation="tanh")],
    "shortening": [Convolution(4, 3, 2, 2), Convolution(6, 2, pooling=3, activation="identity")],
}  # fmt: skip


@pytest.mark.parametrize("join", ["before", "parallel"])
@pytest.mark.parametrize("name", SHAPES)
@pytest.mark.parametrize("pooling", ["last", "max", "attention"])
def test_there_and_back(name, join, pooling):
    model = rnnkit.LSTMRegressor(
        5, convolutions=SHAPES[name], convolution_join=join, pooling=pooling, max_iter=2,
        bidirectional=True, random_state=0,
    ).fit(X, np.arange(8.0))  # fmt: skip
    written = rnnkit.to_onnx(model)
    session = runtime.InferenceSession(written.SerializeToString())
    given = {"X": PADDED, "lengths": LENGTHS.astype("int64")}
    (found,) = session.run(None, given)
    np.testing.assert_allclose(found[:, 0], model.predict(X), rtol=2e-5, atol=2e-5)
    back = rnnkit.from_onnx(written)
    assert back.convolutions == SHAPES[name]
    np.testing.assert_allclose(back.predict(X), model.predict(X), rtol=2e-5, atol=2e-5)

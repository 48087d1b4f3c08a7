"""The numbers behind pictures of a network that computes on the GPU."""

import numpy as np
import pytest
from estimators.problems import estimator, labels_of, padded, ragged
from gpu.arrays import FIRST_LOSSES
from gpu.cupy_stand_in import CUPY, standing_in
from gpu.host_kernels import needs_compiler

from rnnkit.inspection import (
    AttentionDisplay,
    GateActivationDisplay,
    GradientFlowDisplay,
    HiddenStateDisplay,
    SaliencyDisplay,
)

pytestmark = needs_compiler
pytest.importorskip("matplotlib").use("Agg")

X = ragged(12)


@pytest.fixture
def on_gpu(cublas):
    """A machine with a GPU that is stood in for, and cuBLAS."""
    with standing_in(n_devices=1):
        yield CUPY


def numbers_behind(model, X, lengths):
    some = {"lengths": lengths}
    return {
        "gates": GateActivationDisplay.from_estimator(model, X, **some).activations["i"],
        "states": HiddenStateDisplay.from_estimator(model, X, **some).states,
        "saliency": SaliencyDisplay.from_estimator(model, X, target="up", **some).saliency,
        "flow": GradientFlowDisplay.from_estimator(model, X[:2], lengths=lengths[:2]).norms,
        "attention": AttentionDisplay.from_estimator(model, X, indices=1, **some).weights[0],
    }


def test_displays_have_the_numbers_of_the_cpu(on_gpu):
    model = estimator("LSTM", "Classifier", max_iter=3, pooling="attention", bidirectional=True)
    model.fit(X, labels_of(X))
    dense, lengths = padded(X, fill=0.0)
    expected = numbers_behind(model, dense, lengths)
    model.device = "cuda"
    found = numbers_behind(model, dense, lengths)
    there = numbers_behind(model, on_gpu.asarray(dense), on_gpu.asarray(lengths))
    for name, numbers in expected.items():
        close = dict(rtol=FIRST_LOSSES, atol=FIRST_LOSSES * np.abs(numbers).max())
        np.testing.assert_allclose(found[name], numbers, **close, err_msg=name)
        np.testing.assert_array_equal(there[name], found[name], err_msg=name)

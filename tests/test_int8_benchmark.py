"""The emulation of 8-bit products rounds as it says, and what it rounds reaches predictions."""

import shutil
import sys
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

import rnnkit
from rnnkit.backends import get_backend
from rnnkit.cells import LayerSpec
from rnnkit.sequences import pack

sys.path.insert(0, str(Path(__file__).parents[1] / "benchmarks"))
try:
    from int8 import emulation, layer
finally:
    del sys.path[0]


def test_rows_are_rounded_to_the_nearest_level():
    rng = np.random.default_rng(0)
    a = rng.standard_normal((5, 40)).astype(np.float32)
    a[2] = 0
    found = emulation.rounded(a)
    for row, of in zip(found, a, strict=True):
        step = Fraction(float(np.abs(of).max())) / 127
        for x, r in zip(of, row, strict=True):
            error = abs(Fraction(float(r)) - Fraction(float(x)))
            assert error <= step / 2 * (1 + Fraction(1, 10**4))
    assert all(len(np.unique(row)) <= 255 for row in found)
    np.testing.assert_array_equal(found[2], 0)


def test_a_row_knows_no_neighbour():
    a = np.random.default_rng(1).standard_normal((6, 9)).astype(np.float32)
    together = emulation.rounded(a)
    for r in range(6):
        np.testing.assert_array_equal(emulation.rounded(a[r : r + 1])[0], together[r])


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_inputs_and_weights_of_predictions_are_rounded():
    rng = np.random.default_rng(2)
    X, y = rng.standard_normal((20, 6, 3)).astype(np.float32), np.arange(20) % 2
    model = rnnkit.LSTMClassifier(8, max_iter=2, n_iter_no_change=2, random_state=0).fit(X, y)
    before = {name: w.copy() for name, w in model.weights_.items()}
    copied = emulation.quantised(model)
    exact_inputs = copied.predict_proba(X)
    with emulation.products_of_8_bits():
        both = copied.predict_proba(X)
    for name, weight in model.weights_.items():
        np.testing.assert_array_equal(weight, before[name])  # the original keeps its own
    gaps = [np.abs(a - b).max() for a, b in ((both, exact_inputs), (both, model.predict_proba(X)))]
    assert min(gaps) > 1e-6
    assert max(gaps) < 0.02
    np.testing.assert_array_equal(copied.predict_proba(X), exact_inputs)  # the reference is whole


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_bytes_of_a_file_are_a_byte_for_an_entry_of_a_matrix():
    X = np.zeros((4, 3, 2), np.float32)
    model = rnnkit.GRURegressor(4, max_iter=1).fit(X, np.arange(4.0))
    matrices = {"ih": (12, 2), "hh": (12, 4), "head": (1, 4)}
    expected = sum(3 * n * k - 4 * n for n, k in matrices.values())
    assert 10_000 - emulation.bytes_of_file(model, 10_000) == expected


@pytest.mark.skipif(
    not layer.processor_has_it() or shutil.which("cc") is None,
    reason="needs AVX512-VNNI and a C compiler",
)
@pytest.mark.parametrize("n_sequences", [1, 2, 3, 4, 5, 6, 7, 13])
@pytest.mark.parametrize("n_inputs", [1, 5, 16, 33])
def test_the_compiled_layer_is_the_emulation(n_sequences, n_inputs):
    n_steps, hidden_size = 4, 32
    rng = np.random.default_rng(3)
    spec = LayerSpec("lstm", n_inputs, hidden_size)
    shapes = spec.parameter_shapes()
    weights = {name: rng.uniform(-0.3, 0.3, s).astype(np.float32) for name, s in shapes.items()}
    x = rng.standard_normal((n_steps, n_sequences, n_inputs)).astype(np.float32)
    found = layer.LayerOf8Bits(x, weights).forward().copy()
    with emulation.products_of_8_bits():
        operation = get_backend("reference").recurrent(spec, np.dtype(np.float32))
        plan = pack(np.full(n_sequences, n_steps, np.intp))
        expected, _, _ = operation.forward(plan, x.reshape(-1, n_inputs), weights)
    # A number half way between two levels may go either way: a level of one input of h, no more.
    np.testing.assert_allclose(found, expected, rtol=0, atol=2e-4)
    whole = layer.LayerOf8Bits(x, weights).forward()
    np.testing.assert_array_equal(whole, found)
    for b in range(n_sequences):  # bits depend on no other sequence
        alone = layer.LayerOf8Bits(x[:, b : b + 1], weights).forward()
        np.testing.assert_array_equal(alone, found[b::n_sequences])

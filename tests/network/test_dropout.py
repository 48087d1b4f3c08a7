"""Dropout keeps the mean: what is kept grows by what is dropped."""

import numpy as np
import pytest
from tolerances import assert_close

from rnnkit.backends import get_backend
from rnnkit.network.dropout import Dropout, InputNoise, dropout_mask
from rnnkit.network.layers import Binding, Call

BACKEND = get_backend("reference")


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("rate", [0.1, 0.5, 0.8])
def test_a_mask_has_mean_one(rate, dtype):
    mask = dropout_mask(np.random.default_rng(0), (400, 250), rate, np.dtype(dtype), BACKEND)
    assert mask.dtype == dtype
    assert_close(np.unique(mask), np.array([0, 1 / (1 - rate)]), dtype)
    deviation = np.sqrt(rate / (1 - rate) / mask.size)
    assert abs(mask.mean(dtype=np.float64) - 1) < 4 * deviation


def test_the_layer_keeps_the_mean_of_values_and_gradients():
    operation = Dropout(0.75).bind(Binding(BACKEND, {}, {}, np.dtype(np.float64), training=True))
    call = Call()
    call.training, call.noise = True, np.random.default_rng(1)
    x = np.full((400, 250), 3.0)
    y = operation.forward(x, call)
    assert abs(y.mean() - 3) < 0.1
    np.testing.assert_array_equal(operation.backward(x), y)
    call.training = False
    assert operation.forward(x, call) is x


def test_noise_in_the_unit_of_each_input():
    binding = Binding(BACKEND, {}, {}, np.dtype("float32"), True)
    call = Call()
    call.training, call.noise = True, np.random.default_rng(0)
    x = np.zeros((4000, 3), "float32")
    y = InputNoise(0.5, (1.0, 10.0, 0.0)).bind(binding).forward(x, call)
    assert y.dtype == np.float32
    np.testing.assert_allclose(y.std(axis=0), [0.5, 5.0, 0.0], rtol=0.05)

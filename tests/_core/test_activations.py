"""The vector activations against exact values in every instruction set, in ULP."""

import numpy as np
import pytest

from rnnkit._core.recurrent import activate
from rnnkit.backends.cpu import isa_available, using_isa
from rnnkit.backends.reference import activate as reference_activate
from rnnkit.cells import ACTIVATIONS, make_activation

ULP_BOUND = {"tanh": 4, "sigmoid": 4, "scaled_tanh": 5}  # src/vec_math.h; the others: 1.5
EXACT = {
    "tanh": lambda x, a, b: np.tanh(x),
    "sigmoid": lambda x, a, b: 1 / (1 + np.exp(-x)),
    "softsign": lambda x, a, b: x / (1 + np.abs(x)),
    "relu": lambda x, a, b: np.maximum(x, 0),
    "hard_sigmoid": lambda x, a, b: np.clip(a * x + b, 0, 1),
    "linear": lambda x, a, b: a * x + b,
    "leaky_relu": lambda x, a, b: np.where(x > 0, x, a * x),
    "scaled_tanh": lambda x, a, b: a * np.tanh(b * x),
}

every_isa = pytest.mark.parametrize("isa", isa_available())
every_activation = pytest.mark.parametrize("name", ACTIVATIONS)


def arguments(dtype):
    """Both signs of a wide range of magnitudes; without results in the denormal range."""
    magnitudes = np.concatenate([np.logspace(-6, 1.9, 20_000), np.linspace(0, 20, 20_000)])
    return np.concatenate([-magnitudes, magnitudes]).astype(dtype)


def test_every_activation_has_an_exact_twin():
    assert set(EXACT) == set(ACTIVATIONS)


@every_isa
@every_activation
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_error_in_ulp(name, dtype, isa):
    function = make_activation(name)
    alpha, beta = dtype(function.alpha), dtype(function.beta)
    x = arguments(dtype)
    with using_isa(isa):
        y = activate(function, x)
    wide = np.longdouble
    exact = EXACT[name](x.astype(wide), wide(alpha), wide(beta))
    # Where alpha x + beta cancels, an ULP is that of the larger term.
    scale = np.maximum(np.abs(exact), abs(beta) if name in ("hard_sigmoid", "linear") else 0)
    ulp = np.spacing(np.maximum(scale.astype(dtype), np.finfo(dtype).tiny))
    error = np.abs(y.astype(wide) - exact) / ulp
    worst = int(np.argmax(error))
    assert error[worst] <= ULP_BOUND.get(name, 1.5), (x[worst], y[worst])


@every_isa
@every_activation
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_ends_of_the_range(name, dtype, isa):
    function = make_activation(name)
    huge = np.finfo(dtype).max / 4
    x = np.array([-huge, -1e30, 0.0, 1e30, huge, np.nan], dtype)
    with using_isa(isa):
        y = activate(function, x)
    assert np.isfinite(y[:-1]).all()
    assert np.isnan(y[-1])
    assert np.all(np.diff(y[:-1]) >= 0)


@every_isa
@every_activation
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_infinity_is_the_limit_of_what_is_large(name, dtype, isa):
    function = make_activation(name)
    largest = np.finfo(dtype).max
    x = np.array([-np.inf, -largest, largest, np.inf], dtype)
    with using_isa(isa), np.errstate(over="ignore"):
        y = activate(function, x)
    expected = [y[1], y[2]] if np.abs(y[1:3]).max() <= 2 else [y[0], np.inf]
    assert [y[0], y[3]] == expected
    with np.errstate(over="ignore"):
        wanted = reference_activate(function, x)
    np.testing.assert_allclose(y, wanted, rtol=1e-6, atol=np.finfo(dtype).tiny)

"""A bound step offers a step and a state, and nothing that would bind other weights."""

import numpy as np
import pytest

from rnnkit.backends import get_backend
from rnnkit.cells import LayerSpec

CPU = get_backend("cpu")


def test_a_step_cannot_be_run_as_a_layer():
    spec = LayerSpec("lstm", 2, 3)
    weights = {name: np.ones(shape) for name, shape in spec.parameter_shapes().items()}
    step = get_backend("cpu").recurrent_stream(spec, np.dtype(np.float64), weights)
    assert {name for name in dir(step) if not name.startswith("_")} == {"step", "state"}


def chain_of(dtype=np.float32, shape=(2,), n=1):
    rng = np.random.RandomState(0)
    spec = LayerSpec("gru", 2, 5)
    weights = {
        name: rng.normal(size=size).astype(dtype) for name, size in spec.parameter_shapes().items()
    }
    layer = CPU.recurrent_stream(spec, np.dtype(dtype), weights, n)
    head = rng.normal(size=(3, 5)).astype(dtype), np.zeros(3, dtype)
    return CPU.number_stream(shape, [layer], [head]), layer, head


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_chain_has_the_bits_of_its_parts(dtype):
    chain, _, (weight, bias) = chain_of(dtype)
    _, alone, _ = chain_of(dtype)
    dense = CPU.dense(5, 3, np.dtype(dtype))
    for x in np.random.RandomState(1).normal(size=(4, 2)).astype(dtype):
        place = chain.decide(x)
        expected = dense.forward(alone.step(x), weight, bias)
        np.testing.assert_array_equal(chain.scores, expected)
        assert place == expected.argmax()
        assert chain.step(x)
        np.testing.assert_array_equal(chain.scores, dense.forward(alone.step(x), weight, bias))


def test_what_is_not_in_the_form_of_a_step_changes_nothing():
    chain, layer, _ = chain_of()
    x = np.ones(2, np.float32)
    chain.step(x)
    state, scores = layer.state[0], chain.scores.copy()
    wrong = [
        x.astype(np.float64), x.astype(">f4"), x[None], x[:1], np.ones(4, np.float32)[::2],
        x * np.nan, np.float32([1, np.inf]), [1.0, 1.0], 1.0, None, x.view(np.matrix),
    ]  # fmt: skip
    for given in wrong:
        assert chain.step(given) is False
        assert chain.decide(given) == -1
    np.testing.assert_array_equal(layer.state[0], state)
    np.testing.assert_array_equal(chain.scores, scores)


def test_parts_that_do_not_fit_are_refused():
    _, layer, head = chain_of()
    for shape, layers, heads in (
        ((3,), [layer], [head]),
        ((2, 2), [layer], [head]),
        ((2,), [layer], [(np.zeros((3, 4), np.float32), None)]),
        ((2,), [layer, layer], [head]),
        ((2,), [layer], []),
    ):
        with pytest.raises((ValueError, IndexError)):
            CPU.number_stream(shape, layers, heads)
    with pytest.raises(TypeError, match="layers must be RecurrentStep"):
        CPU.number_stream((2,), [None], [head])
    with pytest.raises(ValueError, match="n must be at least 1"):
        chain_of(n=0)

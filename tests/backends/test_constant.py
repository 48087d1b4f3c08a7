"""Operations whose weights stay as they are: the same numbers, of the weights of the first call."""

import numpy as np
import pytest
from backends.instruction_sets import SETS, using_set
from backends.recurrent_problem import OPTIONS

from rnnkit.backends import get_backend
from rnnkit.backends.cpu import using_threads
from rnnkit.cells import LayerSpec, make_activation
from rnnkit.network import Inputs, SoftmaxCrossEntropy, build_network
from rnnkit.sequences import pack

CPU = get_backend("cpu")
PLANS = [pack(np.array(lengths)) for lengths in ((5, 3, 3, 1), (1,) * 37, (4,))]
WEIGHTS = np.random.default_rng(0)


def spec_of(cell, name, **options):
    given = {k: v for k, v in OPTIONS[cell][name].items() if k != "masks"}
    given |= {k: make_activation(*v) for k, v in given.items() if k.endswith("activation")}
    return LayerSpec(cell, 3, 19, **given, **options)


def weights_of(spec, dtype):
    shapes = spec.parameter_shapes()
    return {name: WEIGHTS.normal(size=shape).astype(dtype) for name, shape in shapes.items()}


def answers(operation, weights, dtype):
    """What a recurrent operation gives for every plan, one after the other."""
    rng, found = np.random.default_rng(1), []
    for plan in PLANS:
        x = rng.normal(size=(plan.n_rows, 3)).astype(dtype)
        found += [a.copy() for a in operation.forward(plan, x, weights) if a is not None]
    return found


def assert_same(found, expected):
    assert len(found) == len(expected)
    for one, other in zip(found, expected):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("dtype", ["f4", "f8"])
@pytest.mark.parametrize("cell, name", [(c, n) for c in OPTIONS for n in OPTIONS[c]])
def test_a_recurrent_layer(cell, name, dtype):
    spec = spec_of(cell, name)
    weights, dtype = weights_of(spec, dtype), np.dtype(dtype)
    expected = answers(CPU.recurrent(spec, dtype), weights, dtype)
    constant = CPU.recurrent(spec, dtype, constant=True)
    for _ in range(2):
        assert_same(answers(constant, weights, dtype), expected)
    for weight in weights.values():
        weight *= 1.5
    assert_same(answers(constant, weights, dtype), expected)
    assert not np.array_equal(answers(CPU.recurrent(spec, dtype), weights, dtype)[0], expected[0])


@pytest.mark.parametrize("isa", SETS)
@pytest.mark.parametrize("precision", ["full", "bf16", "int8"])
@pytest.mark.parametrize("cell", ["lstm", "gru", "rnn"])
def test_every_instruction_set_and_precision(cell, precision, isa):
    spec, dtype = spec_of(cell, "plain", precision=precision), np.dtype("f4")
    weights = weights_of(spec, dtype)
    with using_set(isa):
        expected = answers(CPU.recurrent(spec, dtype), weights, dtype)
        constant = CPU.recurrent(spec, dtype, constant=True)
    for n_threads in (1, 2):
        with using_threads(n_threads):
            assert_same(answers(constant, weights, dtype), expected)


@pytest.mark.parametrize("dtype", ["f4", "f8"])
def test_a_dense_layer(dtype):
    rng, dtype = np.random.default_rng(2), np.dtype(dtype)
    weight, bias = (rng.normal(size=shape).astype(dtype) for shape in ((21, 5), (21,)))
    constant, usual = CPU.dense(5, 21, dtype, constant=True), CPU.dense(5, 21, dtype)
    xs = [rng.normal(size=(n, 5)).astype(dtype) for n in (3, 40, 1)]
    expected = [usual.forward(x, weight, bias) for x in xs]
    assert_same([constant.forward(x, weight, bias) for x in xs], expected)
    dweight, dbias = np.zeros_like(weight), np.zeros_like(bias)
    dx = constant.backward(xs[1], expected[1], weight, dweight, dbias)
    np.testing.assert_array_equal(
        dx, usual.backward(xs[1], expected[1], weight, dweight.copy(), dbias.copy())
    )
    assert_same([constant.forward(x, weight, bias) for x in xs], expected)  # packed anew
    weight *= 1.5
    assert_same([constant.forward(x, weight, bias) for x in xs], expected)
    assert not np.array_equal(usual.forward(xs[0], weight, bias), expected[0])


def test_a_first_call_that_fails_leaves_nothing_behind():
    spec, dtype = spec_of("lstm", "peephole"), np.dtype("f4")
    weights = weights_of(spec, dtype)
    constant = CPU.recurrent(spec, dtype, constant=True)
    with pytest.raises(ValueError, match="peephole"):
        answers(constant, {k: v for k, v in weights.items() if k != "peephole"}, dtype)
    assert_same(
        answers(constant, weights, dtype), answers(CPU.recurrent(spec, dtype), weights, dtype)
    )


@pytest.mark.parametrize("backend", ["cpu", "reference"])
def test_a_network(backend):
    options = {"hidden_size": 9, "bidirectional": True, "dtype": "float32"}
    network = build_network("gru", 3, SoftmaxCrossEntropy(4), per_step=False, **options)
    network.initialize(np.random.RandomState(0))
    constant = network.bind(get_backend(backend), constant=True)
    usual = network.bind(get_backend(backend))

    def scores(bound):
        rng = np.random.default_rng(1)
        xs = [Inputs(rng.normal(size=(p.n_rows, 3)).astype("f4")) for p in PLANS]
        return [bound.forward(plan, x).copy() for plan, x in zip(PLANS, xs)]

    first = scores(usual)
    assert_same(scores(constant), first)
    network.parameters.flat[:] *= 1.5
    assert not np.array_equal(scores(usual)[0], first[0])
    if backend == "cpu":  # where it is made use of
        assert_same(scores(constant), first)

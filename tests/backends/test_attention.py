"""Attention: the reference by finite differences, the compiled core by the reference, its bits."""

import numpy as np
import pytest
from gradcheck import assert_gradients
from tolerances import assert_close

from rnnkit.backends import get_backend
from rnnkit.sequences import pack

A, W = 11, 5


def problem(dtype=np.float64, additive=True, read=(4, 3, 1, 0), written=(3, 3, 2, 1), seed=0):
    """Plans, which sequence each is written from, and arrays by name."""
    rng = np.random.RandomState(seed)
    written, read = pack(np.array(written)), pack(np.array(read))
    source = rng.permutation(read.n_sequences)[: written.n_sequences]
    shapes = {"queries": (written.n_rows, A), "keys": (read.n_rows, A), "values": (read.n_rows, W)}
    if additive:
        shapes["scorer"] = (A,)
    arrays = {name: rng.normal(size=shape).astype(dtype) for name, shape in shapes.items()}
    return written, read, source, arrays


def run(backend, plans, arrays, dcontexts):
    operation = get_backend(backend).attention()
    contexts = operation.forward(*plans, **arrays)
    dscorer = np.zeros_like(arrays["scorer"]) if "scorer" in arrays else None
    weights = operation.weights.copy()
    found = operation.backward(dcontexts, dscorer)
    gradients = dict(zip(("queries", "keys", "values"), found))
    if dscorer is not None:
        gradients["scorer"] = dscorer
    return contexts, weights, gradients


@pytest.mark.parametrize("additive", [False, True])
@pytest.mark.parametrize("backend", ["reference", "cpu"])
def test_gradients_are_those_of_differences(backend, additive):
    *plans, arrays = problem(additive=additive)
    factors = np.random.RandomState(1).normal(size=(plans[0].n_rows, W))
    _, _, gradients = run(backend, plans, arrays, factors)

    def loss():
        return float((get_backend(backend).attention().forward(*plans, **arrays) * factors).sum())

    assert_gradients(gradients, loss, arrays)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("additive", [False, True])
def test_the_core_computes_what_the_reference_does(additive, dtype):
    *plans, arrays = problem(dtype, additive, read=(30, 17, 8, 1), written=(20, 9, 9, 2))
    factors = np.random.RandomState(1).normal(size=(plans[0].n_rows, W)).astype(dtype)
    expected = run("reference", plans, arrays, factors)
    contexts, weights, gradients = run("cpu", plans, arrays, factors)
    assert_close(contexts, expected[0], dtype, 30 * A)
    assert_close(weights, expected[1], dtype, 30 * A)
    for name, gradient in gradients.items():
        assert_close(gradient, expected[2][name], dtype, 20 * 30 * A)


def test_weights_sum_to_1_and_nothing_read_gives_zeros():
    *plans, arrays = problem()
    operation = get_backend("cpu").attention()
    contexts = operation.forward(*plans, **arrays)
    written, read, source = plans
    first = 0
    for d, s in enumerate(source):
        rows = written.step_offsets[: written.lengths[d]] + d
        if read.lengths[s] == 0:
            assert not contexts[rows].any()
        for _ in rows:
            weights = operation.weights[first : first + read.lengths[s]]
            assert read.lengths[s] == 0 or abs(weights.sum() - 1) < 1e-12
            first += read.lengths[s]
    assert first == len(operation.weights)


@pytest.mark.parametrize("additive", [False, True])
def test_a_sequence_has_the_same_bits_alone(additive):
    written, read, source, arrays = problem(np.float32, additive, (9, 6, 5, 2), (7, 4, 3, 1))
    contexts = get_backend("cpu").attention().forward(written, read, source, **arrays)
    for d, s in enumerate(source):
        rows = written.step_offsets[: written.lengths[d]] + d
        steps = read.step_offsets[: read.lengths[s]] + s
        own = {"queries": arrays["queries"][rows]}
        own |= {name: arrays[name][steps] for name in ("keys", "values")}
        if additive:
            own["scorer"] = arrays["scorer"]
        plans = pack(np.array([len(rows)])), pack(np.array([len(steps)])), np.zeros(1, np.intp)
        alone = get_backend("cpu").attention().forward(*plans, **own)
        assert np.array_equal(alone, contexts[rows])


@pytest.mark.parametrize("source", [[0, 1, 2, 4], [0, 1, 2, -1], [0, 1, 2]])
def test_the_core_refuses_a_source_that_is_not_there(source):
    written, read, _, arrays = problem()
    with pytest.raises(ValueError, match="source must"):
        get_backend("cpu").attention().forward(written, read, np.array(source), **arrays)


@pytest.mark.parametrize("name", ["queries", "keys", "values"])
def test_the_core_refuses_arrays_of_other_shapes(name):
    *plans, arrays = problem()
    arrays[name] = arrays[name][:-1]
    with pytest.raises(ValueError, match=f"{name} must be a contiguous array"):
        get_backend("cpu").attention().forward(*plans, **arrays)

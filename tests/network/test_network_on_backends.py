"""Whole networks on the compiled core: the reference's numbers, and bits that do not wander."""

import numpy as np
import pytest
from networks import LENGTHS, NETWORKS
from tolerances import assert_close

from rnnkit.backends import get_backend
from rnnkit.backends.cpu import using_threads
from rnnkit.network import Inputs, SoftmaxCrossEntropy, build_network
from rnnkit.sequences import pack

BACKENDS = {name: get_backend(name) for name in ("reference", "cpu")}


def make(cell, per_step, dtype, **options):
    options = {"hidden_size": 9, **options}
    network = build_network(
        cell, 3, SoftmaxCrossEntropy(4), per_step=per_step, dtype=dtype, **options
    )
    network.initialize(np.random.RandomState(0))
    return network


def data(dtype, per_step):
    rng = np.random.RandomState(1)
    plan = pack(LENGTHS)
    n = plan.n_rows if per_step else plan.n_sequences
    return plan, Inputs(rng.standard_normal((plan.n_rows, 3)).astype(dtype)), rng.randint(4, size=n)


def loss_and_gradient(network, backend, plan, x, labels):
    bound = network.bind(backend, training=True)
    noise = np.random.Generator(np.random.Philox(5))
    scores = bound.forward(plan, x, noise)
    loss, dscores = bound.loss(plan, scores, labels, None)
    bound.backward(dscores)
    return loss, bound.flat_gradient


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("cell", ["rnn", "gru", "lstm"])
@pytest.mark.parametrize("per_step", [False, True])
@pytest.mark.parametrize("name", NETWORKS)
def test_the_core_computes_what_the_reference_computes(name, per_step, cell, dtype):
    network = make(cell, per_step, dtype, **NETWORKS[name])
    plan, x, labels = data(dtype, per_step)
    losses, gradients = zip(
        *(loss_and_gradient(network, b, plan, x, labels) for b in BACKENDS.values())
    )
    terms = plan.n_rows * 9 * plan.n_steps
    assert_close(losses[1], losses[0], dtype, terms)
    assert_close(gradients[1], gradients[0], dtype, terms)


@pytest.mark.parametrize("name", NETWORKS)
def test_gradients_have_the_same_bits_for_any_number_of_threads(name):
    network = make("lstm", False, "float32", **NETWORKS[name])
    plan, x, labels = data("float32", False)
    results = []
    for n in (1, 2, 4):
        with using_threads(n):
            loss, gradient = loss_and_gradient(network, BACKENDS["cpu"], plan, x, labels)
        results.append((loss, gradient.tobytes()))
    assert results[0] == results[1] == results[2]


@pytest.mark.parametrize("cell", ["rnn", "gru", "lstm"])
@pytest.mark.parametrize("name", NETWORKS)
def test_a_sequence_alone_has_the_bits_it_has_in_a_batch(name, cell):
    network = make(cell, False, "float32", **NETWORKS[name])
    plan, x, _ = data("float32", False)
    bound = network.bind(BACKENDS["cpu"])
    together = bound.probabilities(plan, bound.forward(plan, x)).copy()
    for b in range(plan.n_sequences):
        alone = pack(plan.lengths[b : b + 1])
        rows = x.take(np.flatnonzero(plan.sequence_of_row() == b))
        scores = bound.forward(alone, rows)
        np.testing.assert_array_equal(bound.probabilities(alone, scores)[0], together[b])


@pytest.mark.parametrize("cell", ["rnn", "gru", "lstm"])
@pytest.mark.parametrize("pooling", ["last", "mean", "max", "attention"])
def test_step_by_step_ends_in_the_bits_of_the_whole(pooling, cell):
    network = make(cell, False, "float32", n_layers=2, pooling=pooling)
    _, x, _ = data("float32", False)
    x = x.take(np.arange(12))
    bound = network.bind(BACKENDS["cpu"])
    whole = bound.forward(pack(np.array([12])), x).copy()
    states = None
    for step in range(12):
        scores = bound.forward(pack(np.array([1])), x.take(np.array([step])), states=states).copy()
        states = bound.states
    np.testing.assert_array_equal(scores, whole)

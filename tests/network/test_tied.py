"""The head of tied embeddings: against a plain head of the same numbers, and by differences."""

import numpy as np
import pytest
from gradcheck import assert_gradients
from tolerances import assert_close

from rnnkit.backends import get_backend
from rnnkit.network import Embedding, Inputs, NextToken, build_network
from rnnkit.sequences import pack

LENGTHS = np.array([3, 1, 4, 2])


def network_of(cell, width, *, tied=True, dtype="float64"):
    table = [Embedding((5,), (width,))]
    network = build_network(
        cell, 0, NextToken(5), per_step=True, hidden_size=3, tokens=table, dtype=dtype,
        tied_embeddings=tied,
    )  # fmt: skip
    rng = np.random.RandomState(0)
    network.initialize(rng)
    network.parameters.flat[:] += 0.3 * rng.standard_normal(network.parameters.flat.shape)
    return network


def ids():
    return Inputs(None, np.random.RandomState(1).randint(0, 5, (LENGTHS.sum(), 1)))


@pytest.mark.parametrize("width", [3, 4])
@pytest.mark.parametrize("backend", ["reference", "cpu"])
def test_scores_are_those_of_a_plain_head_of_the_same_numbers(width, backend):
    tied, plain = network_of("gru", width), network_of("gru", width, tied=False)
    for name in plain.parameters:
        if name != "head.weight":
            plain.parameters[name][...] = tied.parameters[name]
    table = tied.parameters["embedding.weight_0"]
    between = tied.parameters["head.weight"] if width != 3 else np.eye(3)
    plain.parameters["head.weight"][...] = table @ between
    plan = pack(LENGTHS)
    found, expected = (n.bind(get_backend(backend)).forward(plan, ids()) for n in (tied, plain))
    assert_close(found, expected, "float64", 100)


@pytest.mark.parametrize("cell", ["rnn", "lstm", "gru"])
@pytest.mark.parametrize("width", [3, 4])
@pytest.mark.parametrize("backend", ["reference", "cpu"])
def test_gradients(cell, width, backend):
    """The table's is the sum of two: as what is read and as what is scored."""
    network, plan = network_of(cell, width), pack(LENGTHS)
    bound = network.bind(get_backend(backend), training=True)
    targets = np.random.RandomState(2).randint(0, 5, plan.n_rows)

    def loss():
        return bound.loss(plan, bound.forward(plan, ids()), targets, None)[0]

    bound.flat_gradient[:] = 0
    bound.backward(bound.loss(plan, bound.forward(plan, ids()), targets, None)[1])
    computed = {name: gradient.copy() for name, gradient in bound.gradients.items()}
    assert_gradients(computed, loss, bound.parameters)


def test_there_is_no_map_between_equal_widths():
    assert "head.weight" not in network_of("gru", 3).parameters
    assert network_of("gru", 4).parameters["head.weight"].shape == (4, 3)
    assert "3 → 4 → 5 (by the embedding)" in repr(network_of("gru", 4))


def test_it_begins_from_how_often_each_token_comes():
    start = NextToken(3).start(np.array([1, 1, 1, 2]))
    assert_close(np.exp(start), np.array([0.5, 3.5, 1.5]) / 5.5, "float64")

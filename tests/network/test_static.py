"""The layer that begins with static features: against its parts, and by finite differences."""

import pickle

import numpy as np
import pytest
from gradcheck import assert_gradients
from tolerances import assert_close

from rnnkit.backends import get_backend
from rnnkit.cells import make_spec
from rnnkit.network import Inputs, SquaredError, build_network
from rnnkit.network.layers import Dense
from rnnkit.network.network import Network
from rnnkit.network.recurrent import Recurrent, both_directions
from rnnkit.network.streaming import NetworkStream
from rnnkit.sequences import pack

LENGTHS = np.array([3, 1, 4, 4, 2])
STATIC, CHANGING = (1, 2, 4), (0, 3)
CELLS = ("rnn", "lstm", "gru")


def steady(plan, rng, n_features=5):
    """Rows whose static features are those of the sequence's first step."""
    x = rng.standard_normal((plan.n_rows, n_features))
    first = np.flatnonzero(plan.sequence_of_row() >= 0)[: plan.n_sequences]
    x[:, STATIC] = x[first][plan.sequence_of_row()][:, STATIC]
    return x


def network_of(cell, **options):
    network = build_network(cell, 5, SquaredError(2), static=STATIC, hidden_size=3, **options)
    rng = np.random.RandomState(0)
    network.initialize(rng)
    network.parameters.flat[:] += 0.3 * rng.standard_normal(network.parameters.flat.shape)
    return network


@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize("both", [False, True])
def test_it_is_a_layer_that_begins_with_a_linear_map(cell, both):
    """The other way: states computed by hand and handed to a plain recurrent layer."""
    network = network_of(cell, per_step=True, bidirectional=both)
    spec = make_spec(cell, 2, 3)
    plain = Network(
        [
            Recurrent(both_directions(spec) if both else (spec,)),
            Dense(6 if both else 3, 2),
        ],
        SquaredError(2),
    )
    for name in plain.parameters:
        plain.parameters[name][...] = network.parameters[name]
    plan = pack(LENGTHS)
    x = steady(plan, np.random.RandomState(1))
    weight, bias = network.parameters["static.weight"], network.parameters["static.bias"]
    starts = x[: plan.n_sequences][:, STATIC] @ weight.T + bias
    blocks = [starts[:, start : start + 3] for start in range(0, len(weight), 3)]
    state = []
    for _ in range(2 if both else 1):
        state += [blocks.pop(0), blocks.pop(0) if cell == "lstm" else None]
    backend = get_backend("reference")
    bound = plain.bind(backend)
    operation = bound._chain.operations[0]
    call = bound._chain._call
    call.plan, call.noise, call.training = plan, None, False
    operation.state = tuple(state)
    hidden = operation.forward(np.ascontiguousarray(x[:, CHANGING]), call)
    expected = bound._chain.operations[1].forward(hidden, call)
    for name in ("reference", "cpu"):
        found = network.bind(get_backend(name)).forward(plan, Inputs(x))
        assert_close(found, expected, "float64", 100)


@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize(
    "options",
    [
        {"per_step": True},
        {"per_step": False},
        {"per_step": False, "bidirectional": True, "n_layers": 2},
        {"per_step": True, "bidirectional": True},
        {"per_step": False, "pooling": "attention"},
    ],
)
@pytest.mark.parametrize("backend", ["reference", "cpu"])
def test_gradients(cell, options, backend):
    network = network_of(cell, **options)
    plan = pack(LENGTHS)
    rng = np.random.RandomState(2)
    static, changing = rng.standard_normal((len(LENGTHS), 3)), rng.standard_normal((14, 2))
    of_row = plan.sequence_of_row()
    n = plan.n_rows if options["per_step"] else plan.n_sequences
    targets, weights = rng.standard_normal((n, 2)), rng.uniform(0.5, 2, n)
    bound = network.bind(get_backend(backend), training=True, input_gradient=True)

    def inputs():
        x = np.empty((plan.n_rows, 5))
        x[:, STATIC], x[:, CHANGING] = static[of_row], changing
        return Inputs(x)

    def loss():
        return bound.loss(plan, bound.forward(plan, inputs()), targets, weights)[0]

    bound.flat_gradient[:] = 0
    scores = bound.forward(plan, inputs())
    dx = bound.backward(bound.loss(plan, scores, targets, weights)[1])
    by_static = np.zeros_like(static)
    np.add.at(by_static, of_row, dx[:, STATIC])
    computed = {name: gradient.copy() for name, gradient in bound.gradients.items()}
    assert_gradients(
        {**computed, "static": by_static, "changing": dx[:, CHANGING]},
        loss,
        {**bound.parameters, "static": static, "changing": changing},
    )


@pytest.mark.parametrize("cell", CELLS)
def test_states_behind_a_cut_are_those_of_the_whole(cell):
    network = network_of(cell, per_step=True)
    x = np.repeat(np.random.RandomState(3).standard_normal((1, 5)), 6, axis=0)
    x[:, CHANGING] = np.random.RandomState(4).standard_normal((6, 2))
    bound = network.bind(get_backend("cpu"), training=True)
    whole = bound.forward(pack(np.array([6])), Inputs(x)).copy()
    first = bound.forward(pack(np.array([4])), Inputs(x[:4].copy())).copy()
    states = bound.states
    later = x[4:].copy()
    later[:, STATIC] = 99.0  # which is not looked at
    second = bound.forward(pack(np.array([2])), Inputs(later), states=states)
    np.testing.assert_array_equal(np.concatenate([first, second]), whole)
    bound.flat_gradient[:] = 0
    bound.backward(np.ones_like(second))
    assert not bound.gradients["static.weight"].any()
    stream = NetworkStream(pickle.loads(pickle.dumps(network)), get_backend("cpu"))
    steps = [stream.step(Inputs(row[None])).copy() for row in x]
    np.testing.assert_array_equal(np.concatenate(steps), whole)
    stream.reset()
    np.testing.assert_array_equal(stream.step(Inputs(x[:1])), whole[:1])


def test_sequences_without_steps_have_no_rows():
    network = network_of("lstm", per_step=True)
    plan = pack(np.array([2, 0, 3]))
    x = np.random.RandomState(5).standard_normal((5, 5))
    scores = network.bind(get_backend("cpu")).forward(plan, Inputs(x))
    assert scores.shape == (5, 2)
    assert np.isfinite(scores).all()
    nothing = network.bind(get_backend("cpu")).forward(pack(np.array([0])), Inputs(x[:0]))
    assert nothing.shape == (0, 2)

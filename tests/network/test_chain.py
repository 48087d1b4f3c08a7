"""Chains of layers: gradients by the states they begin and end with, and which rows they take."""

import numpy as np
import pytest
from gradcheck import assert_gradients, assert_gradients_along_a_direction
from tolerances import assert_close

from rnnkit.backends import get_backend
from rnnkit.cells import make_spec
from rnnkit.network import Inputs, SquaredError, build_network
from rnnkit.network.chain import Chain
from rnnkit.network.dropout import Dropout
from rnnkit.network.layers import Binding, Dense, Rows, rows_at_the_end
from rnnkit.network.network import Network
from rnnkit.network.pooling import Pooling
from rnnkit.network.recurrent import Recurrent, both_directions
from rnnkit.sequences import pack, windows

REFERENCE, CPU = get_backend("reference"), get_backend("cpu")
LENGTHS = np.array([3, 1, 4, 0, 4, 2])
N_INPUTS, H = 2, 3


def philox():
    return np.random.Generator(np.random.Philox(7))


class Problem:
    """Two recurrent layers, dropout between them, and a loss of their output and final states."""

    def __init__(self, cell, both=False, last_only=False, dtype="f8", **options):
        rng = np.random.RandomState(0)
        dropout = options.pop("recurrent_dropout", 0.0)
        width = N_INPUTS
        self.layers = []
        for number in range(2):
            spec = make_spec(cell, width, H, **options)
            self.layers.append(
                Recurrent(
                    both_directions(spec) if both else [spec],
                    number,
                    last_only=last_only and number == 1,
                    recurrent_dropout=dropout,
                )
            )
            width = self.layers[-1].width
            if dropout and number == 0:
                self.layers.append(Dropout(dropout))
        self.plan = pack(LENGTHS)
        n = self.plan.n_sequences
        draw = lambda *shape: rng.standard_normal(shape).astype(dtype)
        shapes = {k: s for layer in self.layers for k, s in layer.parameter_shapes().items()}
        self.parameters = {name: 0.6 * draw(*shape) for name, shape in shapes.items()}
        self.x = draw(self.plan.n_rows, N_INPUTS)
        self.names = [f"{s}{k}" for k in (0, 1) for s in self.layers[0].states]
        if cell != "lstm":
            self.names = [name for name in self.names if not name.startswith("c")]
        self.starts = {name: draw(n, H) for name in self.names}
        self.dends = {name: draw(n, H) for name in self.names}
        self.dy = draw(n if last_only else self.plan.n_rows, width)

    def as_states(self, named):
        return [tuple(named.get(f"{s}{k}") for s in self.layers[0].states) for k in (0, 1)]

    def bind(self, backend=REFERENCE):
        gradients = {name: np.zeros_like(array) for name, array in self.parameters.items()}
        dtype = self.x.dtype
        binding = Binding(backend, self.parameters, gradients, dtype, True, input_gradient=True)
        return Chain(self.layers, binding), gradients

    def forward(self, chain):
        states = self.as_states(self.starts)
        return chain.forward(self.plan, self.x, philox(), states)

    def loss(self, chain):
        total = (self.forward(chain) * self.dy).sum()
        for ended, dends in zip(chain.states, self.as_states(self.dends), strict=True):
            for end, dend in zip(ended, dends, strict=True):
                if end is not None:
                    total += (end * dend).sum()
        return total

    def gradients(self, backend=REFERENCE):
        chain, gradients = self.bind(backend)
        self.forward(chain)
        dx = chain.backward(self.dy.copy(), self.as_states(self.dends))
        found = {"x": dx.copy(), **gradients}
        for k, dstate in enumerate(chain.state_gradients):
            for name, dstart in zip(self.layers[0].states, dstate, strict=True):
                if f"{name}{k}" in self.starts:
                    found[f"{name}{k}"] = dstart
                else:
                    assert dstart is None
        return found


VARIANTS = {
    "one direction": {},
    "both directions": {"both": True},
    "last states": {"last_only": True},
    "last states, both directions": {"last_only": True, "both": True},
    "masks": {"zoneout": 0.3, "recurrent_dropout": 0.3, "both": True},
    "layer norm": {"layer_norm": True},
}


@pytest.mark.parametrize("cell", ["rnn", "lstm", "gru"])
@pytest.mark.parametrize("name", VARIANTS)
def test_gradients_by_initial_states_are_finite_differences(name, cell):
    problem = Problem(cell, **VARIANTS[name])
    chain, _ = problem.bind()
    loss, found = lambda: problem.loss(chain), problem.gradients()
    assert_gradients({name: found.pop(name) for name in problem.starts}, loss, problem.starts)
    assert_gradients_along_a_direction(found, loss, {"x": problem.x, **problem.parameters})


@pytest.mark.parametrize("dtype", ["f4", "f8"])
@pytest.mark.parametrize("cell", ["rnn", "lstm", "gru"])
@pytest.mark.parametrize("name", VARIANTS)
def test_the_core_gives_the_references_gradients_by_states(name, cell, dtype):
    problem = Problem(cell, dtype=dtype, **VARIANTS[name])
    expected, found = problem.gradients(), problem.gradients(CPU)
    assert set(found) == set(expected)
    for key, gradient in found.items():
        assert_close(gradient, expected[key], dtype, problem.plan.n_rows * H * 4)


def test_a_gradient_by_final_states_is_used_once():
    problem = Problem("lstm")
    chain, gradients = problem.bind()
    problem.forward(chain)
    chain.backward(problem.dy.copy(), problem.as_states(problem.dends))
    for gradient in gradients.values():
        gradient.fill(0)
    problem.forward(chain)
    chain.backward(problem.dy.copy())
    other, expected = problem.bind()
    problem.forward(other)
    other.backward(problem.dy.copy())
    for name, gradient in gradients.items():
        np.testing.assert_array_equal(gradient, expected[name])


@pytest.mark.parametrize("backend", [REFERENCE, CPU], ids=["reference", "cpu"])
@pytest.mark.parametrize("cell", ["rnn", "lstm", "gru"])
def test_windows_whose_state_gradients_are_handed_back_learn_as_the_whole_does(cell, backend):
    rng = np.random.RandomState(0)
    network = build_network(
        cell, N_INPUTS, SquaredError(1), per_step=True, hidden_size=H, n_layers=2
    )
    network.initialize(rng)
    plan = pack(np.array([4, 4, 4]))
    inputs = Inputs(rng.standard_normal((plan.n_rows, N_INPUTS)))
    dscores = rng.standard_normal((plan.n_rows, 1))
    whole = network.bind(backend, training=True)
    whole.forward(plan, inputs)
    whole.backward(dscores.copy())

    bounds, states = [], None
    for part, first, last, _ in windows(plan, 2):
        bound = network.bind(backend, training=True)
        bound.forward(part, inputs.take(np.arange(first, last)), states=states)
        states = bound.states
        bounds.append((bound, dscores[first:last]))
    dstates, total = None, 0.0
    for bound, part in reversed(bounds):
        bound.backward(part.copy(), dstates)
        dstates = bound.state_gradients
        total = total + bound.flat_gradient
    assert_close(total, whole.flat_gradient, np.float64, plan.n_rows * H)


def test_a_pooling_takes_no_gradient_by_its_state_and_gives_none():
    network = build_network("gru", N_INPUTS, SquaredError(1), per_step=False, pooling="mean")
    network.initialize(np.random.RandomState(0))
    bound = network.bind(REFERENCE, training=True)
    plan = pack(np.array([2, 2]))
    scores = bound.forward(plan, Inputs(np.ones((4, N_INPUTS))))
    dh = np.ones((2, 64))
    with pytest.raises(ValueError, match="a pooling takes no gradient"):
        bound.backward(np.ones_like(scores), [(dh, None), (dh, dh)])
    bound.forward(plan, Inputs(np.ones((4, N_INPUTS))))
    bound.backward(np.ones_like(scores), [(dh, None), None])
    (dh0, dc0), pooled = bound.state_gradients
    assert dh0.shape == (2, 64)
    assert dc0 is None
    assert pooled is None


def recurrent(last_only=False, number=0):
    return Recurrent([make_spec("gru", 4, 4)], number, last_only=last_only)


def test_layers_say_which_rows_they_take_and_give():
    assert rows_at_the_end([recurrent(), Dropout(0.5), Dense(4, 1)]) is Rows.STEPS
    assert rows_at_the_end([recurrent(last_only=True), Dense(4, 1)]) is Rows.SEQUENCES
    assert rows_at_the_end([recurrent(), Pooling("max"), Dense(4, 1)]) is Rows.SEQUENCES
    with pytest.raises(
        ValueError, match=r"layer 1, Pooling, takes one row per step, but is given one row per seq"
    ):
        Network([recurrent(last_only=True), Pooling("max"), Dense(4, 1)], SquaredError(1))


@pytest.mark.parametrize("cell", ["rnn", "lstm", "gru"])
@pytest.mark.parametrize("pooling", ["last", "mean", "max", "attention"])
def test_states_have_an_array_for_each_declared_name(pooling, cell):
    network = build_network(
        cell, N_INPUTS, SquaredError(1), per_step=False, hidden_size=H, n_layers=2, pooling=pooling
    )
    network.initialize(np.random.RandomState(0))
    bound = network.bind(REFERENCE)
    bound.forward(pack(LENGTHS), Inputs(np.ones((LENGTHS.sum(), N_INPUTS))))
    declared = [layer.states for layer in network.layers if layer.states]
    assert [len(state) for state in bound.states] == [len(names) for names in declared]
    for state in bound.states:
        assert all(array is None or len(array) == len(LENGTHS) for array in state)


def test_steps_cannot_run_back():
    layers = [recurrent()]
    parameters = {n: np.ones(s) for n, s in layers[0].parameter_shapes().items()}
    chain = Chain(layers, Binding(CPU, parameters, {}, np.dtype("f8")), n_streams=1)
    chain.start_stream(pack(np.ones(1, np.intp)))
    chain.step(np.ones((1, 4)))
    with pytest.raises(TypeError, match="no backward pass"):
        chain.backward(np.ones((1, 4)))

"""Convolutions over ragged sequences: loops as oracle, gradients, cuts, streams, backends."""

import numpy as np
import pytest
from gradcheck import assert_gradient
from network.test_network import Problem
from networks import LENGTHS
from tolerances import assert_close

from rnnkit import Convolution
from rnnkit.backends import get_backend
from rnnkit.backends.cpu import using_threads
from rnnkit.network import Inputs, SoftmaxCrossEntropy, SquaredError, build_network
from rnnkit.network.chain import Chain
from rnnkit.network.convolution import ConvolutionLayer
from rnnkit.network.layers import Binding
from rnnkit.network.streaming import NetworkStream
from rnnkit.sequences import pack, windows

BACKENDS = {name: get_backend(name) for name in ("reference", "cpu")}
SHAPES = {
    "centred": [Convolution(3, 3)],
    "even": [Convolution(3, 4, activation="identity")],
    "one step": [Convolution(4, 1, layer_norm=True)],
    "causal": [Convolution(3, 4, causal=True, activation="tanh")],
    "wider than all": [Convolution(2, 15)],
    "stride": [Convolution(3, 3, 2)],
    "causal stride": [Convolution(3, 3, 3, causal=True)],
    "pooling": [Convolution(3, 2, pooling=3)],
    "batch norm": [Convolution(3, 3, batch_norm=True, activation="tanh")],
    "batch norm, causal": [Convolution(3, 2, causal=True, batch_norm=True)],
    "batch norm, stacked": [
        Convolution(3, 3, 2, batch_norm=True),
        Convolution(2, 2, pooling=2, batch_norm=True, causal=True, activation="identity"),
    ],
    "stacked": [Convolution(3, 3, 2, 2, layer_norm=True), Convolution(2, 2, 1, 2, causal=True)],
}  # fmt: skip
CAUSAL = [
    Convolution(4, 3, causal=True, activation="tanh", batch_norm=True),
    Convolution(3, 2, causal=True, layer_norm=True),
]


def layers_of(shapes, n_inputs=2):
    layers = []
    for number, shape in enumerate(shapes):
        layers.append(ConvolutionLayer(shape, n_inputs, number))
        n_inputs = shape.channels
    return layers


def parameters_of(layers, rng):
    shapes = {name: s for layer in layers for name, s in layer.parameter_shapes().items()}
    drawn = {name: rng.standard_normal(shape) for name, shape in shapes.items()}
    for name, array in drawn.items():
        if "variance" in name or "share" in name:
            np.abs(array, out=array)
    return drawn


def by_loops(x, layer, parameters):
    """What the definition says, step by step and tap by tap, for one sequence x (T, I)."""
    shape = layer.shape
    weight = parameters[layer.names["weight"]].reshape(shape.channels, shape.width, -1)
    rows = []
    for first in range(0, len(x), shape.stride):
        row = np.zeros(shape.channels)
        if "bias" in layer.names:
            row += parameters[layer.names["bias"]]
        for j in range(shape.width):
            t = first + j - (shape.width - 1 if shape.causal else (shape.width - 1) // 2)
            if 0 <= t < len(x):
                row += weight[:, j] @ x[t]
        if shape.layer_norm:
            row = (row - row.mean()) / np.sqrt(row.var() + 1e-5)
        if shape.batch_norm:
            mean, variance = (parameters[layer.names[part]] for part in ("mean", "variance"))
            row = (row - mean) / np.sqrt(variance + 1e-5)
        if shape.layer_norm or shape.batch_norm:
            row = row * parameters[layer.names["gain"]] + parameters[layer.names["shift"]]
        functions = {"relu": lambda z: np.maximum(z, 0), "tanh": np.tanh, "identity": lambda z: z}
        rows.append(functions[shape.activation](row))
    p = shape.pooling or 1
    pooled = [np.max(rows[first : first + p], axis=0) for first in range(0, len(rows), p)]
    return np.array(pooled).reshape(-1, shape.channels)


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("name", SHAPES)
def test_what_the_definition_says(name, backend):
    rng = np.random.RandomState(0)
    lengths = np.array([5, 1, 12, 0, 7, 12, 2])
    sequences = [rng.standard_normal((t, 2)) for t in lengths]
    layers = layers_of(SHAPES[name])
    parameters = parameters_of(layers, rng)
    chain = Chain(layers, Binding(BACKENDS[backend], parameters, {}, np.dtype("float64")))
    plan = pack(lengths)
    starts = np.cumsum(lengths) - lengths
    found = chain.forward(plan, np.concatenate(sequences)[plan.rows(starts)])
    expected = []
    for place in plan.order:  # longest first, as they are packed
        x = sequences[place]
        for layer in layers:
            x = by_loops(x, layer, parameters)
        expected.append(x)
    left = np.array(list(map(len, expected)))
    plan = pack(left)
    starts = np.cumsum(left) - left
    assert_close(found, np.concatenate(expected)[plan.rows(starts)], "float64", 60)


@pytest.mark.parametrize("join", ["before", "parallel"])
@pytest.mark.parametrize("name", SHAPES)
def test_gradients(name, join):
    options = {"convolutions": SHAPES[name], "convolution_join": join}
    lengths = np.array([13, 1, 26, 26, 8]) if "stacked" in name else np.array([9, 1, 12, 12, 3])
    for more in ({"pooling": "mean"}, {"bidirectional": True, "pooling": "attention"}):
        Problem(SquaredError(1), False, lengths=lengths, **options, **more).check()
    if not any(shape.shortening > 1 for shape in SHAPES[name]):
        Problem(SoftmaxCrossEntropy(2), True, **options, bidirectional=True).check()


def test_gradients_by_what_was_kept():
    """Without noise a network bound for training stands on the means and variances it has."""
    problem = Problem(SquaredError(1), False, convolutions=SHAPES["batch norm"])
    kept = {n: a for n, a in problem.network.parameters.items() if "variance" in n}
    for array in kept.values():
        array[...] = np.abs(array) + 0.5
    bound, layer = problem.bound, problem.network.layers[0]

    def loss():
        scores = bound.forward(problem.plan, problem.inputs)
        return bound.loss(problem.plan, scores, problem.targets, problem.weights)[0]

    before = problem.network.parameters.flat.copy()
    bound.flat_gradient.fill(0)
    scores = bound.forward(problem.plan, problem.inputs)
    dscores = bound.loss(problem.plan, scores, problem.targets, problem.weights)[1]
    dx = bound.backward(dscores.copy())
    assert_gradient(dx, loss, problem.inputs.numeric, "x")
    for part in ("weight", "gain", "shift"):
        name = layer.names[part]
        computed = bound.gradients[name].copy()
        assert_gradient(computed, loss, problem.network.parameters[name], name)
    np.testing.assert_array_equal(problem.network.parameters.flat, before)


def test_what_is_kept_of_minibatches():
    """The first ten count alike, the eleventh is worth a tenth; steps outside are none."""
    problem = Problem(SquaredError(1), False, convolutions=[Convolution(3, 1, batch_norm=True)])
    layer, parameters = problem.network.layers[0], problem.network.parameters
    layer.initialize(parameters, np.random.RandomState(0))
    rng, means, variances = np.random.RandomState(1), [], []
    for n in range(1, 12):
        x = rng.standard_normal(problem.inputs.numeric.shape)
        problem.bound.forward(problem.plan, Inputs(x), np.random.default_rng(0))
        rows = x @ parameters[layer.names["weight"]].T
        means.append(rows.mean(0))
        variances.append(rows.var(0, ddof=1))
        if n == 10:
            expected = np.mean(means, axis=0), np.mean(variances, axis=0)
            assert_close(parameters[layer.names["mean"]], expected[0], "float64", 60)
            assert_close(parameters[layer.names["variance"]], expected[1], "float64", 60)
    mean = 0.9 * expected[0] + 0.1 * means[-1]
    assert_close(parameters[layer.names["mean"]], mean, "float64", 60)


def network_of(dtype="float32", per_step=False, **options):
    network = build_network(
        "lstm", 3, SoftmaxCrossEntropy(4), per_step=per_step, hidden_size=9, dtype=dtype, **options
    )
    network.initialize(np.random.RandomState(0))
    return network


@pytest.mark.parametrize("join", ["before", "parallel"])
@pytest.mark.parametrize("name", SHAPES)
def test_a_sequence_has_the_same_bits_alone_and_on_any_threads(name, join):
    network = network_of(convolutions=SHAPES[name], convolution_join=join, pooling="max")
    rng = np.random.RandomState(1)
    sequences = [rng.standard_normal((t, 3)).astype("float32") for t in LENGTHS]
    bound = network.bind(BACKENDS["cpu"])

    def scores(chosen):
        lengths = np.array(list(map(len, chosen)))
        plan = pack(lengths)
        rows = plan.rows(np.cumsum(lengths) - lengths)
        back = np.empty((len(chosen), 4), "float32")
        back[plan.order] = bound.forward(plan, Inputs(np.concatenate(chosen)[rows]))
        return back

    together = scores(sequences)
    for x, row in zip(sequences, together):
        np.testing.assert_array_equal(scores([x])[0], row)
    with using_threads(3):
        np.testing.assert_array_equal(scores(sequences), together)


@pytest.mark.parametrize("join", ["before", "parallel"])
@pytest.mark.parametrize("n_steps", [1, 2, 5])
def test_a_cut_changes_nothing(join, n_steps):
    network = network_of(per_step=True, convolutions=CAUSAL, convolution_join=join)
    plan = pack(LENGTHS)
    x = np.random.RandomState(1).standard_normal((plan.n_rows, 3)).astype("float32")
    bound = network.bind(BACKENDS["cpu"])
    whole = bound.forward(plan, Inputs(x)).copy()
    states = None
    for part, first, last, n_active in windows(plan, n_steps):
        if states is not None:
            states = [tuple(array[:n_active] for array in state) for state in states]
        scores = bound.forward(part, Inputs(x[first:last]), states=states)
        np.testing.assert_array_equal(scores, whole[first:last])
        states = bound.states


@pytest.mark.parametrize("join", ["before", "parallel"])
@pytest.mark.parametrize("per_step", [False, True])
def test_a_stream_gives_the_bits_of_the_whole(join, per_step):
    network = network_of(per_step=per_step, convolutions=CAUSAL, convolution_join=join)
    x = np.random.RandomState(1).standard_normal((7, 2, 3)).astype("float32")
    bound = network.bind(BACKENDS["cpu"])
    whole = bound.forward(pack(np.array([7, 7])), Inputs(x.reshape(-1, 3)))[-2:].copy()
    stream = NetworkStream(network, BACKENDS["cpu"], 2)
    for step in x[:3]:
        stream.step(Inputs(step))
    kept = stream.state
    for step in x[3:]:
        scores = stream.step(Inputs(step))
    np.testing.assert_array_equal(scores, whole)
    stream.state = kept
    for step in x[3:]:
        scores = stream.step(Inputs(step))
    np.testing.assert_array_equal(scores, whole)
    stream.state = kept  # of which one sequence begins anew before the next step
    stream.begin(np.array([1]))
    for step in x:
        scores = stream.step(Inputs(step))
    np.testing.assert_array_equal(scores[1], whole[1])


@pytest.mark.parametrize("shape", [Convolution(3, 3), Convolution(3, 2, 2, causal=True)])
def test_what_looks_ahead_or_shortens_cannot_be_cut(shape):
    network = network_of(convolutions=[shape])
    assert not network.is_causal
    with pytest.raises(ValueError, match="convolutions of causal=True, stride=1"):
        NetworkStream(network, BACKENDS["cpu"])
    bound, plan = network.bind(BACKENDS["cpu"]), pack(np.array([2]))
    with pytest.raises(ValueError, match="convolutions of causal=True, stride=1"):
        bound.forward(plan, Inputs(np.zeros((2, 3), "f4")), states=[])


def test_no_state_of_every_step_where_steps_are_lost():
    network = network_of(convolutions=[Convolution(3, 3, pooling=2)])
    bound = network.bind(BACKENDS["cpu"])
    plan, x = pack(np.array([5, 3])), Inputs(np.ones((8, 3), "float32"))
    for call in (bound.hidden_states, bound.gate_activations):
        with pytest.raises(ValueError, match="no state for every step"):
            call(plan, x)
    assert bound.pooled_states(plan, x, kind="mean").shape == (2, 9)
    with pytest.raises(ValueError, match="stride=1 and pooling=None where every step is scored"):
        network_of(per_step=True, convolutions=[Convolution(3, 3, 2)])


def test_the_table_tells_of_convolutions():
    shapes = [Convolution(4, 3, 2), Convolution(5, 2, pooling=3, layer_norm=True)]
    rows = network_of(convolutions=shapes).table()
    assert rows[0].layer == "convolution 3 → 4 (width 3, stride 2, relu)"
    assert rows[1].layer == "convolution 4 → 5 (width 2, layer norm, relu, largest of 3)"
    assert [row.output for row in rows[:2]] == ["(N, T / 2, 4)", "(N, T / 6, 5)"]
    shapes = [Convolution(4, 3, batch_norm=True)]
    normed = network_of(convolutions=shapes).table()[0]
    assert normed.layer == "convolution 3 → 4 (width 3, batch norm, relu)"
    assert (normed.n_parameters, normed.n_trained) == (36 + 8 + 9, 36 + 8)
    shapes = [Convolution(4, 3, 2), Convolution(5, 2, pooling=3, layer_norm=True)]
    beside = network_of(convolutions=shapes, convolution_join="parallel").table()
    assert [row.output for row in beside[:3]] == ["(N, T, 3)", "(N, 9)", "(N, 14)"]

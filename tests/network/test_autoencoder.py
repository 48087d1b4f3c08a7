"""Autoencoders: gradients by differences, backends by value, PyTorch, their parts alone."""

import numpy as np
import pytest
from gradcheck import assert_gradients, assert_gradients_along_a_direction
from tolerances import assert_close

from rnnkit.backends import get_backend
from rnnkit.network import Autoencoder, Inputs, SquaredError
from rnnkit.network.composing import build_autoencoder
from rnnkit.network.layers import Binding, Call
from rnnkit.network.repeating import Repeating
from rnnkit.sequences import pack

I, C, H = 2, 3, 4  # noqa: E741 the letters of the package
LENGTHS = np.array([5, 3, 3, 1])  # in packed order


def build(cell="gru", dtype="float64", seed=0, **options):
    output = SquaredError(I)
    settings = {"hidden_size": H, "code_size": C, **options}
    network = Autoencoder(build_autoencoder(cell, I, output, **settings), output, dtype)
    rng = np.random.RandomState(seed)
    network.initialize(rng)
    network.parameters.flat[:] += 0.6 * rng.normal(size=network.parameters.flat.size)
    return network


def problem(network, lengths=LENGTHS, seed=0):
    """A plan, its rows, targets and weights."""
    rng = np.random.RandomState(seed)
    plan = pack(lengths)
    x, y = rng.normal(size=(2, plan.n_rows, I)).astype(network.dtype)
    return plan, x, y, rng.uniform(0.5, 2, plan.n_rows).astype(network.dtype)


def loss_and_gradients(network, plan, x, y, weights, backend="reference"):
    bound = network.bind(get_backend(backend), training=True)
    loss, dscores = bound.loss(plan, bound.forward(plan, Inputs(x)), y, weights)
    bound.backward(dscores)
    return loss, {name: array.copy() for name, array in bound.gradients.items()}


@pytest.mark.parametrize("bidirectional", [False, True])
@pytest.mark.parametrize("n_layers", [1, 2])
@pytest.mark.parametrize("cell", ["rnn", "lstm", "gru"])
def test_gradients_are_those_of_differences(cell, n_layers, bidirectional):
    network = build(cell, n_layers=n_layers, bidirectional=bidirectional)
    data = problem(network)
    loss, gradients = loss_and_gradients(network, *data)

    def again():
        bound = network.bind(get_backend("reference"), training=True)
        return bound.loss(data[0], bound.forward(data[0], Inputs(data[1])), *data[2:])[0]

    assert_gradients_along_a_direction(gradients, again, dict(network.parameters))
    compiled, found = loss_and_gradients(network, *data, "cpu")
    assert_close(compiled, loss, np.float64, 1000)
    # The terms that a gradient of the reader is summed from came back through the whole writer.
    terms = max(float(np.abs(gradient).max()) for gradient in gradients.values())
    for name, gradient in gradients.items():
        assert_close(found[name], gradient, np.float64, 1000, scale=terms)


@pytest.mark.parametrize("backend", ["reference", "cpu"])
def test_gradients_by_what_is_repeated(backend):
    rng = np.random.RandomState(0)
    binding = Binding(get_backend(backend), {}, {}, np.dtype("float64"), True, True)
    operation = Repeating(C).bind(binding)
    call = Call()
    call.plan, call.training, call.noise = pack(LENGTHS), True, None
    x = rng.normal(size=(len(LENGTHS), C))
    slopes = rng.normal(size=(call.plan.n_rows, C + 1))

    def loss():
        return float((operation.forward(x, call) * slopes).sum())

    operation.forward(x, call)
    gradient = operation.backward(slopes.copy())
    assert_gradients({"x": gradient}, loss, {"x": x})


@pytest.mark.parametrize("lengths", [[4, 4], [5, 3, 3, 1], [1], [3, 0]])
def test_every_step_gets_its_row_and_place(lengths):
    plan = pack(np.array(lengths))
    binding = Binding(get_backend("cpu"), {}, {}, np.dtype("float32"))
    call = Call()
    call.plan, call.training, call.noise = plan, False, None
    rows = np.arange(len(lengths) * C, dtype="float32").reshape(-1, C)
    steps = Repeating(C).bind(binding).forward(rows, call)
    row = 0
    for t in range(max(lengths)):
        for b, n in enumerate(lengths):
            if t < n:
                np.testing.assert_array_equal(steps[row, :C], rows[b])
                assert steps[row, C] == np.float32((2 * t + 1) / n - 1)
                row += 1
    assert row == len(steps)


def by_torch(network, x):
    """The scores of one sequence, by PyTorch's GRU or LSTM."""
    torch = pytest.importorskip("torch")
    p = {name: torch.tensor(array) for name, array in network.parameters.items()}
    kind = {"lstm": torch.nn.LSTM, "gru": torch.nn.GRU}[network.recurrent_layers[0].specs[0].cell]

    def run(prefix, inputs):
        layer = kind(inputs.shape[1], H, dtype=torch.float64)
        state = layer.state_dict()
        state["weight_ih_l0"] = p[f"{prefix}.weight_ih_l0"]
        state["weight_hh_l0"] = p[f"{prefix}.weight_hh_l0"]
        state["bias_ih_l0"] = p[f"{prefix}.bias_l0"]
        state["bias_hh_l0"] = torch.zeros_like(state["bias_hh_l0"])
        if f"{prefix}.bias_hn_l0" in p:
            state["bias_hh_l0"][2 * H :] = p[f"{prefix}.bias_hn_l0"]
        layer.load_state_dict(state)
        return layer(inputs)[0]

    with torch.no_grad():
        last = run("rnn", torch.tensor(x))[-1]
        code = p["code.weight"] @ last + p["code.bias"]
        n = len(x)
        places = (2 * torch.arange(n, dtype=torch.float64) + 1) / n - 1
        states = run("decoder", torch.cat([code.expand(n, C), places[:, None]], dim=1))
        return (states @ p["head.weight"].T + p["head.bias"]).numpy()


@pytest.mark.parametrize("cell", ["lstm", "gru"])
def test_scores_are_those_of_pytorch(cell):
    network = build(cell)
    x = np.random.RandomState(1).normal(size=(6, I))
    bound = network.bind(get_backend("cpu"))
    found = bound.forward(pack(np.array([6])), Inputs(x))
    assert_close(found, by_torch(network, x), np.float64, 100)


@pytest.mark.parametrize("backend", ["reference", "cpu"])
def test_the_parts_alone_are_the_whole(backend):
    network = build("lstm", n_layers=2, bidirectional=True, dropout=0.5)
    plan, x, _, _ = problem(network)
    bound = network.bind(get_backend(backend))
    whole = bound.forward(plan, Inputs(x)).copy()
    codes = bound.encode(plan, Inputs(x)).copy()
    assert codes.shape == (len(LENGTHS), C)
    np.testing.assert_array_equal(bound.decode(plan, codes), whole)


def test_codes_have_the_same_bits_whoever_stands_beside():
    network = build(dtype="float32")
    plan, x, _, _ = problem(network)
    bound = network.bind(get_backend("cpu"))
    codes = bound.encode(plan, Inputs(x)).copy()
    scores = bound.forward(plan, Inputs(x)).copy()
    for b, n in enumerate(LENGTHS):
        rows = plan.step_offsets[:n] + b
        alone = pack(LENGTHS[b : b + 1])
        np.testing.assert_array_equal(bound.encode(alone, Inputs(x[rows])), codes[b : b + 1])
        np.testing.assert_array_equal(bound.forward(alone, Inputs(x[rows])), scores[rows])


def test_steps_are_written_behind_the_end():
    network = build()
    assert not network.is_causal
    assert network.per_step
    assert network.code_size == C
    text = repr(network)
    assert "dense 4 → 3" in text
    assert "gru 4 → 4" in text

"""Adversarial networks: both players' gradients by differences, backends, PyTorch, parts alone."""

import numpy as np
import pytest
from gradcheck import assert_gradients, assert_gradients_along_a_direction
from tolerances import assert_close

from rnnkit.backends import get_backend
from rnnkit.network import Adversarial, Inputs, Realness
from rnnkit.network.building import build_adversarial
from rnnkit.network.layers import Binding, Call
from rnnkit.network.meeting import Meeting
from rnnkit.sequences import pack

I, C, H = 2, 3, 4  # noqa: E741 the letters of the package
LENGTHS = np.array([5, 3, 3, 1])  # in packed order
TURNS = ("discriminator", "generator")


def build(cell="gru", dtype="float64", n_conditions=C, seed=0, **options):
    output = Realness(I, n_conditions, center=(1.0, -2.0), scale=(0.5, 3.0))
    settings = {"hidden_size": H, "noise_size": 2, "sequence_noise_size": 1, **options}
    network = Adversarial(build_adversarial(cell, I, output, **settings), output, dtype)
    rng = np.random.RandomState(seed)
    network.initialize(rng)
    network.parameters.flat[:] += 0.6 * rng.normal(size=network.parameters.flat.size)
    return network


def problem(network, lengths=LENGTHS, seed=0):
    """A plan, its rows, conditions and weights."""
    rng = np.random.RandomState(seed)
    plan = pack(lengths)
    x = rng.normal(size=(plan.n_rows, I)).astype(network.dtype)
    n = max(network.output.n_conditions, 1)
    conditions = rng.normal(size=(len(lengths), n)).astype(network.dtype)
    return plan, x, conditions, rng.uniform(0.5, 2, len(lengths)).astype(network.dtype)


def played(network, turn, plan, x, conditions, weights, backend="reference"):
    """The loss of a turn, and the bound network behind its gradient."""
    bound = network.bind(get_backend(backend), training=True)
    bound.turn = turn
    loss, slopes = bound.loss(plan, bound.forward(plan, Inputs(x)), conditions, weights)
    bound.backward(slopes)
    return loss, bound


def own(bound, turn):
    """The gradients of the player whose turn it is, by name."""
    made = {name for name in bound.gradients if name.startswith("generator.")}
    names = made if turn == "generator" else bound.gradients.keys() - made
    return {name: bound.gradients[name].copy() for name in names}


OPTIONS = [
    {},
    {"n_layers": 2, "bidirectional": True},
    {"pooling": "last"},
    {"pooling": "last", "bidirectional": True},
    {"pooling": "mean"},
    {"pooling": "max"},
    {"pooling": "attention"},
    {"noise_size": 0},
    {"sequence_noise_size": 0, "n_conditions": 0},
]


@pytest.mark.parametrize("turn", TURNS)
@pytest.mark.parametrize("options", OPTIONS, ids=str)
@pytest.mark.parametrize("cell", ["rnn", "lstm", "gru"])
def test_gradients_are_those_of_differences(cell, options, turn):
    network = build(cell, **options)
    data = problem(network)
    loss, bound = played(network, turn, *data)

    def again():
        other = network.bind(get_backend("reference"), training=True)
        other.turn = turn
        return other.loss(data[0], other.forward(data[0], Inputs(data[1])), *data[2:])[0]

    gradients = own(bound, turn)
    arrays = {name: network.parameters[name] for name in gradients}
    assert_gradients_along_a_direction(gradients, again, arrays)
    compiled, other = played(network, turn, *data, "cpu")
    assert_close(compiled, loss, np.float64, 1000)
    for name, gradient in own(other, turn).items():
        assert_close(gradient, gradients[name], np.float64, 1000)


def test_every_weight_of_the_generator_learns_through_the_discriminator():
    network = build()
    data = problem(network)
    _, bound = played(network, "generator", *data)

    def again():
        other = network.bind(get_backend("reference"), training=True)
        return other.loss(data[0], other.forward(data[0], Inputs(data[1])), *data[2:])[0]

    gradients = own(bound, "generator")
    assert_gradients(gradients, again, {name: network.parameters[name] for name in gradients})


@pytest.mark.parametrize("turn", TURNS)
def test_a_player_has_no_gradient_of_the_others_turn_in_its_part(turn):
    network = build()
    _, bound = played(network, turn, *problem(network))
    assert np.abs(bound.flat_gradient[bound.parts[turn]]).min() >= 0
    if turn == "discriminator":
        assert not bound.flat_gradient[bound.parts["generator"]].any()
    made = sum(
        array.size for name, array in network.parameters.items() if name.startswith("generator.")
    )
    assert bound.parts["generator"] == slice(0, made)
    assert bound.parts["discriminator"].start == made


@pytest.mark.parametrize("backend", ["reference", "cpu"])
@pytest.mark.parametrize("n_conditions", [0, C])
def test_gradient_where_made_and_real_ones_meet(backend, n_conditions):
    rng = np.random.RandomState(0)
    binding = Binding(get_backend(backend), {}, {}, np.dtype("float64"), True, True)
    operation = Meeting(I, n_conditions, 1, 1).bind(binding)
    n = pack(LENGTHS).n_rows
    if n_conditions:
        operation.conditions = rng.normal(size=(n, n_conditions))
    call = Call()
    x, slopes = rng.normal(size=(n, I)), rng.normal(size=(n, I + n_conditions))
    gradient = operation.backward(slopes.copy())
    assert_gradients(
        {"x": gradient}, lambda: float((operation.forward(x, call) * slopes).sum()), {"x": x}
    )


@pytest.mark.parametrize("pooling", ["last", None])
def test_losses_are_those_of_the_paper(pooling):
    network = build(pooling=pooling)
    plan, x, conditions, weights = problem(network)
    bound = network.bind(get_backend("cpu"))
    scaled = bound.forward(plan, Inputs(x))
    assert_close(scaled, (x - np.array([1.0, -2.0])) / np.array([0.5, 3.0]), np.float64)
    rng = np.random.default_rng(0)  # what draws where no noise is given
    steps = rng.standard_normal((plan.n_rows, 2))
    kept = rng.standard_normal((plan.n_sequences, 1))
    rows = plan.sequence_of_row()
    made = bound.make(plan, np.concatenate([steps, kept[rows], conditions[rows]], axis=1)).copy()

    judges = bound._judging

    def told(values):
        return judges.run(plan, np.concatenate([values, conditions[rows]], axis=1))[:, 0].copy()

    real, false = told(scaled), told(made)
    share = np.ones(plan.n_sequences)
    if pooling is None:
        weights_of = (weights / plan.lengths)[rows]
    else:
        weights_of = weights * share
    sigmoid = lambda s: 1 / (1 + np.exp(-s))
    expected = {
        "generator": -(weights_of * np.log(sigmoid(false))).sum(),
        "discriminator": -0.5
        * (weights_of * (np.log(sigmoid(real)) + np.log(1 - sigmoid(false)))).sum(),
    }
    for turn in TURNS:
        bound.turn = turn
        loss, _ = bound.loss(plan, bound.forward(plan, Inputs(x)), conditions, weights)
        assert_close(loss, expected[turn], np.float64, 100)
    realness = bound.realness(plan, Inputs(x), conditions)[:, 0]
    if pooling is None:
        real = np.bincount(rows, real) / plan.lengths
    assert_close(realness, real, np.float64, 100)


def test_what_is_certain_has_finite_losses_and_slopes():
    network = build(n_conditions=0)
    data = problem(network)
    for bias in (-1e4, 1e4):
        network.parameters["head.bias"][...] = bias
        for turn in TURNS:
            with np.errstate(all="raise", under="ignore"):
                loss, bound = played(network, turn, *data, "cpu")
            assert np.isfinite(loss)
            assert np.isfinite(bound.flat_gradient).all()


@pytest.mark.parametrize("pooling", ["last", None])
@pytest.mark.parametrize("turn", TURNS)
def test_pytorch_finds_the_same_gradients(turn, pooling):
    torch = pytest.importorskip("torch")
    network = build("lstm", pooling=pooling)
    plan, x, conditions, weights = problem(network, np.array([4, 4, 4]))
    _, bound = played(network, turn, plan, x, conditions, weights, "cpu")

    def recurrent(prefix, n_inputs):
        layer = torch.nn.LSTM(n_inputs, H, dtype=torch.float64)
        found = {name: network.parameters[f"{prefix}.{name}"] for name in _LSTM}
        for name in ("weight_ih_l0", "weight_hh_l0"):
            getattr(layer, name).data = torch.tensor(found[name])
        layer.bias_ih_l0.data = torch.tensor(found["bias_l0"])
        layer.bias_hh_l0.data = torch.zeros(4 * H, dtype=torch.float64)
        return layer

    def dense(prefix, n_outputs):
        layer = torch.nn.Linear(H, n_outputs, dtype=torch.float64)
        layer.weight.data = torch.tensor(network.parameters[f"{prefix}.weight"])
        layer.bias.data = torch.tensor(network.parameters[f"{prefix}.bias"])
        return layer

    maker, maker_head = recurrent("generator", 2 + 1 + C), dense("generator.head", I)
    judge, judge_head = recurrent("rnn", I + C), dense("head", 1)
    rng = np.random.default_rng(0)
    steps, kept = rng.standard_normal((12, 2)), rng.standard_normal((3, 1))
    shaped = lambda rows: torch.tensor(rows.reshape(4, 3, -1))
    known = torch.tensor(conditions).expand(4, 3, C)
    given = torch.cat([shaped(steps), torch.tensor(kept).expand(4, 3, 1), known], dim=2)
    made = maker_head(maker(given)[0])
    real = shaped((x - np.array([1.0, -2.0])) / np.array([0.5, 3.0]))

    def told(values):
        states = judge(torch.cat([values, known], dim=2))[0]
        return judge_head(states if pooling is None else states[-1:])[..., 0]

    weigh = lambda losses: (losses.mean(dim=0) * torch.tensor(weights)).sum()
    softplus = torch.nn.functional.softplus
    if turn == "generator":
        loss = weigh(softplus(-told(made)))
    else:
        loss = 0.5 * weigh(softplus(-told(real)) + softplus(told(made.detach())))
    loss.backward()
    recurrent_part, head = (maker, maker_head) if turn == "generator" else (judge, judge_head)
    prefix, name = ("generator", "generator.head") if turn == "generator" else ("rnn", "head")
    expected = {
        f"{prefix}.weight_ih_l0": recurrent_part.weight_ih_l0.grad,
        f"{prefix}.weight_hh_l0": recurrent_part.weight_hh_l0.grad,
        f"{prefix}.bias_l0": recurrent_part.bias_ih_l0.grad,
        f"{name}.weight": head.weight.grad,
        f"{name}.bias": head.bias.grad,
    }
    for name, gradient in expected.items():
        assert_close(bound.gradients[name], gradient.numpy(), np.float64, 1000)


_LSTM = ("weight_ih_l0", "weight_hh_l0", "bias_l0")


def test_what_is_dropped_in_training_is_the_discriminators_alone():
    network = build(
        dropout=0.5, input_dropout=0.2, recurrent_dropout=0.2, input_noise=1.0, zoneout=0.1
    )
    names = [type(layer).__name__ for layer in network.layers[: network.n_generating]]
    assert names == ["Recurrent", "Dense"]
    assert network.recurrent_layers[0].specs[0].zoneout == 0.0
    assert network.recurrent_layers[0].recurrent_dropout == 0.0
    assert network.recurrent_layers[1].specs[0].zoneout == 0.1


def test_no_noise_at_all_is_refused():
    with pytest.raises(ValueError, match="must not both be 0"):
        build(noise_size=0, sequence_noise_size=0)

"""Machines whose biases follow a recurrent network: gradients, backends, cuts, noise."""

import numpy as np
import pytest
from gradcheck import assert_gradients_along_a_direction
from tolerances import assert_close

from rnnkit.backends import get_backend
from rnnkit.network import BoltzmannOutput, Inputs, RecurrentBoltzmann
from rnnkit.network.building import build_recurrent_boltzmann
from rnnkit.network.layers import Binding, Call
from rnnkit.network.previous import Previous
from rnnkit.network.recurrent_boltzmann import RecurrentSampler
from rnnkit.sequences import pack, windows

F, M, H = 4, 3, 5
LENGTHS = np.array([5, 3, 3, 1])  # in packed order


def build(cell="rnn", dtype="float64", seed=0, negative_phase="exact", n_gibbs=3, **options):
    output = BoltzmannOutput(F, M, n_gibbs, negative_phase)
    settings = {"hidden_size": H, "per_step": True, **options}
    layers = build_recurrent_boltzmann(cell, F, output, **settings)
    network = RecurrentBoltzmann(layers, output, dtype)
    rng = np.random.RandomState(seed)
    network.initialize(rng)
    network.parameters.flat[:] += 0.6 * rng.normal(size=network.parameters.flat.size)
    return network


def problem(network, lengths=LENGTHS, seed=0):
    """A plan, its rows and weights."""
    rng = np.random.RandomState(seed)
    plan = pack(lengths)
    v = rng.randint(0, 2, (plan.n_rows, F)).astype(network.dtype)
    return plan, v, rng.uniform(0.5, 2, plan.n_rows).astype(network.dtype)


def loss_and_gradients(network, plan, v, weights, backend="reference", noise=None):
    bound = network.bind(get_backend(backend), training=True)
    loss, dscores = bound.loss(plan, bound.forward(plan, Inputs(v), noise), v, weights)
    bound.backward(dscores)
    return loss, {name: array.copy() for name, array in bound.gradients.items()}


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("n_layers", [1, 2])
@pytest.mark.parametrize("cell", ["rnn", "lstm", "gru"])
def test_gradients_of_the_likelihood_are_those_of_differences(cell, n_layers, weighted):
    network = build(cell, n_layers=n_layers)
    plan, v, weights = problem(network)
    data = plan, v, weights if weighted else None
    loss, gradients = loss_and_gradients(network, *data)

    def again():
        bound = network.bind(get_backend("reference"))
        return bound.loss(plan, bound.forward(plan, Inputs(v)), v, data[2])[0]

    assert_gradients_along_a_direction(gradients, again, dict(network.parameters))
    compiled, found = loss_and_gradients(network, *data, "cpu")
    assert_close(compiled, loss, np.float64, 1000)
    for name, gradient in gradients.items():
        assert_close(found[name], gradient, np.float64, 1000)


def test_what_long_chains_give_is_the_gradient_of_the_likelihood():
    """Of many equal sequences: the mean over them, within five standard errors or so."""
    n = 4000
    lengths = np.full(n, 2)
    exact, sampled = build(), build(negative_phase="gibbs", n_gibbs=40)
    _, v, _ = problem(exact, np.array([2]))
    v = np.repeat(v, n, axis=0)
    _, expected = loss_and_gradients(exact, pack(lengths), v, None, "cpu")
    noise = np.random.default_rng(0)
    _, found = loss_and_gradients(sampled, pack(lengths), v, None, "cpu", noise)
    for name, gradient in expected.items():
        np.testing.assert_allclose(found[name] / n, gradient / n, atol=0.05, err_msg=name)


def test_the_loss_of_sampling_is_the_pseudo_likelihood():
    network = build(negative_phase="gibbs")
    plan, v, weights = problem(network)
    loss, _ = loss_and_gradients(network, plan, v, weights, noise=np.random.default_rng(0))
    bound = network.bind(get_backend("reference"))
    losses = bound.pseudo_losses(plan, Inputs(v))
    assert_close(loss, (losses * weights).sum(), np.float64, 100)
    assert not np.allclose(losses, bound.exact_losses(plan, Inputs(v)))


def test_the_same_noise_gives_the_same_gradient_on_any_host_backend():
    network = build(negative_phase="gibbs")
    data = problem(network)
    one = loss_and_gradients(network, *data, noise=np.random.default_rng(3))[1]
    other = loss_and_gradients(network, *data, "cpu", noise=np.random.default_rng(3))[1]
    again = loss_and_gradients(network, *data, "cpu", noise=np.random.default_rng(3))[1]
    different = loss_and_gradients(network, *data, "cpu", noise=np.random.default_rng(4))[1]
    for name, gradient in one.items():
        assert_close(other[name], gradient, np.float64, 1000)
        np.testing.assert_array_equal(again[name], other[name])
    assert not np.allclose(different["rbm.weight"], other["rbm.weight"])


def test_without_recurrent_part_every_step_has_the_same_biases():
    network = build()
    network.parameters["head.weight"][...] = 0
    plan, v, _ = problem(network)
    scores = network.bind(get_backend("cpu")).forward(plan, Inputs(v))
    np.testing.assert_array_equal(scores, np.tile(network.parameters["head.bias"], (len(v), 1)))


def test_the_biases_of_a_step_see_the_steps_before_it_alone():
    network = build("gru", n_layers=2)
    plan = pack(np.array([4]))
    _, v, _ = problem(network, np.array([4]))
    bound = network.bind(get_backend("cpu"))
    before = bound.forward(plan, Inputs(v)).copy()
    v[2] = 1 - v[2]
    after = bound.forward(plan, Inputs(v))
    np.testing.assert_array_equal(before[:3], after[:3])
    assert np.all(before[3] != after[3])


def moved(x, lengths):
    """The rows of the steps before, sequence by sequence."""
    plan, moved = pack(lengths), np.zeros_like(x)
    rows = [np.flatnonzero(plan.sequence_of_row() == b) for b in range(len(lengths))]
    for of_sequence in rows:
        moved[of_sequence[1:]] = x[of_sequence[:-1]]
    return moved


@pytest.mark.parametrize("lengths", [[5, 3, 3, 1], [4, 4], [1], [2, 1, 0], [1, 0]])
def test_previous_and_its_gradient(lengths):
    lengths = np.array(lengths)
    plan = pack(lengths)
    rng = np.random.RandomState(0)
    x, dy = rng.normal(size=(2, plan.n_rows, 3))
    operation = Previous(3).bind(Binding(get_backend("reference"), {}, {}, np.dtype("f8")))
    call = Call()
    call.plan, call.noise, call.training = plan, None, True
    np.testing.assert_array_equal(operation.forward(x, call), moved(x, lengths))
    dx = operation.backward(dy)
    assert np.vdot(dx, x) == pytest.approx(np.vdot(dy, moved(x, lengths)))
    last = operation.state[0]
    for b, n in enumerate(lengths):
        expected = x[np.flatnonzero(plan.sequence_of_row() == b)[-1]] if n else np.zeros(3)
        np.testing.assert_array_equal(last[b], expected)


@pytest.mark.parametrize("cell", ["rnn", "lstm"])
def test_cuts_carry_the_state_over(cell):
    network = build(cell, n_layers=2)
    plan, v, _ = problem(network)
    bound = network.bind(get_backend("cpu"))
    whole = bound.forward(plan, Inputs(v)).copy()
    states = None
    for part, first, last, n in windows(plan, 2):
        if states is not None:
            states = [tuple(None if a is None else a[:n] for a in state) for state in states]
        scores = bound.forward(part, Inputs(v[first:last]), None, states)
        np.testing.assert_array_equal(scores, whole[first:last])
        states = bound.states


def test_a_sampler_that_is_told_the_steps_has_the_biases_of_the_network():
    network = build("gru", n_layers=2)
    lengths = np.array([4, 4])
    plan, v, _ = problem(network, lengths)
    scores = network.bind(get_backend("cpu")).forward(plan, Inputs(v))
    sampler = RecurrentSampler(network, get_backend("cpu"), 2)
    for t in range(4):
        np.testing.assert_array_equal(sampler._scores, scores[2 * t : 2 * t + 2])
        sampler.read(v[2 * t : 2 * t + 2])


def test_start_and_what_the_best_constant_loses():
    output = BoltzmannOutput(3, 2)
    targets = np.array([[0, 1, 1], [0, 1, 0], [0, 0, 1], [0, 0, 0.0]])
    start = output.start(targets)
    np.testing.assert_allclose(start, [-np.log(999), 0, 0, 0, 0])
    assert output.constant_loss(targets) == pytest.approx(2 * np.log(2))
    weights = np.array([1, 1, 2, 0.0])
    repeated = targets[[0, 1, 2, 2]]
    np.testing.assert_allclose(output.start(targets, weights), output.start(repeated))
    assert output.constant_loss(targets, weights) == pytest.approx(output.constant_loss(repeated))


def test_what_it_looks_like_in_words():
    network = build("gru")
    assert repr(network).startswith("RecurrentBoltzmann(gru 4 → 5, the step before, dense 5 → 7")
    assert network.table()[-1].layer == "output BoltzmannOutput"
    with pytest.raises(AttributeError, match="decides nothing without drawing"):
        network.output.decision(np.zeros((1, 7)), None)

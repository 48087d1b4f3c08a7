"""Sums over states of small layered machines, counted out: bounds, log Z, means and samples."""

import numpy as np
import pytest
from energy.nets import all_states
from scipy.special import logsumexp
from sklearn.neural_network import BernoulliRBM
from tolerances import assert_close

from rnnkit.energy.layered import LayeredUnits

SIZES = [(4, 3), (3, 3, 2), (3, 2, 3, 2)]


def machine(sizes, seed=0, scale=1.0):
    random = np.random.RandomState(seed)
    weights = [scale * random.randn(a, b) for a, b in zip(sizes, sizes[1:])]  # noqa: RUF007
    return LayeredUnits(weights, [scale * random.randn(size) for size in sizes])


def split(states, sizes):
    return np.split(states, np.cumsum(sizes)[:-1], axis=1)


def minus_energy(units, layers):
    """-E of states, written as the double sum that it is."""
    total = sum(layer @ bias for layer, bias in zip(layers, units.biases))
    for l, weight in enumerate(units.weights):  # noqa: E741
        for i in range(weight.shape[0]):
            for j in range(weight.shape[1]):
                total = total + weight[i, j] * layers[l][:, i] * layers[l + 1][:, j]
    return total


def log_likelihoods(units, visible, sizes):
    """log p of visible rows, by counting out all others."""
    hidden = split(all_states(sum(sizes[1:])), sizes[1:])
    log_z = counted_log_z(units, sizes)
    return np.array(
        [
            logsumexp(minus_energy(units, [np.tile(v, (len(hidden[0]), 1)), *hidden])) - log_z
            for v in visible
        ]
    )


def counted_log_z(units, sizes):
    return logsumexp(minus_energy(units, split(all_states(sum(sizes)), sizes)))


def expected_products(units, sizes):
    """What the machine believes of each pair of joined units, and of each unit."""
    layers = split(all_states(sum(sizes)), sizes)
    weights = np.exp(minus_energy(units, layers) - counted_log_z(units, sizes))
    pairs = [(a * weights[:, None]).T @ b for a, b in zip(layers, layers[1:])]  # noqa: RUF007
    return pairs, [weights @ layer for layer in layers]


@pytest.mark.parametrize("sizes", SIZES)
def test_log_partition_is_the_sum_over_all_states(sizes):
    units = machine(sizes)
    random = np.random.RandomState(0)
    assert_close(units.log_partition(1, 1, random), counted_log_z(units, sizes), np.float64, 2**10)
    for parity in (0, 1):
        states = split(all_states(sum(sizes)), sizes)
        of_parity = [layer for i, layer in enumerate(sizes) if i % 2 == parity]
        n = sum(of_parity)
        assert_close(units._counted(parity, n), counted_log_z(units, sizes), np.float64, 2**10)
        marginal = units.log_marginal(states, parity)
        copies = 2 ** (sum(sizes) - n)  # each of its states is met with all of the others
        total = logsumexp(marginal) - np.log(copies)
        assert_close(total, counted_log_z(units, sizes), np.float64, 2**10)


@pytest.mark.parametrize("sizes", SIZES)
def test_annealing_finds_log_z(sizes):
    units = machine(sizes, seed=1)
    estimate = units._annealed(500, 500, np.random.RandomState(0))
    assert abs(estimate - counted_log_z(units, sizes)) < 0.05


@pytest.mark.parametrize("sizes", SIZES)
def test_the_bound_is_below_and_rises_with_mean_field(sizes):
    units = machine(sizes)
    visible = all_states(sizes[0])
    exact = log_likelihoods(units, visible, sizes) + counted_log_z(units, sizes)
    bounds = [units.bound(units.mean_field(visible, n)) for n in range(8)]
    assert np.all(np.diff(bounds, axis=0) >= -1e-12)
    assert np.all(bounds[-1] <= exact + 1e-12)
    if len(sizes) == 2:
        assert_close(bounds[0], exact, np.float64, 2**7)
    else:
        assert np.all(bounds[-1] > bounds[0] - 1e-12)
        assert np.any(bounds[-1] < exact - 1e-3)


@pytest.mark.parametrize("sizes", SIZES)
def test_mean_field_ends_where_each_layer_is_the_mean_of_its_neighbours(sizes):
    units = machine(sizes, scale=0.5)
    means = units.mean_field(all_states(sizes[0]), 200)
    for layer in range(1, len(sizes)):
        assert_close(means[layer], units.mean_of(means, layer), np.float64, 200)


@pytest.mark.parametrize("sizes", SIZES)
@pytest.mark.parametrize("step", [1e-5])
def test_the_gradient_is_data_less_machine(sizes, step):
    """Finite differences of the bound less log Z, the means held: both counted out."""
    units = machine(sizes)
    visible = all_states(sizes[0])[[1, 3, 6]]
    means = units.mean_field(visible, 50)
    pairs, singles = expected_products(units, sizes)

    def objective():
        return (units.bound(means) - counted_log_z(units, sizes)).mean()

    def slope(array, index):
        kept = array[index]
        values = []
        for sign in (1, -1):
            array[index] = kept + sign * step
            values.append(objective())
        array[index] = kept
        return (values[0] - values[1]) / (2 * step)

    for l, weight in enumerate(units.weights):  # noqa: E741
        gradient = means[l].T @ means[l + 1] / len(visible) - pairs[l]
        found = [
            [slope(weight, (i, j)) for j in range(weight.shape[1])] for i in range(len(weight))
        ]
        assert np.abs(gradient - found).max() < 1e-8
    for l, bias in enumerate(units.biases):  # noqa: E741
        gradient = means[l].mean(axis=0) - singles[l]
        assert np.abs(gradient - [slope(bias, i) for i in range(len(bias))]).max() < 1e-8


def test_with_one_hidden_layer_it_is_the_gradient_of_the_likelihood_itself():
    sizes, step = (4, 3), 1e-5
    units = machine(sizes)
    visible = all_states(4)[[2, 9, 15]]
    means = units.mean_field(visible, 1)
    gradient = means[0].T @ means[1] / 3 - expected_products(units, sizes)[0][0]
    weight = units.weights[0]
    for index in np.ndindex(weight.shape):
        kept, values = weight[index], []
        for sign in (1, -1):
            weight[index] = kept + sign * step
            values.append(log_likelihoods(units, visible, sizes).mean())
        weight[index] = kept
        assert abs(gradient[index] - (values[0] - values[1]) / (2 * step)) < 1e-8


@pytest.mark.parametrize("sizes", SIZES)
def test_particles_come_to_believe_what_the_machine_does(sizes):
    units, random, n = machine(sizes), np.random.RandomState(0), 20_000
    states = [random.randint(2, size=(n, size)).astype(float) for size in sizes]
    for _ in range(60):
        units.sample(states, 1, random)
        units.sample(states, 0, random)
    pairs, singles = expected_products(units, sizes)
    for layer in units.of_parity(1):
        states[layer] = units.mean_of(states, layer)
    for l, expected in enumerate(pairs):  # noqa: E741
        assert np.abs(states[l].T @ states[l + 1] / n - expected).max() < 5 / np.sqrt(4 * n)
    for state, expected in zip(states, singles):
        assert np.abs(state.mean(axis=0) - expected).max() < 5 / np.sqrt(4 * n)


def test_one_hidden_layer_is_the_restricted_machine_of_scikit_learn():
    units, visible = machine((5, 3)), all_states(5)
    oracle = BernoulliRBM(3, n_iter=1).fit(visible)
    oracle.components_ = units.weights[0].T
    oracle.intercept_visible_, oracle.intercept_hidden_ = units.biases
    means = units.mean_field(visible, 7)
    assert_close(means[1], oracle.transform(visible), np.float64, 5)
    assert_close(units.bound(means), -oracle._free_energy(visible), np.float64, 15)

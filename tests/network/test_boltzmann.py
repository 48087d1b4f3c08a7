"""Boltzmann machines with biases of each row: all of it against sums over all states."""

import itertools

import numpy as np
import pytest
from sklearn.neural_network import BernoulliRBM
from tolerances import assert_close

from rnnkit.backends import get_backend
from rnnkit.network.boltzmann import Boltzmann

P = 5


def states(n):
    return np.array(list(itertools.product((0.0, 1.0), repeat=n)))


def made(n_visible, n_hidden, dtype="f8", backend="reference", scale=1.5):
    """A machine, rows of 0 and 1 and biases of each."""
    rng = np.random.RandomState(n_visible)
    weight = (scale * rng.normal(size=(n_hidden, n_visible))).astype(dtype)
    v = rng.randint(0, 2, (P, n_visible)).astype(dtype)
    b, c = (rng.normal(size=(P, n)).astype(dtype) for n in (n_visible, n_hidden))
    return Boltzmann(weight, get_backend(backend)), weight, v, b, c


def energies(weight, b, c, v, h):
    """The energy of every pair of states, (visible, hidden)."""
    return -((v @ b)[:, None] + h @ c + v @ weight.T @ h.T)


SIZES = [(4, 3), (3, 5), (6, 1), (1, 2)]
BACKENDS = ["reference", "cpu"]


@pytest.mark.parametrize("dtype", ["f4", "f8"])
@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("sizes", SIZES)
def test_free_energy_and_hidden_means(sizes, backend, dtype):
    machine, weight, v, b, c = made(*sizes, dtype, backend)
    h = states(sizes[1])
    free, means = machine.free_energy(v, b, c), machine.hidden_means(v, c)
    assert (free.dtype, means.dtype) == (np.float64, dtype)
    for p in range(P):
        e = energies(weight, b[p], c[p], v[p : p + 1], h)[0].astype("f8")
        assert_close(free[p], -np.log(np.exp(-e).sum()), dtype, 1000)
        shares = np.exp(-e) / np.exp(-e).sum()
        assert_close(means[p], shares @ h, dtype, 1000)


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("sizes", SIZES)
def test_expectations(sizes, backend):
    machine, weight, _, b, c = made(*sizes, backend=backend)
    weights = np.arange(P) / 2.0
    found = machine.expectations(b, c, weights)
    v, h = states(sizes[0]), states(sizes[1])
    products = np.zeros(weight.shape)
    for p in range(P):
        terms = np.exp(-energies(weight, b[p], c[p], v, h))
        assert_close(found.log_partition[p], np.log(terms.sum()), "f8", 1000)
        terms /= terms.sum()
        assert_close(found.visible[p], terms.sum(axis=1) @ v, "f8", 1000)
        assert_close(found.hidden[p], terms.sum(axis=0) @ h, "f8", 1000)
        products += weights[p] * (h.T @ terms.T @ v)
    assert_close(found.products, products, "f8", 1000)
    assert_close(machine.expectations(b, c).products, machine.expectations(
        b, c, np.ones(P)).products, "f8", 10)  # fmt: skip


@pytest.mark.parametrize("dtype", ["f4", "f8"])
@pytest.mark.parametrize("sizes", SIZES)
@pytest.mark.parametrize("scale", [0.0, 1.5, 40.0])
def test_pseudo_losses(sizes, dtype, scale):
    machine, _, v, b, c = made(*sizes, dtype, scale=scale)
    expected = np.zeros(P)
    for i in range(sizes[0]):
        other = v.copy()
        other[:, i] = 1 - other[:, i]
        gap = machine.free_energy(other, b, c) - machine.free_energy(v, b, c)
        expected += np.logaddexp(0.0, -gap)
    found = machine.pseudo_losses(v, b, c)
    assert found.dtype == np.float64
    assert_close(found, expected, dtype, 10_000)
    if scale == 0.0:
        log_p = -machine.free_energy(v, b, c) - machine.expectations(b, c).log_partition
        assert_close(found, -log_p, dtype, 1000)


def test_many_hidden_units_and_huge_weights_neither_overflow_nor_lose():
    rng = np.random.RandomState(0)
    v = rng.randint(0, 2, (50, 20)).astype("f8")
    for scale, n_hidden in [(0.01, 300), (8.0, 300), (500.0, 3)]:
        weight = scale * rng.normal(size=(n_hidden, 20))
        machine = Boltzmann(weight, get_backend("cpu"))
        b, c = rng.normal(size=(50, 20)), rng.normal(size=(50, n_hidden))
        expected = np.zeros(50)
        for i in range(20):
            other = v.copy()
            other[:, i] = 1 - other[:, i]
            gap = machine.free_energy(other, b, c) - machine.free_energy(v, b, c)
            expected += np.logaddexp(0.0, -gap)
        scale = 20 * np.abs(machine.free_energy(v, b, c)).max()
        assert_close(machine.pseudo_losses(v, b, c), expected, "f8", 1000, scale)


def test_rows_do_not_depend_on_those_beside_them():
    machine, _, v, b, c = made(9, 7, "f4", "cpu")
    for figures in (machine.free_energy, machine.pseudo_losses):
        of_all = figures(v, b, c)
        alone = [figures(v[p : p + 1], b[p : p + 1], c[p : p + 1])[0] for p in range(P)]
        np.testing.assert_array_equal(of_all, alone)


@pytest.mark.parametrize("backend", BACKENDS)
def test_the_machine_of_scikit_learn(backend):
    machine, weight, v, b, c = made(6, 4, backend=backend)
    other = BernoulliRBM(4)
    other.components_ = weight
    for p in range(P):
        other.intercept_visible_, other.intercept_hidden_ = b[p], c[p]
        row = v[p : p + 1], b[p : p + 1], c[p : p + 1]
        assert_close(machine.free_energy(*row), other._free_energy(row[0]), "f8", 100)
        assert_close(machine.hidden_means(row[0], row[2]), other.transform(row[0]), "f8", 100)


class Halves:
    """Draws one number, again and again."""

    def __init__(self, number):
        self.number = number

    def random(self, shape, dtype):
        return np.full(shape, self.number, dtype)


def test_a_step_of_gibbs_is_what_the_conditionals_say():
    machine, weight, v, b, c = made(6, 4)
    for number in (0.2, 0.5, 0.7):
        h = (machine.hidden_means(v, c) > number).astype("f8")
        means = 1 / (1 + np.exp(-(b + h @ weight)))
        drawn, found = machine.gibbs(v, b, c, 1, Halves(number))
        assert_close(found, means, "f8", 100)
        np.testing.assert_array_equal(drawn, means > number)


def test_long_chains_have_the_distribution_of_the_machine():
    n = 40_000
    machine, _, v, b, c = made(3, 2)
    v, b, c = (np.repeat(x[:1], n, axis=0) for x in (v, b, c))
    drawn, means = machine.gibbs(v, b, c, 60, np.random.default_rng(0))
    every = states(3)
    one = np.repeat(b[:1], 8, axis=0), np.repeat(c[:1], 8, axis=0)
    log_z = machine.expectations(b[:1], c[:1]).log_partition
    expected = np.exp(-machine.free_energy(every, *one) - log_z)
    found = np.bincount((drawn @ [4, 2, 1]).astype(int), minlength=8) / n
    np.testing.assert_allclose(found, expected, atol=5 * np.sqrt(0.25 / n))
    expected_units = machine.expectations(b[:1], c[:1]).visible[0]
    np.testing.assert_allclose(means.mean(axis=0), expected_units, atol=5 * np.sqrt(0.25 / n))

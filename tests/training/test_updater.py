"""From a gradient to a step: the mean, penalties, clipping and the solver, in this order."""

import numpy as np
import pytest
from tolerances import assert_close
from training.toy import toy_network

from rnnkit.backends import get_backend
from rnnkit.training import SGD
from rnnkit.training.communicator import Alone
from rnnkit.training.updater import Updater

BACKEND = get_backend("reference")
PLAIN = {"alpha": 0.0, "l1": 0.0, "clip_norm": np.inf, "clip_value": None}


@pytest.fixture
def bound():
    bound = toy_network().bind(BACKEND, training=True)
    bound.flat_gradient[...] = np.random.RandomState(1).standard_normal(bound.flat_gradient.shape)
    return bound


def step(bound, communicator=None, **options):
    """Update by the gradient that is there; return the step, the loss sum and the norm."""
    solver = SGD(momentum=0.0).start(BACKEND, bound.flat_parameters)
    updater = Updater(bound, solver, communicator or Alone(), **{**PLAIN, **options})
    before = bound.flat_parameters.copy()
    updater.weight_sum = 4.0
    solver.advance(1.0)
    loss, norm = updater.update(2.0)
    return bound.flat_parameters - before, loss, norm


def test_the_step_is_the_mean_gradient(bound):
    gradient = bound.flat_gradient.copy()
    found, loss, norm = step(bound)
    assert_close(found, -gradient / 4, np.float64, 4)
    assert loss == 2.0
    assert_close(norm, np.linalg.norm(gradient / 4), np.float64, len(gradient))


def test_penalties_are_of_matrices_over_the_weight_sum(bound):
    network = bound.network
    matrices = {n: p.copy() for n, p in network.parameters.items() if p.ndim == 2}
    assert set(matrices) == {"rnn.weight_ih_l0", "rnn.weight_hh_l0", "head.weight"}
    bound.flat_gradient.fill(0)
    before = {name: parameter.copy() for name, parameter in network.parameters.items()}
    _, loss, _ = step(bound, alpha=0.5, l1=0.25)
    penalty = sum(0.25 * (p**2).sum() + 0.25 * np.abs(p).sum() for p in matrices.values())
    assert_close(loss, 2.0 + penalty, np.float64, 200)
    for name, parameter in network.parameters.items():
        p = before[name]
        share = 0.5 * p + 0.25 * np.sign(p) if p.ndim == 2 else np.zeros_like(p)
        assert_close(parameter - p, -share / 4, np.float64, 4)


def test_values_are_clipped_before_the_norm(bound):
    gradient = np.clip(bound.flat_gradient / 4, -0.1, 0.1)
    found, _, norm = step(bound, clip_value=0.1, clip_norm=0.5)
    assert_close(norm, np.linalg.norm(gradient), np.float64, len(gradient))
    assert norm > 0.5
    assert_close(found, -gradient * 0.5 / norm, np.float64, len(gradient))


class Doubling(Alone):
    """As if there were another rank with the same gradient and loss."""

    def all_reduce(self, gradient, loss_sum):
        gradient *= 2
        return 2 * loss_sum


def test_what_other_ranks_have_is_there_before_penalties_and_clipping(bound):
    twin = toy_network().bind(BACKEND, training=True)
    twin.flat_gradient[...] = 2 * bound.flat_gradient
    options = {"alpha": 0.5, "clip_value": 0.3, "clip_norm": 1.0}
    found, loss, norm = step(bound, Doubling(), **options)
    expected, expected_loss, expected_norm = step(twin, **options)
    np.testing.assert_array_equal(found, expected)
    assert (loss, norm) == (expected_loss + 2.0, expected_norm)

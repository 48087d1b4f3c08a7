"""Solvers: names, parameters, and that each hands its own to the backend's rule."""

import copy
import pickle

import numpy as np
import pytest
from sklearn.base import clone
from tolerances import assert_close

from rnnkit.backends import get_backend
from rnnkit.training import (
    LBFGS,
    SGD,
    AdaDelta,
    AdaGrad,
    Adam,
    AdamW,
    Nesterov,
    RMSProp,
    make_solver,
)
from rnnkit.training.optimizers import SOLVERS

BACKEND = get_backend("reference")
W0 = np.array([1.0, -2.0, 0.5])
GRADIENTS = [np.array([0.3, -0.1, 0.0]), np.array([-0.2, 0.4, 1.0])]
RATE = 0.1


def steps(solver):
    """Return the parameters after one step for each of GRADIENTS."""
    parameters = W0.copy()
    state = solver.start(BACKEND, parameters)
    for gradient in GRADIENTS:
        state.advance(RATE)
        state.update(parameters, gradient.copy())
    assert state.step == len(GRADIENTS)
    return parameters


def momentum_steps(momentum, nesterov):
    w, v = W0.copy(), 0.0
    for g in GRADIENTS:
        v = momentum * v - RATE * g
        w = w + (momentum * v - RATE * g if nesterov else v)
    return w


def adam_steps(beta_1, beta_2, epsilon, weight_decay):
    w, m, s = W0.copy(), 0.0, 0.0
    for t, g in enumerate(GRADIENTS, 1):
        m = beta_1 * m + (1 - beta_1) * g
        s = beta_2 * s + (1 - beta_2) * g * g
        w = w * (1 - RATE * weight_decay)
        w = w - RATE * (m / (1 - beta_1**t)) / (np.sqrt(s / (1 - beta_2**t)) + epsilon)
    return w


@pytest.mark.parametrize(
    "solver, expected",
    [
        (SGD(momentum=0.5), momentum_steps(0.5, False)),
        (SGD(momentum=0.5, nesterov=True), momentum_steps(0.5, True)),
        (Nesterov(momentum=0.6), momentum_steps(0.6, True)),
        (Adam(0.8, 0.95, 1e-3), adam_steps(0.8, 0.95, 1e-3, 0.0)),
        (AdamW(0.3, 0.8, 0.95, 1e-3), adam_steps(0.8, 0.95, 1e-3, 0.3)),
    ],
    ids=repr,
)
def test_steps_follow_the_parameters(solver, expected):
    assert_close(steps(solver), expected, np.float64, 16)


@pytest.mark.parametrize(
    "plain, other",
    [
        (RMSProp(), RMSProp(decay=0.5)),
        (RMSProp(), RMSProp(momentum=0.5)),
        (RMSProp(), RMSProp(epsilon=0.1)),
        (AdaGrad(), AdaGrad(epsilon=0.1)),
        (AdaDelta(), AdaDelta(decay=0.5)),
        (AdaDelta(), AdaDelta(epsilon=0.1)),
    ],
    ids=repr,
)
def test_every_parameter_is_used(plain, other):
    assert np.abs(steps(plain) - steps(other)).max() > 1e-3 * np.abs(steps(plain) - W0).max()


@pytest.mark.parametrize("name", SOLVERS)
def test_solvers_are_values(name):
    solver = make_solver(name)
    assert make_solver(solver) is solver
    for twin in (clone(solver), copy.deepcopy(solver), pickle.loads(pickle.dumps(solver))):
        assert twin == solver
        assert repr(twin) == repr(solver)
        assert hash(twin) == hash(solver)


def test_parameters_are_set_by_name():
    solver = SGD()
    assert solver.set_params(momentum=0.3) is solver
    assert solver.get_params() == {"momentum": 0.3, "nesterov": False}
    assert solver != SGD()
    with pytest.raises(ValueError, match="Invalid parameter 'speed' for SGD"):
        solver.set_params(speed=1)


def test_unknown_solvers_are_named():
    with pytest.raises(ValueError, match="unknown solver 'newton'; allowed are adam, adamw"):
        make_solver("newton")
    with pytest.raises(TypeError, match="solver must be a name or a solver object, got 3"):
        make_solver(3)


@pytest.mark.parametrize(
    "solver, message",
    [
        (SGD(momentum=1.0), r"momentum of SGD must lie in \[0.0, 1.0\), got 1.0"),
        (Nesterov(momentum=-0.1), "momentum of Nesterov"),
        (RMSProp(decay=1.5), "decay of RMSProp"),
        (RMSProp(epsilon=0.0), r"epsilon of RMSProp must lie in \(0.0, inf\), got 0.0"),
        (AdaGrad(epsilon=float("nan")), "epsilon of AdaGrad .* got nan"),
        (AdaDelta(decay=-1), "decay of AdaDelta"),
        (Adam(beta_2=1.0), "beta_2 of Adam"),
        (AdamW(weight_decay=-1.0), "weight_decay of AdamW"),
        (LBFGS(history=0), "history of LBFGS must be at least 1, got 0"),
        (LBFGS(gradient_tolerance=-1.0), "gradient_tolerance of LBFGS must not be negative"),
    ],
    ids=repr,
)
def test_parameters_out_of_range_are_named(solver, message):
    with pytest.raises(ValueError, match=message):
        solver.check()

"""Solvers: which update rule turns a gradient into a step, and the vectors it remembers."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from rnnkit.backends.interface import Array, Backend
from rnnkit.training.options import Options

__all__ = [
    "LBFGS",
    "SGD",
    "SOLVERS",
    "AdaDelta",
    "AdaGrad",
    "Adam",
    "AdamW",
    "Nesterov",
    "RMSProp",
    "Solver",
    "SolverState",
    "make_solver",
]


class Solver(Options):
    """Base of the solvers that take one step per minibatch.

    A subclass names a rule of `Backend.update` and the rule's state vectors.

    Notes
    -----
    A row of an embedding table that a minibatch does not look up has the gradient zero, and is
    updated by its rule like any other entry: what the solver remembers of it decays and moves it
    on. A row that was never looked up stays as it is, since all that is remembered of it is zero;
    so of a large table (`rnnkit.network.lookup.LARGE_TABLE` numbers) only rows that were ever
    looked up are gone through, which gives the same bits. What changes every row goes through
    every row: penalties (`alpha`, `l1`), the decay of `AdamW`, the gradients of other ranks.
    """

    rule: str
    state_names: tuple[str, ...]

    def check(self) -> None:
        """Raise ValueError if a parameter is out of its range."""

    def options(self) -> dict[str, Any]:
        """Return the options that the rule takes besides the learning rate."""
        return self.get_params()

    def start(self, backend: Backend, parameters: Array) -> SolverState:
        """Return fresh state for a flat parameter vector.

        Raises
        ------
        ValueError
            If a parameter is out of its range.
        """
        self.check()
        return SolverState(self, backend, parameters)

    def _require(self, name: str, low: float, high: float, *, low_open: bool = False) -> None:
        value = getattr(self, name)
        above = value > low if low_open else value >= low
        if not (above and value < high):
            raise ValueError(
                f"{name} of {type(self).__name__} must lie in "
                f"{'(' if low_open else '['}{low}, {high}), got {value!r}"
            )


class SolverState:
    """What a solver remembers between steps: its vectors and its pace.

    Parameters
    ----------
    solver : Solver
    backend : Backend
    parameters : array of shape (n_parameters,)
        The flat vector that will be updated.

    Attributes
    ----------
    step : int
        The number of the step that is taken, or was taken last; 0 before the first.
    learning_rate : float
        The rate of that step.
    n_restored : int
        How often the vectors were replaced by others.
    """

    def __init__(self, solver: Solver, backend: Backend, parameters: Array) -> None:
        self.step = 0
        self.learning_rate = 0.0
        self.n_restored = 0
        self.vectors = {name: backend.xp.zeros_like(parameters) for name in solver.state_names}
        self._rule = solver.rule
        self._options = solver.options()
        self._update = backend.update
        self._xp = backend.xp

    def state(self, keep: Callable[[Array], Any]) -> dict[str, Any]:
        """Return step, learning rate and vectors as a dict; `keep` copies an array."""
        vectors = {name: keep(vector) for name, vector in self.vectors.items()}
        return {"step": self.step, "learning_rate": self.learning_rate, "vectors": vectors}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go back to a state that `state` gave, arrays on the host or on the backend.

        Raises
        ------
        ValueError
            If it is the state of another solver.
        """
        vectors = state["vectors"]
        if set(vectors) != set(self.vectors):
            raise ValueError(
                f"the state is of another solver: it has the vectors {', '.join(vectors)}, "
                f"this one has {', '.join(self.vectors)}"
            )
        for name, vector in self.vectors.items():
            vector[...] = self._xp.asarray(vectors[name])
        self.n_restored += 1
        self.step = state["step"]
        self.learning_rate = state["learning_rate"]

    def advance(self, learning_rate: float) -> None:
        """Count the next step and set its rate; `update` then takes it."""
        self.step += 1
        self.learning_rate = learning_rate

    @property
    def moves_all(self) -> bool:
        """Whether a step changes entries without gradient that nothing is remembered of."""
        return bool(self._options.get("weight_decay"))

    def update(self, parameters: Array, gradient: Array, ranges: np.ndarray | None = None) -> None:
        """Take the step in place on the flat parameter vector.

        ranges (n, 2), if given, are the places outside which gradient and vectors are zero.
        """
        self._update(
            self._rule, parameters, gradient, self.vectors, self, ranges=ranges, **self._options
        )

    def update_part(self, place: slice, parameters: Array, gradient: Array) -> None:
        """Take the step of a part alone, whose parameters and gradient these are."""
        vectors = {name: vector[place] for name, vector in self.vectors.items()}
        self._update(self._rule, parameters, gradient, vectors, self, ranges=None, **self._options)


class SGD(Solver):
    """Stochastic gradient descent with momentum.

    Parameters
    ----------
    momentum : float, default=0.9
        Share of the last step that is kept, in [0, 1).
    nesterov : bool, default=False
        Whether the gradient is followed from where the momentum leads.

    Notes
    -----
    ``v' = momentum v - rate g``; ``w' = w + v'``, or with nesterov
    ``w' = w + momentum v' - rate g``.
    """

    rule = "sgd"
    state_names = ("velocity",)

    def __init__(self, momentum: float = 0.9, nesterov: bool = False) -> None:
        self.momentum = momentum
        self.nesterov = nesterov

    def check(self) -> None:
        """Raise ValueError if a parameter is out of its range."""
        self._require("momentum", 0.0, 1.0)


class Nesterov(Solver):
    """Stochastic gradient descent with Nesterov's momentum.

    Parameters
    ----------
    momentum : float, default=0.9
        Share of the last step that is kept, in [0, 1).
    """

    rule = "sgd"
    state_names = ("velocity",)

    def __init__(self, momentum: float = 0.9) -> None:
        self.momentum = momentum

    def check(self) -> None:
        """Raise ValueError if a parameter is out of its range."""
        self._require("momentum", 0.0, 1.0)

    def options(self) -> dict[str, Any]:
        """Return the options that the rule takes besides the learning rate."""
        return {"momentum": self.momentum, "nesterov": True}


class RMSProp(Solver):
    """Steps divided by a running root mean square of the gradient.

    Parameters
    ----------
    decay : float, default=0.9
        Share of the running mean square that is kept, in [0, 1).
    epsilon : float, default=1e-8
        Added to the root.
    momentum : float, default=0.0
        Share of the last step that is kept, in [0, 1).
    """

    rule = "rmsprop"
    state_names = ("square", "velocity")

    def __init__(self, decay: float = 0.9, epsilon: float = 1e-8, momentum: float = 0.0) -> None:
        self.decay = decay
        self.epsilon = epsilon
        self.momentum = momentum

    def check(self) -> None:
        """Raise ValueError if a parameter is out of its range."""
        self._require("decay", 0.0, 1.0)
        self._require("epsilon", 0.0, float("inf"), low_open=True)
        self._require("momentum", 0.0, 1.0)


class AdaGrad(Solver):
    """Steps divided by the root of the sum of all squared gradients.

    Usually used with a larger learning rate than Adam, such as 1e-2.

    Parameters
    ----------
    epsilon : float, default=1e-10
        Added to the root.
    """

    rule = "adagrad"
    state_names = ("square",)

    def __init__(self, epsilon: float = 1e-10) -> None:
        self.epsilon = epsilon

    def check(self) -> None:
        """Raise ValueError if a parameter is out of its range."""
        self._require("epsilon", 0.0, float("inf"), low_open=True)


class AdaDelta(Solver):
    """Steps in the ratio of the running root mean squares of steps and gradients.

    Its learning rate is a mere factor; use ``learning_rate_init=1.0``.

    Parameters
    ----------
    decay : float, default=0.9
        Share of both running mean squares that is kept, in [0, 1).
    epsilon : float, default=1e-6
        Added under both roots.
    """

    rule = "adadelta"
    state_names = ("square", "change")

    def __init__(self, decay: float = 0.9, epsilon: float = 1e-6) -> None:
        self.decay = decay
        self.epsilon = epsilon

    def check(self) -> None:
        """Raise ValueError if a parameter is out of its range."""
        self._require("decay", 0.0, 1.0)
        self._require("epsilon", 0.0, float("inf"), low_open=True)


class Adam(Solver):
    """Steps of the running mean gradient divided by its running root mean square.

    Parameters
    ----------
    beta_1, beta_2 : float, default=0.9, 0.999
        Shares of the running mean and mean square that are kept, in [0, 1).
    epsilon : float, default=1e-8
        Added to the root.
    """

    rule = "adam"
    state_names = ("mean", "square")

    def __init__(self, beta_1: float = 0.9, beta_2: float = 0.999, epsilon: float = 1e-8) -> None:
        self.beta_1 = beta_1
        self.beta_2 = beta_2
        self.epsilon = epsilon

    def check(self) -> None:
        """Raise ValueError if a parameter is out of its range."""
        self._require("beta_1", 0.0, 1.0)
        self._require("beta_2", 0.0, 1.0)
        self._require("epsilon", 0.0, float("inf"), low_open=True)

    def options(self) -> dict[str, Any]:
        """Return the options that the rule takes besides the learning rate."""
        return {**self.get_params(), "weight_decay": 0.0}


class AdamW(Solver):
    """Adam with decoupled weight decay: every parameter also shrinks by rate · weight_decay.

    Parameters
    ----------
    weight_decay : float, default=1e-2
        Share, per unit of learning rate, that each step takes off every parameter.
    beta_1, beta_2 : float, default=0.9, 0.999
        Shares of the running mean and mean square that are kept, in [0, 1).
    epsilon : float, default=1e-8
        Added to the root.
    """

    rule = "adam"
    state_names = ("mean", "square")

    def __init__(
        self,
        weight_decay: float = 1e-2,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float = 1e-8,
    ) -> None:
        self.weight_decay = weight_decay
        self.beta_1 = beta_1
        self.beta_2 = beta_2
        self.epsilon = epsilon

    def check(self) -> None:
        """Raise ValueError if a parameter is out of its range."""
        self._require("weight_decay", 0.0, float("inf"))
        self._require("beta_1", 0.0, 1.0)
        self._require("beta_2", 0.0, 1.0)
        self._require("epsilon", 0.0, float("inf"), low_open=True)


class LBFGS(Options):
    """Limited-memory BFGS on all sequences at once, by `scipy.optimize`; for small data.

    An epoch is one iteration. Learning rate, schedule, batch size and clipping do not apply.

    Parameters
    ----------
    history : int, default=10
        Number of step and gradient pairs that approximate the curvature.
    max_line_search : int, default=20
        Largest number of loss evaluations along one search direction.
    gradient_tolerance : float, default=1e-5
        Converged when no entry of the gradient is larger.
    """

    def __init__(
        self,
        history: int = 10,
        max_line_search: int = 20,
        gradient_tolerance: float = 1e-5,
    ) -> None:
        self.history = history
        self.max_line_search = max_line_search
        self.gradient_tolerance = gradient_tolerance

    def check(self) -> None:
        """Raise ValueError if a parameter is out of its range."""
        for name in ("history", "max_line_search"):
            if not getattr(self, name) >= 1:
                raise ValueError(f"{name} of LBFGS must be at least 1, got {getattr(self, name)!r}")
        if not self.gradient_tolerance >= 0:
            raise ValueError(
                f"gradient_tolerance of LBFGS must not be negative, got {self.gradient_tolerance!r}"
            )


# The one table of names, from which follow what `solver` may be, its documentation and its tests.
SOLVERS: dict[str, type[Solver] | type[LBFGS]] = {
    "adam": Adam,
    "adamw": AdamW,
    "sgd": SGD,
    "nesterov": Nesterov,
    "rmsprop": RMSProp,
    "adagrad": AdaGrad,
    "adadelta": AdaDelta,
    "lbfgs": LBFGS,
}


def make_solver(solver: str | Solver | LBFGS) -> Solver | LBFGS:
    """Return the solver of a name, or the solver object given.

    Raises
    ------
    ValueError
        If the name is unknown.
    TypeError
        If it is neither a name nor a solver.

    Examples
    --------
    >>> from rnnkit.training import make_solver
    >>> make_solver("sgd")
    SGD(momentum=0.9, nesterov=False)
    """
    if isinstance(solver, (Solver, LBFGS)):
        return solver
    if not isinstance(solver, str):
        raise TypeError(f"solver must be a name or a solver object, got {solver!r}")
    if solver not in SOLVERS:
        raise ValueError(f"unknown solver {solver!r}; allowed are {', '.join(SOLVERS)}")
    return SOLVERS[solver]()

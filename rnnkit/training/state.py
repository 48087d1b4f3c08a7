"""All that changes in the course of a training run: as it runs, and as data to go on from."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from rnnkit.backends.interface import Array
from rnnkit.network.bound import BoundNetwork
from rnnkit.training.optimizers import Solver, SolverState
from rnnkit.training.schedules import Schedule
from rnnkit.training.stopping import Progress

__all__ = ["Run", "TrainingState", "philox"]


@dataclass(frozen=True, eq=False)
class TrainingState:
    """Where a training run stands: a trainer that is given it goes on with the same bits.

    Arrays on the host, numbers, strings, and dicts and tuples of these; nothing is shared with the
    trainer it was taken from.

    Parameters
    ----------
    weights : ndarray of shape (n_parameters,)
        The network's parameters.
    solver : dict or None
        "step", "learning_rate" and "vectors", the arrays of the solver by name; None for L-BFGS,
        which remembers nothing between calls of fit.
    schedule : dict
        What the learning-rate schedule noted.
    loss_progress, validation_progress : dict
        "best" value, "best_epoch", "best_weights" (None without validation) and "n_without", the
        epochs without progress.
    random_state : dict
        Of the generator that shuffles, as `numpy.random.RandomState.get_state` gives it.
    noise_seed : int
        What the noise was seeded with.
    noise : dict
        Of the generator of dropout and noise, as NumPy's `BitGenerator.state` gives it.
    n_epochs, n_seen : int
        Epochs completed and sequences trained on.
    """

    weights: Any
    solver: dict[str, Any] | None
    schedule: dict[str, Any]
    loss_progress: dict[str, Any]
    validation_progress: dict[str, Any]
    random_state: dict[str, Any]
    noise_seed: int
    noise: dict[str, Any]
    n_epochs: int
    n_seen: int


def philox(seed: int) -> np.random.Generator:
    """Return a generator of noise that begins anew."""
    return np.random.Generator(np.random.Philox(seed))


class Run:
    """A training run: the network bound for it and all else that an epoch changes.

    Parameters
    ----------
    bound : BoundNetwork
        Bound for training.
    solver : Solver or None
        The update rule; None if the run is not made of steps.
    schedule : Schedule
        Changed in place.
    random_state : numpy.random.RandomState
        Shuffles; changed in place. Seeds the noise.
    tol, n_iter_no_change
        As in `Progress`.
    monitor : {"score", "loss"}
        What is followed of validation.
    patience : mapping of str to int
        `n_updates_no_change` and `min_updates`, as in `Progress`.

    Attributes
    ----------
    bound, schedule, random_state
        As given.
    solver : SolverState or None
        What the solver remembers.
    noise : numpy.random.Generator
        What dropout and noise are drawn from.
    noise_seed : int
        What it was seeded with.
    loss_progress, validation_progress : Progress
        Of the negative training loss, and of what validation gives.
    n_epochs, n_seen : int
        Epochs completed and sequences trained on.
    """

    def __init__(
        self,
        bound: BoundNetwork,
        solver: Solver | None,
        schedule: Schedule,
        random_state: np.random.RandomState,
        tol: float,
        n_iter_no_change: int,
        monitor: str,
        patience: Mapping[str, int],
    ) -> None:
        self.bound = bound
        self.schedule = schedule
        self.random_state = random_state
        self.solver: SolverState | None = None
        if solver is not None:
            self.solver = solver.start(bound.backend, bound.trained_parameters)
        self.noise_seed = int(random_state.randint(np.iinfo(np.int32).max))
        self.noise = philox(self.noise_seed)
        self.loss_progress = Progress(tol, n_iter_no_change, relative=True, **patience)
        self.validation_progress = Progress(
            tol, n_iter_no_change, relative=monitor == "loss", **patience
        )
        self.n_epochs = 0
        self.n_seen = 0

    @property
    def n_updates(self) -> int | None:
        """Updates since the training began; None if the run is not made of them."""
        return None if self.solver is None else self.solver.step

    def state(self) -> TrainingState:
        """Return where the run stands, as data on the host."""
        download = self.bound.backend.download
        return self._state(lambda array: np.array(download(array)))

    def state_on_backend(self) -> TrainingState:
        """Return the same with its arrays left on the backend."""
        return self._state(lambda array: array.copy())

    def restore(self, state: TrainingState) -> None:
        """Go back to a state of this run, or of one of an equal network and solver.

        Raises
        ------
        ValueError
            If the state is of another network or solver. Nothing has changed then.
        """
        bound = self.bound
        bring = bound.backend.xp.asarray
        if (state.weights.shape, state.weights.dtype) != (
            bound.flat_parameters.shape,
            bound.flat_parameters.dtype,
        ):
            raise ValueError(
                f"the state is of another network: it has {state.weights.dtype} weights of shape "
                f"{state.weights.shape}, this one {bound.flat_parameters.dtype} weights of shape "
                f"{bound.flat_parameters.shape}"
            )
        if (state.solver is None) != (self.solver is None):
            raise ValueError("the state is of another solver")
        if self.solver is not None and state.solver is not None:
            self.solver.restore(state.solver)
        bound.flat_parameters[...] = bring(state.weights)
        self.schedule.restore(state.schedule)
        self.loss_progress.restore(state.loss_progress, bring)
        self.validation_progress.restore(state.validation_progress, bring)
        self.random_state.set_state(state.random_state)
        self.noise_seed = state.noise_seed
        self.noise.bit_generator.state = state.noise
        self.n_epochs = state.n_epochs
        self.n_seen = state.n_seen
        bound.download()

    def _state(self, keep: Callable[[Array], Any]) -> TrainingState:
        return TrainingState(
            weights=keep(self.bound.flat_parameters),
            solver=None if self.solver is None else self.solver.state(keep),
            schedule=self.schedule.state(),
            loss_progress=self.loss_progress.state(keep),
            validation_progress=self.validation_progress.state(keep),
            random_state=dict(self.random_state.get_state(legacy=False)),
            noise_seed=self.noise_seed,
            noise=dict(self.noise.bit_generator.state),
            n_epochs=self.n_epochs,
            n_seen=self.n_seen,
        )

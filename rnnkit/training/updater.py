"""From the gradient of a minibatch to the step: mean, penalties, clipping, solver."""

from __future__ import annotations

from typing import Any

import numpy as np

from rnnkit.backends.interface import Scalar
from rnnkit.network.bound import BoundNetwork
from rnnkit.training.communicator import Alone, Communicator
from rnnkit.training.objective import Objective
from rnnkit.training.optimizers import SolverState
from rnnkit.training.touched import Touched

__all__ = ["Updater"]


class Updater:
    """Turns a bound network's flat gradient, a sum of this rank, into an update.

    What it takes from the host are `weight_sum` and the pace of the solver's state, set before, so
    that a backend can repeat `update`.

    Parameters
    ----------
    bound : BoundNetwork
        Bound for training.
    solver : SolverState or None
        What takes the steps; None if `update` is never called.
    communicator : Communicator
    alpha, l1, clip_norm, clip_value
        As in `Trainer`; inf does not clip the norm.

    Attributes
    ----------
    weight_sum : float
        Sum of weights of all ranks' minibatches, by which `finish` divides; to be set.
    is_repeatable : bool
        Whether a backend can repeat `step`.
    converges : bool
        Whether all epochs that were asked for may have been too few.
    """

    is_repeatable = True
    converges = True

    def __init__(
        self,
        bound: BoundNetwork,
        solver: SolverState | None,
        communicator: Communicator,
        *,
        alpha: float,
        l1: float,
        clip_norm: float,
        clip_value: float | None,
    ) -> None:
        self.weight_sum = 0.0
        self._backend = bound.backend
        self._parameters = bound.trained_parameters
        self._gradient = bound.trained_gradient
        self._number = bound.network.dtype.type
        self._solver: Any = solver
        self._all_reduce = communicator.all_reduce
        self._alpha = alpha
        self._l1 = l1
        self._clip_norm = clip_norm
        self._clip_value = clip_value
        # Penalties, and weight decay, change every row; of other ranks' rows nothing is known.
        tables = (
            bound.large_tables
            if bound.backend.on_host and isinstance(communicator, Alone) and not (alpha or l1)
            else []
        )
        self._touched: Touched | None = None
        if tables and solver is not None and not solver.moves_all:
            self._touched = Touched(tables, bound.trained_gradient, solver)
        frozen = {name for layer in bound.network.layers for name in layer.frozen}
        self._matrices = [
            (bound.parameters[name], bound.gradients[name])
            for name, shape in bound.network.parameters.shapes.items()
            if len(shape) > 1 and name not in frozen
        ]

        # Rows without a gradient; the decay of `AdamW` would shrink them all the same.
        self._kept = [
            (bound.parameters[name][rows], value)
            for layer in bound.network.layers
            for name, rows, value in layer.fixed_entries()
            if value
        ]

    def step(self, objective: Objective, noise: np.random.Generator) -> tuple[Scalar, Scalar]:
        """Take the step of the minibatch that an objective has chosen; return as `update`."""
        self.clear()
        return self.update(objective.add(noise))

    def figures(self) -> dict[str, float]:
        """Return what else there is to tell of the epoch that ends: nothing."""
        return {}

    def update(self, loss_sum: Scalar) -> tuple[Scalar, Scalar]:
        """Finish and clip the gradient, take a step.

        Returns the loss sum as `finish` does, and the gradient's norm before it was scaled.
        """
        gradient, touched, limit = self._gradient, self._touched, self._clip_value
        if touched is not None:
            touched.scale(self._share_of_one())
            if limit is not None:
                touched.limit(limit)
            norm = self._backend.clip_norm(gradient, self._clip_norm, touched.now())
            self._solver.update(self._parameters, gradient, touched.ever())
            return loss_sum, norm
        loss_sum = self.finish(loss_sum)
        if limit is not None:
            self._backend.xp.clip(gradient, -limit, limit, out=gradient)
        norm = self._backend.clip_norm(gradient, self._clip_norm)
        self._solver.update(self._parameters, gradient)
        for rows, value in self._kept:
            rows.fill(value)
        return loss_sum, norm

    def clear(self) -> None:
        """Make the gradient zero, for the next minibatch."""
        if self._touched is not None:
            self._touched.clear()
        else:
            self._gradient.fill(0)

    def finish(self, loss_sum: Scalar) -> Scalar:
        """Make the gradient the mean over all ranks and add the penalties' share of it.

        Takes this rank's loss sum and returns that of all ranks with the penalties, not divided.
        """
        backend = self._backend
        loss_sum = self._all_reduce(self._gradient, loss_sum)
        self._gradient *= backend.from_host(self._share_of_one)
        penalty = 0.0
        if self._alpha:
            share = backend.from_host(self._share_of_alpha)
            for weight, gradient in self._matrices:
                gradient += share * weight
                penalty += 0.5 * self._alpha * backend.scalar((weight * weight).sum())
        if self._l1:
            xp = backend.xp
            share = backend.from_host(self._share_of_l1)
            for weight, gradient in self._matrices:
                gradient += share * xp.sign(weight)
                penalty += self._l1 * backend.scalar(xp.abs(weight).sum())
        return loss_sum + penalty

    def _share_of_one(self) -> Any:
        return self._number(1.0 / self.weight_sum)

    def _share_of_alpha(self) -> Any:
        return self._number(self._alpha * (1.0 / self.weight_sum))

    def _share_of_l1(self) -> Any:
        return self._number(self._l1 * (1.0 / self.weight_sum))

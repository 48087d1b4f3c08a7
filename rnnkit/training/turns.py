"""Parts of one network that learn in turn from one minibatch, each by a loss of its own."""

from __future__ import annotations

from typing import Any

import numpy as np

from rnnkit.backends.interface import Array, Scalar
from rnnkit.network.bound import BoundNetwork
from rnnkit.training.communicator import Communicator
from rnnkit.training.objective import Objective
from rnnkit.training.optimizers import SolverState
from rnnkit.training.updater import Updater

__all__ = ["UpdaterInTurn"]


class _Part:
    """A part of a bound network as `Updater` sees a whole one."""

    def __init__(self, bound: BoundNetwork, place: slice) -> None:
        self.backend = bound.backend
        self.trained_parameters: Array = bound.flat_parameters[place]
        self.trained_gradient: Array = bound.flat_gradient[place]
        self.network = _PartOfNetwork(bound.network, place)
        self.parameters, self.gradients = bound.parameters, bound.gradients
        self.large_tables: list[Any] = []


class _PartOfNetwork:
    """The parameters of a part, and the layers that have them."""

    def __init__(self, network: Any, place: slice) -> None:
        self.dtype = network.dtype
        self.parameters = self
        first, last, _ = place.indices(network.parameters.flat.size)
        self.shapes, start = {}, 0
        for name, shape in network.parameters.shapes.items():
            if first <= start < last:
                self.shapes[name] = shape
            start += int(np.prod(shape))
        self.layers = [
            layer for layer in network.layers if layer.parameter_shapes().keys() & self.shapes
        ]


class _PartOfSolver:
    """What a solver remembers of a part, at the pace of the whole."""

    moves_all = True

    def __init__(self, solver: SolverState, place: slice) -> None:
        self._solver = solver
        self._place = place

    def update(self, parameters: Array, gradient: Array, ranges: Any = None) -> None:
        self._solver.update_part(self._place, parameters, gradient)


class UpdaterInTurn:
    """Lets each of `BoundNetwork.parts` take its step, one after the other.

    A later part meets the earlier ones as their steps left them. What clips the norm is that of a
    part's gradient.

    Parameters
    ----------
    bound, solver, communicator, **options
        As in `Updater`.

    Attributes
    ----------
    weight_sum : float
        As in `Updater`.
    is_repeatable : bool
        False: the losses of all turns but the last are noted on the host.
    converges : bool
        False: in a game a loss that goes on changing tells nothing.
    """

    is_repeatable = False
    converges = False

    def __init__(
        self,
        bound: BoundNetwork,
        solver: SolverState | None,
        communicator: Communicator,
        **options: Any,
    ) -> None:
        assert solver is not None
        assert bound.parts is not None
        self.weight_sum = 0.0
        self._bound: Any = bound
        self._updaters: dict[str, Any] = {}
        for name, place in bound.parts.items():
            part, of_solver = _Part(bound, place), _PartOfSolver(solver, place)
            self._updaters[name] = Updater(part, of_solver, communicator, **options)  # type: ignore[arg-type]
        self._objective: Objective | None = None
        self._noted: dict[str, list[Scalar]] = {}
        self._weights: list[float] = []

    def step(self, objective: Objective, noise: np.random.Generator) -> tuple[Scalar, Scalar]:
        """Take the step of every part; return the last one's loss sum, and the sum of the norms."""
        norms: Any = 0.0
        loss: Any = 0.0
        if objective is not self._objective:  # what an earlier call noted came to no end
            self._objective, self._noted, self._weights = objective, {}, []
        self._weights.append(self.weight_sum)
        for name, updater in self._updaters.items():
            self._bound.turn = name
            self.clear()
            updater.weight_sum = self.weight_sum
            loss, norm = updater.update(objective.add(noise))
            norms = norms + norm
            self._noted.setdefault(name, []).append(loss)
        return loss, norms

    def figures(self) -> dict[str, float]:
        """Return the mean loss of every part but the last over the epoch that ends."""
        weight = sum(self._weights)
        noted, self._noted, self._weights = self._noted, {}, []
        *others, _ = self._updaters
        to_floats = self._bound.backend.to_floats
        return {f"{name}_loss": sum(to_floats(noted[name])) / weight for name in others}

    def clear(self) -> None:
        """Make the whole gradient zero."""
        self._bound.flat_gradient.fill(0)

    def finish(self, loss_sum: Scalar) -> Scalar:
        """As `Updater.finish`, of the part whose turn it is."""
        updater = self._updaters[self._bound.turn]
        updater.weight_sum = self.weight_sum
        return updater.finish(loss_sum)

    def update(self, loss_sum: Scalar) -> tuple[Scalar, Scalar]:
        """Raise TypeError: only whole minibatches are learnt from in turn."""
        raise TypeError("parts that learn in turn take whole minibatches, by step")

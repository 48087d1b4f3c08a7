"""The loss of a network on flat data and its gradient, minibatch by minibatch."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from rnnkit.backends.interface import Array, Scalar
from rnnkit.network.inputs import Inputs
from rnnkit.network.layers import Recurrent
from rnnkit.network.network import BoundNetwork, Network
from rnnkit.sequences import Batch, Plan, batch_of, windows

__all__ = ["Objective", "TrainingData", "bytes_per_row"]


@dataclass(frozen=True, eq=False)
class TrainingData:
    """Flat training data: n sequences, their ΣT steps one after the other.

    Parameters
    ----------
    inputs : Inputs
        ΣT rows, on the host.
    offsets : ndarray of shape (n + 1,), intp
        Sequence s owns the rows ``offsets[s]:offsets[s + 1]``; none is empty.
    targets : ndarray of shape (n, ...) or (ΣT, ...)
        One per sequence, or one per step where the network answers per step (unless its output
        has `targets_per_sequence`): class indices as intp, numbers (·, K) in the network's
        dtype, for CTC an object array of label arrays.
    weights : ndarray of shape (n,) or (ΣT,), default=None
        In the network's dtype, one per target, or one per sequence if the network's output has
        `weights_per_sequence`. None means ones.
    """

    inputs: Inputs
    offsets: np.ndarray
    targets: np.ndarray
    weights: np.ndarray | None = None

    @property
    def n_sequences(self) -> int:
        """Number of sequences, n."""
        return len(self.offsets) - 1


class Objective:
    """Adds the gradients of minibatches to a bound network's flat gradient.

    What it takes from the host is of the minibatch that `choose` was called with last, so that a
    backend can repeat `add` and `finish` for another one of the same plan.

    Parameters
    ----------
    bound : BoundNetwork
        Bound for training.
    data : TrainingData
    alpha, l1 : float
        Strength of the L2 and L1 penalty on every matrix.
    max_rows : int
        A minibatch of more packed rows is computed in parts.
    """

    def __init__(
        self, bound: BoundNetwork, data: TrainingData, alpha: float, l1: float, max_rows: int
    ) -> None:
        self._bound = bound
        self._offsets = data.offsets
        self._gradient = bound.flat_gradient
        self._number = bound.network.dtype.type
        self._alpha = alpha
        self._l1 = l1
        self._max_rows = max_rows
        self._backend = bound.backend
        upload = bound.backend.upload
        network, output = bound.network, bound.output
        self._inputs = data.inputs.on(bound.backend)
        self._per_step = network.per_step
        self._targets_per_step = self._per_step and not output.targets_per_sequence
        self._weights_per_step = self._per_step and not output.weights_per_sequence
        self._targets: Any = data.targets
        if data.targets.dtype != object:
            self._targets = upload(data.targets)
        self._weights = data.weights  # on the host, where they are summed
        self._weight_sum = 0.0
        self._is_large = False
        self._on_device = data.inputs.tokens is None and not output.on_host
        self._matrices = [
            (bound.parameters[name], bound.gradients[name])
            for name, shape in network.parameters.shapes.items()
            if len(shape) > 1
        ]

    def choose(self, batch: Batch) -> float:
        """Make a minibatch the one that is added; return its sum of weights."""
        self._hold(batch)
        plan = batch.plan
        self._is_large = plan.n_rows > self._max_rows and plan.n_sequences > 1
        if self._batch_weights is not None:
            self._weight_sum = float(self._batch_weights.sum())
        else:
            self._weight_sum = float(plan.n_rows if self._weights_per_step else plan.n_sequences)
        return self._weight_sum

    @property
    def repeatable_plan(self) -> Plan | None:
        """The plan of the minibatch, or None if its plan does not tell all that is done for it.

        Token ids decide on the host what is looked up, CRF and CTC are computed there.
        """
        return self._batch.plan if self._on_device and not self._is_large else None

    def add(self, noise: np.random.Generator) -> Scalar:
        """Add the minibatch's gradient; return the weighted loss sum."""
        if not self._is_large:
            return self._add_held(noise)
        loss_sum = 0.0
        for part in self.parts(self._batch):
            self._hold(part)
            loss_sum += self._add_held(noise)
        return loss_sum

    def parts(self, batch: Batch) -> list[Batch]:
        """Cut a minibatch into parts of at most `max_rows` packed rows, or one sequence."""
        parts, start, n_rows = [], 0, 0
        for position, length in enumerate(batch.plan.lengths.tolist()):
            if n_rows + length > self._max_rows and position > start:
                parts.append(batch_of(self._offsets, batch.sequences[start:position]))
                start, n_rows = position, 0
            n_rows += length
        parts.append(batch_of(self._offsets, batch.sequences[start:]))
        return parts

    def add_windows(
        self, batch: Batch, n_steps: int, noise: np.random.Generator
    ) -> Iterator[tuple[Scalar, float]]:
        """Add the gradient of one window of steps after the other, carrying the states.

        Yields the weighted loss sum and the sum of weights of each window that has a loss; the
        caller updates the parameters before the next window, and `finish` divides by that sum.
        """
        bound = self._bound
        states = None
        cuts = list(windows(batch.plan, n_steps))
        n_following = [n_active for _, _, _, n_active in cuts[1:]] + [0]
        for (plan, first, last, n_active), n_left in zip(cuts, n_following):
            self.choose(Batch(plan, batch.sequences[:n_active], batch.rows[first:last]))
            if states is not None:
                states = [
                    tuple(None if array is None else array[:n_active] for array in state)
                    for state in states
                ]
            scores = bound.forward(plan, self._gather(), noise, states)
            states = bound.states
            if not self._per_step:
                if n_left == n_active:
                    continue
                self._leave_out(n_left)
            yield self._back(scores), self._weight_sum

    def finish(self) -> Scalar:
        """Divide the gradient by the sum of weights, add the penalties' share of it.

        Returns the penalties, not divided.
        """
        backend, number = self._backend, self._number
        self._gradient *= backend.from_host(lambda: number(1.0 / self._weight_sum))
        penalty = 0.0
        if self._alpha:
            share = backend.from_host(lambda: number(self._alpha * (1.0 / self._weight_sum)))
            for weight, gradient in self._matrices:
                gradient += share * weight
                penalty += 0.5 * self._alpha * backend.scalar((weight * weight).sum())
        if self._l1:
            xp = backend.xp
            share = backend.from_host(lambda: number(self._l1 * (1.0 / self._weight_sum)))
            for weight, gradient in self._matrices:
                gradient += share * xp.sign(weight)
                penalty += self._l1 * backend.scalar(xp.abs(weight).sum())
        return penalty

    def _hold(self, batch: Batch) -> None:
        """Make a minibatch, or a part of one, what is taken from the host."""
        self._batch = batch
        self._batch_weights = None
        if self._weights is not None:
            places = batch.rows if self._weights_per_step else batch.sequences
            self._batch_weights = self._weights.take(places, axis=0)

    def _leave_out(self, n: int) -> None:
        """Set the weights of the first n sequences to 0."""
        weights = self._batch_weights
        if weights is None:
            weights = np.ones(self._batch.plan.n_sequences, self._gradient.dtype)
        weights[:n] = 0.0
        self._batch_weights = weights
        self._weight_sum = float(weights.sum())

    def _add_held(self, noise: np.random.Generator) -> Scalar:
        return self._back(self._bound.forward(self._batch.plan, self._gather(), noise))

    def _back(self, scores: Array) -> Scalar:
        weights = None
        if self._batch_weights is not None:
            weights = self._backend.from_host(lambda: self._batch_weights)
        plan = self._batch.plan
        loss_sum, dscores = self._bound.loss(plan, scores, self._gather_targets(), weights)
        self._bound.backward(dscores)
        return loss_sum

    def _gather(self) -> Inputs:
        rows = self._batch.rows
        if self._inputs.numeric is None:
            return self._inputs.take(rows)
        return self._inputs.take(rows, self._backend.from_host(lambda: self._batch.rows))

    def _gather_targets(self) -> Array:
        places = self._target_places
        if self._targets.dtype == object:
            return self._targets.take(places(), axis=0)
        return self._targets.take(self._backend.from_host(places), axis=0)

    def _target_places(self) -> np.ndarray:
        return self._batch.rows if self._targets_per_step else self._batch.sequences


def bytes_per_row(network: Network) -> int:
    """Estimate the bytes of activations that training keeps per packed row."""
    entries = 0
    for layer in network.layers:
        if isinstance(layer, Recurrent):
            spec = layer.specs[0]
            saved = len(spec.gates) + 3  # gates, state, cell state and the gradient on its way
            entries += spec.n_inputs + len(layer.specs) * saved * spec.hidden_size
    return entries * network.dtype.itemsize

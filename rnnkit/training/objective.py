"""The loss of a network on flat data and its gradient, minibatch by minibatch."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from rnnkit.backends.interface import Array, Scalar
from rnnkit.network.layers import Recurrent
from rnnkit.network.network import BoundNetwork, Network
from rnnkit.sequences import Batch, Plan, batch_of, windows

__all__ = ["Objective", "TrainingData", "bytes_per_row"]


@dataclass(frozen=True, eq=False)
class TrainingData:
    """Flat training data: n sequences, their ΣT steps one after the other.

    Parameters
    ----------
    values : ndarray of shape (ΣT, I), or tuple
        Numeric steps in the network's dtype; for a network with token inputs the tuple
        ``(tokens (ΣT, C) intp, numeric (ΣT, I) or None)``.
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

    values: Any
    offsets: np.ndarray
    targets: np.ndarray
    weights: np.ndarray | None = None

    @property
    def n_sequences(self) -> int:
        """Number of sequences, n."""
        return len(self.offsets) - 1


class Objective:
    """Adds the gradients of minibatches to a bound network's flat gradient.

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
        self._alpha = alpha
        self._l1 = l1
        self._max_rows = max_rows
        self._upload = bound.backend.xp.asarray
        network, output = bound.network, bound.output
        self._has_tokens = isinstance(data.values, tuple)
        if self._has_tokens:
            tokens, numeric = data.values
            self._tokens = tokens
            self._values: Any = None if numeric is None else self._upload(numeric)
        else:
            self._values = self._upload(data.values)
        self._per_step = network.per_step
        self._targets_per_step = self._per_step and not output.targets_per_sequence
        self._weights_per_step = self._per_step and not output.weights_per_sequence
        self._targets: Any = data.targets
        if data.targets.dtype != object:
            self._targets = self._upload(data.targets)
        self._weights = data.weights  # on the host, where they are summed
        self._matrices = [
            (bound.parameters[name], bound.gradients[name])
            for name, shape in network.parameters.shapes.items()
            if len(shape) > 1
        ]

    def add(self, batch: Batch, noise: np.random.Generator) -> tuple[Scalar, float]:
        """Add a minibatch's gradient; return the weighted loss sum and the sum of weights."""
        if batch.plan.n_rows > self._max_rows and batch.plan.n_sequences > 1:
            sums = [self._add_part(part, noise) for part in self.parts(batch)]
            return sum(loss for loss, _ in sums), sum(weight for _, weight in sums)
        return self._add_part(batch, noise)

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
        caller updates the parameters before the next window.
        """
        bound = self._bound
        states = None
        cuts = list(windows(batch.plan, n_steps))
        n_following = [n_active for _, _, _, n_active in cuts[1:]] + [0]
        for (plan, first, last, n_active), n_left in zip(cuts, n_following):
            rows = batch.rows[first:last]
            if states is not None:
                states = [
                    tuple(None if array is None else array[:n_active] for array in state)
                    for state in states
                ]
            scores = bound.forward(plan, self._gather(rows), noise, states)
            states = bound.states
            if self._per_step:
                targets, weights = self._targets_of(rows, rows)
            elif n_left == n_active:
                continue
            else:
                sequences = batch.sequences[:n_active]
                targets, weights = self._targets_of(sequences, sequences)
                weights = self._ended(weights, n_left, n_active)
            yield self._back(plan, scores, targets, weights)

    def finish(self, weight_sum: float) -> Scalar:
        """Divide the gradient by the sum of weights, add the penalties' share of it.

        Returns the penalties, not divided.
        """
        scale = 1.0 / weight_sum
        self._gradient *= scale
        penalty = 0.0
        backend = self._bound.backend
        if self._alpha:
            for weight, gradient in self._matrices:
                gradient += (self._alpha * scale) * weight
                penalty += 0.5 * self._alpha * backend.scalar((weight * weight).sum())
        if self._l1:
            xp = backend.xp
            for weight, gradient in self._matrices:
                gradient += (self._l1 * scale) * xp.sign(weight)
                penalty += self._l1 * backend.scalar(xp.abs(weight).sum())
        return penalty

    def _add_part(self, batch: Batch, noise: np.random.Generator) -> tuple[Scalar, float]:
        plan = batch.plan
        scores = self._bound.forward(plan, self._gather(batch.rows), noise)
        targets, weights = self._targets_of(
            batch.rows if self._targets_per_step else batch.sequences,
            batch.rows if self._weights_per_step else batch.sequences,
        )
        return self._back(plan, scores, targets, weights)

    def _back(
        self, plan: Plan, scores: Array, targets: Array, weights: np.ndarray | None
    ) -> tuple[Scalar, float]:
        uploaded = None if weights is None else self._upload(weights)
        loss_sum, dscores = self._bound.loss(plan, scores, targets, uploaded)
        self._bound.backward(dscores)
        if weights is not None:
            return loss_sum, float(weights.sum())
        return loss_sum, float(plan.n_rows if self._weights_per_step else plan.n_sequences)

    def _gather(self, rows: np.ndarray) -> Any:
        if not self._has_tokens:
            return self._values.take(self._upload(rows), axis=0)
        numeric = self._values
        if numeric is not None:
            numeric = numeric.take(self._upload(rows), axis=0)
        return self._tokens.take(rows, axis=0), numeric

    def _targets_of(
        self, target_places: np.ndarray, weight_places: np.ndarray
    ) -> tuple[Array, np.ndarray | None]:
        if self._targets.dtype != object:
            target_places = self._upload(target_places)
        targets = self._targets.take(target_places, axis=0)
        if self._weights is None:
            return targets, None
        return targets, self._weights.take(weight_places, axis=0)

    def _ended(self, weights: np.ndarray | None, n_left: int, n_active: int) -> np.ndarray:
        """Return weights (n_active,) that are 0 for the first n_left, unfinished, sequences."""
        if weights is None:
            weights = np.ones(n_active, self._gradient.dtype)
        weights[:n_left] = 0.0
        return weights


def bytes_per_row(network: Network) -> int:
    """Estimate the bytes of activations that training keeps per packed row."""
    entries = 0
    for layer in network.layers:
        if isinstance(layer, Recurrent):
            spec = layer.specs[0]
            saved = len(spec.gates) + 3  # gates, state, cell state and the gradient on its way
            entries += spec.n_inputs + len(layer.specs) * saved * spec.hidden_size
    return entries * network.dtype.itemsize

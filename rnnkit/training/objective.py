"""The loss of a network on flat data and its gradient, minibatch by minibatch."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from rnnkit.backends.interface import Array, Scalar
from rnnkit.network.bound import BoundNetwork
from rnnkit.sequences import Batch, Plan, batch_of, windows
from rnnkit.training.data import BoundData, TrainingData

__all__ = ["Objective"]

# Whether all is finite at the end of a fit is seen from so few, which take no time.
_FEW_SEQUENCES = 8
_FEW_STEPS = 64


class Objective:
    """Adds the gradients of minibatches to a bound network's flat gradient.

    A backend can repeat `add` for another minibatch of the same plan, once that was chosen.

    Parameters
    ----------
    bound : BoundNetwork
        Bound for training.
    data : TrainingData
    max_rows : int
        A minibatch of more packed rows is computed in parts.

    Attributes
    ----------
    max_rows : int
        As given.
    repeatable_plan : Plan or None
        The plan of the minibatch chosen; None if it does not tell all that is done for it.
    """

    repeatable_plan: Plan | None
    _batch: Batch

    def __init__(self, bound: BoundNetwork, data: TrainingData, max_rows: int) -> None:
        self._bound = bound
        self._data = BoundData(data, bound)
        self.max_rows = max_rows
        self._in_parts = False

    def choose(self, batch: Batch) -> float:
        """Make a minibatch, empty or not, the one that is added; return its sum of weights."""
        self._batch = batch
        plan = batch.plan
        self._in_parts = not 0 < plan.n_rows <= self.max_rows and plan.n_sequences != 1
        whole = self._data.told_by_plan and not self._in_parts
        self.repeatable_plan = plan if whole else None
        return self._data.hold(batch)

    def add(self, noise: np.random.Generator) -> Scalar:
        """Add the minibatch's gradient; return the weighted loss sum."""
        bound, data = self._bound, self._data
        if not self._in_parts:
            return self._back(bound.forward(self._batch.plan, data.inputs(), noise))
        loss_sum = 0.0
        for part in self.parts(self._batch):
            data.hold(part)
            loss_sum += self._back(bound.forward(part.plan, data.inputs(), noise))
        return loss_sum

    def parts(self, batch: Batch) -> list[Batch]:
        """Cut a minibatch into parts of at most `max_rows` packed rows, or one sequence each."""
        offsets = self._data.offsets
        parts, start, n_rows = [], 0, 0
        for position, length in enumerate(batch.plan.lengths.tolist()):
            if n_rows + length > self.max_rows and position > start:
                parts.append(batch_of(offsets, batch.sequences[start:position]))
                start, n_rows = position, 0
            n_rows += length
        if start < batch.plan.n_sequences:
            parts.append(batch_of(offsets, batch.sequences[start:]))
        return parts

    def add_windows(
        self, batch: Batch, n_steps: int, noise: np.random.Generator
    ) -> Iterator[tuple[Scalar, float]]:
        """Add the gradient of one window of steps after the other, carrying the states.

        Yields the weighted loss sum and the sum of weights of each window, zeros where it has no
        loss; the caller updates the parameters before the next window.
        """
        bound, data = self._bound, self._data
        ends_only = not bound.network.per_step
        states = None
        cuts = list(windows(batch.plan, n_steps))
        n_following = [n_active for _, _, _, n_active in cuts[1:]] + [0]
        for (plan, first, last, n_active), n_left in zip(cuts, n_following):
            weight = data.hold(Batch(plan, batch.sequences[:n_active], batch.rows[first:last]))
            if states is not None:
                states = [
                    tuple(None if array is None else array[:n_active] for array in state)
                    for state in states
                ]
            scores = bound.forward(plan, data.inputs(), noise, states)
            states = bound.states
            if ends_only:
                if n_left == n_active:
                    yield 0.0, 0.0
                    continue
                weight = data.leave_out(n_left)
            yield self._back(scores), weight

    def mean_loss(self) -> float:
        """Return the mean loss of all the data, without noise and penalties.

        What it adds to the gradient is of no use.
        """
        loss_sum, weight = self.total_loss()
        return loss_sum / weight

    def total_loss(self) -> tuple[float, float]:
        """Return the weighted loss sum of all the data, as `mean_loss`, and their weight."""
        bound, data = self._bound, self._data
        everything = batch_of(data.offsets, np.arange(len(data.offsets) - 1))
        losses: list[Scalar] = []
        weight = 0.0
        for part in self.parts(everything):
            weight += data.hold(part)
            scores = bound.forward(part.plan, data.inputs())
            losses.append(bound.loss(part.plan, scores, *data.targets())[0])
        return sum(bound.backend.to_floats(losses)), weight

    def is_finite(self) -> bool:
        """Whether scores and loss of a few steps are finite with the weights as they are.

        The first steps of the first sequences, without noise. What they add to the gradient is of
        no use.
        """
        bound, data = self._bound, self._data
        few = batch_of(data.offsets, np.arange(min(_FEW_SEQUENCES, len(data.offsets) - 1)))
        for plan, first, last, n_active in windows(few.plan, _FEW_STEPS):
            data.hold(Batch(plan, few.sequences[:n_active], few.rows[first:last]))
            with np.errstate(all="ignore"):
                scores = bound.forward(plan, data.inputs())
                figures = [bound.backend.scalar(scores.sum())]
                if not bound.output.targets_per_sequence:  # which would not fit into the steps
                    figures.append(bound.loss(plan, scores, *data.targets())[0])
            return bool(np.isfinite(bound.backend.to_floats(figures)).all())
        return True

    def _back(self, scores: Array) -> Scalar:
        """Add the gradient of what is held, whose raw scores are given; return its loss sum."""
        bound, data = self._bound, self._data
        targets, weights = data.targets()
        loss_sum, dscores = bound.loss(data.batch.plan, scores, targets, weights)
        bound.backward(dscores)
        return loss_sum

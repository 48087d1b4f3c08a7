"""A layer that gives every step what the step before it was given.

Letters: B sequences, P packed rows, W numbers of a row.
"""

from __future__ import annotations

import numpy as np

from rnnkit.backends.interface import Array, PackedPlan
from rnnkit.network.layers import Binding, Call, Layer, Operation, Rows, State

__all__ = ["Previous"]


class Previous(Layer):
    """Give step t the row of step t - 1, and the first step zeros.

    What stands behind it sees nothing of the step that it is asked about, whatever stands before
    it.

    Parameters
    ----------
    width : int
        W, the numbers of a row.
    """

    rows_in = Rows.STEPS
    states = ("row",)

    def __init__(self, width: int) -> None:
        self.width = width

    def bind(self, binding: Binding) -> Operation:
        """Return the layer's operation."""
        return _PreviousOperation(self.width, binding)


class _PreviousOperation:
    """Carries the last row of every sequence over a cut; no gradient goes over it."""

    def __init__(self, width: int, binding: Binding) -> None:
        self._width = width
        self._dtype = binding.dtype
        self._backend = binding.backend
        self.state: State | None = None  # the last row (B, W)

    def begin(self, sequences: Array) -> None:
        if self.state is not None:
            self.state[0][sequences] = 0

    def forward(self, x: Array, call: Call) -> Array:
        plan, xp = call.plan, self._backend.xp
        if self.state is None:
            last = xp.zeros((plan.n_sequences, self._width), self._dtype)
        else:
            last = self.state[0].copy()
        self._n_first = n_first = int(plan.step_offsets[1]) if plan.n_steps else 0
        self._before = self._backend.upload(_rows_before(plan))
        y = xp.empty((plan.n_rows, self._width), self._dtype)
        y[:n_first] = last[:n_first]  # sequences without steps are the last ones
        y[n_first:] = x[self._before]
        if n_first:
            ends = plan.step_offsets[plan.lengths[:n_first] - 1] + np.arange(n_first)
            last[:n_first] = x[self._backend.upload(ends)]
        self.state = (last,)
        return y

    def backward(self, dy: Array) -> Array:
        dx = self._backend.xp.zeros_like(dy)
        dx[self._before] = dy[self._n_first :]
        return dx


def _rows_before(plan: PackedPlan) -> np.ndarray:
    """Return for each packed row behind the first step's the row of the step before it."""
    offsets = plan.step_offsets
    if plan.n_steps < 2:
        return np.zeros(0, np.intp)
    counts = np.diff(offsets)[1:]
    rows = np.arange(offsets[1], offsets[-1])
    return np.asarray(rows + np.repeat(offsets[:-2] - offsets[1:-1], counts))

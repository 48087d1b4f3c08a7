"""From one row of a sequence to its steps: what a decoder reads that writes them.

Letters: B sequences, P packed rows, C numbers of a sequence.
"""

from __future__ import annotations

import numpy as np

from rnnkit.backends.interface import Array, PackedPlan
from rnnkit.network.layers import Binding, Call, Layer, Operation, RowBuffer, Rows

__all__ = ["Repeating"]


class Repeating(Layer):
    """Give every step the row of its sequence, and its place in it.

    Parameters
    ----------
    n_inputs : int
        C, the numbers of a row.

    Notes
    -----
    The place of step t of T, counted from 0, is ``(2 t + 1) / T - 1``: the middle of the step in a
    sequence that goes from -1 to 1. Sums of gradients run step after step, so that a sequence's
    bits do not depend on the others.
    """

    rows_in = Rows.SEQUENCES

    def __init__(self, n_inputs: int) -> None:
        self.n_inputs = n_inputs
        self.width = n_inputs + 1

    @property
    def rows_out(self) -> Rows:
        """One row per step."""
        return Rows.STEPS

    def bind(self, binding: Binding) -> Operation:
        """Return the layer's operation."""
        return _RepeatingOperation(self, binding)


class _RepeatingOperation:
    def __init__(self, layer: Repeating, binding: Binding) -> None:
        self._backend = binding.backend
        self._n_inputs = layer.n_inputs
        self._dtype = binding.dtype
        self._steps = RowBuffer(layer.width, binding.dtype, binding.backend)

    def forward(self, x: Array, call: Call) -> Array:
        self._plan = plan = call.plan
        upload, n = self._backend.upload, self._n_inputs
        steps = self._steps.rows(plan.n_rows)
        steps[:, :n] = x[upload(plan.sequence_of_row())]
        steps[:, n] = upload(_places(plan).astype(self._dtype))
        return steps

    def backward(self, dy: Array) -> Array:
        xp = self._backend.xp
        dx = xp.zeros((self._plan.n_sequences, self._n_inputs), self._dtype)
        self._backend.add_steps(self._plan, xp.ascontiguousarray(dy[:, : self._n_inputs]), dx)
        return dx


def _places(plan: PackedPlan) -> np.ndarray:
    """Return where each packed row (P,) lies in its sequence, float64 in (-1, 1)."""
    step = np.repeat(np.arange(plan.n_steps), np.diff(plan.step_offsets))
    return np.asarray((2.0 * step + 1.0) / plan.lengths[plan.sequence_of_row()] - 1.0)

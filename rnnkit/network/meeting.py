"""Where sequences that are made and real ones take one way, beside what is known of each.

Letters: P packed rows, I features of a step, C numbers of a condition, Z noise numbers of a step, S
noise numbers of a sequence.
"""

from __future__ import annotations

from rnnkit.backends.interface import Array
from rnnkit.network.layers import Binding, Call, Layer, RowBuffer, Rows

__all__ = ["Meeting", "MeetingOperation"]


class Meeting(Layer):
    """Where made and real sequences meet: their steps, and beside them what is known of each.

    Parameters
    ----------
    n_features : int
        I.
    n_conditions : int
        C.
    n_noise, n_sequence_noise : int
        Z and S, which the layers before it are fed with.
    """

    rows_in = Rows.STEPS

    def __init__(
        self, n_features: int, n_conditions: int, n_noise: int, n_sequence_noise: int
    ) -> None:
        self.n_features = n_features
        self.n_conditions = n_conditions
        self.n_noise = n_noise
        self.n_sequence_noise = n_sequence_noise
        self.width = n_features + n_conditions

    def bind(self, binding: Binding) -> MeetingOperation:
        """Return the layer's operation."""
        return MeetingOperation(self, binding)


class MeetingOperation:
    """Joins steps and conditions; the gradient goes to the steps alone.

    `conditions` (P, C) are set before every call; None: there are none.
    """

    def __init__(self, layer: Meeting, binding: Binding) -> None:
        self._xp = binding.backend.xp
        self._n_features = layer.n_features
        self._joined = RowBuffer(layer.width, binding.dtype, binding.backend)
        self.conditions: Array | None = None

    def forward(self, x: Array, call: Call) -> Array:
        if self.conditions is None:
            return x
        joined = self._joined.rows(len(x))
        joined[:, : self._n_features] = x
        joined[:, self._n_features :] = self.conditions
        return joined

    def backward(self, dy: Array) -> Array:
        if self.conditions is None:
            return dy
        return self._xp.ascontiguousarray(dy[:, : self._n_features])

"""Pooling: from the states of all steps to one row per sequence.

Sums run step after step, so that a sequence's bits depend neither on the sequences beside it
nor on where a cut carried its state over.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from rnnkit.backends.interface import Array
from rnnkit.network.initializers import glorot_uniform
from rnnkit.network.layers import Binding, Call, Layer, Operation, Rows, State

__all__ = ["AttentionPooling", "Pooling"]


_STATES = {"mean": ("total", "count"), "max": ("largest",), "last": ("last",)}


class Pooling(Layer):
    """Mean, maximum or last of the rows of the steps of each sequence.

    Parameters
    ----------
    kind : {"mean", "max", "last"}
        Zero for an empty sequence.

    Raises
    ------
    ValueError
        If `kind` is unknown.
    """

    rows_in = Rows.STEPS
    rows_out = Rows.SEQUENCES

    def __init__(self, kind: str) -> None:
        if kind not in _STATES:
            raise ValueError(f"pooling kind must be 'mean', 'max' or 'last', got {kind!r}")
        self.kind = kind
        self.states = _STATES[kind]

    def bind(self, binding: Binding) -> Operation:
        """Return the layer's operation."""
        if self.kind == "last":
            return _LastOperation(binding)
        return _MeanOperation(binding) if self.kind == "mean" else _MaxOperation(binding)


class _MeanOperation:
    """Adds step after step, so that a sequence's bits do not depend on the others."""

    def __init__(self, binding: Binding) -> None:
        self.dtype = binding.dtype
        self.backend = binding.backend
        self.xp = binding.backend.xp
        self.state: State | None = None  # sum so far (B, W), steps so far (B, 1)

    def begin(self, sequences: Array) -> None:
        for array in self.state or ():
            array[sequences] = 0

    def forward(self, x: Array, call: Call) -> Array:
        plan = call.plan
        if self.state is None:
            total = self.xp.zeros((plan.n_sequences, x.shape[1]), self.dtype)
            count = self.xp.zeros((plan.n_sequences, 1), self.dtype)
        else:
            total, count = (array.copy() for array in self.state)
        self.backend.add_steps(plan, x, total)
        count += self.backend.upload(plan.lengths[:, None].astype(self.dtype))
        self.state = (total, count)
        self._plan = plan
        self._divisor = self.xp.maximum(count, 1)
        return total / self._divisor

    def backward(self, dy: Array) -> Array:
        return (dy / self._divisor)[self.backend.upload(self._plan.sequence_of_row())]


class _MaxOperation:
    """Follows the maximum and the packed row it was found in; the first of equals."""

    def __init__(self, binding: Binding) -> None:
        self.dtype = binding.dtype
        self.backend = binding.backend
        self.xp = binding.backend.xp
        self.state: State | None = None  # maximum so far (B, W), -inf before the first step

    def begin(self, sequences: Array) -> None:
        if self.state is not None:
            self.state[0][sequences] = -np.inf

    def forward(self, x: Array, call: Call) -> Array:
        xp, plan = self.xp, call.plan
        shape = (plan.n_sequences, x.shape[1])
        largest = (
            xp.full(shape, -np.inf, self.dtype) if self.state is None else self.state[0].copy()
        )
        row = xp.full(shape, -1, np.intp)
        self.backend.largest_of_steps(plan, x, largest, row if call.training else None)
        self.state = (largest,)
        self._row, self._n_rows = row, plan.n_rows
        return xp.where(xp.isneginf(largest), xp.zeros_like(largest), largest)

    def backward(self, dy: Array) -> Array:
        # Where a sequence has no steps its row is -1: the one more that is cut off.
        dx = self.xp.zeros((self._n_rows + 1, dy.shape[1]), self.dtype)
        dx[self._row, self.xp.arange(dy.shape[1])] = dy
        return dx[:-1]


class _LastOperation:
    """Takes the row of the last step; one that has no step in this call keeps what it had."""

    def __init__(self, binding: Binding) -> None:
        self.dtype = binding.dtype
        self.backend = binding.backend
        self.xp = binding.backend.xp
        self.state: State | None = None  # the last rows so far (B, W)

    def begin(self, sequences: Array) -> None:
        for array in self.state or ():
            array[sequences] = 0

    def forward(self, x: Array, call: Call) -> Array:
        plan = call.plan
        shape = (plan.n_sequences, x.shape[1])
        last = self.xp.zeros(shape, self.dtype) if self.state is None else self.state[0].copy()
        # Longest first: those with a step are the first ones, each b in place b of its steps.
        n = int(np.count_nonzero(plan.lengths))
        rows = plan.step_offsets[plan.lengths[:n] - 1] + np.arange(n)
        self._rows, self._shape = self.backend.upload(rows), x.shape
        last[:n] = x[self._rows]
        self.state = (last,)
        return last.copy()

    def backward(self, dy: Array) -> Array:
        dx = self.xp.zeros(self._shape, self.dtype)
        dx[self._rows] = dy[: len(self._rows)]
        return dx


class AttentionPooling(Layer):
    """Weighted mean of the states over the steps, the weights learned from the states.

    Parameters
    ----------
    width : int
        W, the width of the states and of the attention's inner layer.

    Notes
    -----
    ``e_t = q · tanh(A h_t + b)``; ``a = softmax(e)`` over a sequence's steps; the result is
    ``sum_t a_t h_t``. The additive form of Bahdanau, Cho & Bengio (2015) without a query from
    a decoder. Parameters "attention.weight" A (W, W), "attention.bias" b (W,) and
    "attention.query" q (1, W).
    """

    rows_in = Rows.STEPS
    rows_out = Rows.SEQUENCES
    states = ("largest", "total", "weighted")

    def __init__(self, width: int) -> None:
        self.width = width

    def parameter_shapes(self) -> dict[str, tuple[int, ...]]:
        """Return the full name and shape of each parameter, in storage order."""
        w = self.width
        return {"attention.weight": (w, w), "attention.bias": (w,), "attention.query": (1, w)}

    def initialize(self, parameters: Mapping[str, np.ndarray], rng: Any) -> None:
        """Draw the matrices from Glorot's uniform; the bias is zero."""
        w = self.width
        parameters["attention.weight"][...] = glorot_uniform((w, w), rng)
        parameters["attention.bias"][...] = 0.0
        parameters["attention.query"][...] = glorot_uniform((1, w), rng)

    def bind(self, binding: Binding) -> Operation:
        """Return the layer's operation; its `weights` are those of the last forward call."""
        return _AttentionOperation(self, binding)


class _AttentionOperation:
    """Softmax and weighted sum in one pass over the steps, rescaled as the maximum grows."""

    def __init__(self, layer: AttentionPooling, binding: Binding) -> None:
        self._backend = binding.backend
        self.xp = binding.backend.xp
        self.dtype = binding.dtype
        self.state: State | None = None  # largest e (B, 1), sum of exp (B, 1), weighted sum (B, W)
        self._dense = binding.dense(layer.width, layer.width)
        self._parameters = binding.parameters
        self._gradients = binding.gradients
        self._input_gradient = binding.input_gradient

    def begin(self, sequences: Array) -> None:
        if self.state is not None:
            for array, value in zip(self.state, (-np.inf, 0, 0)):
                array[sequences] = value

    def forward(self, x: Array, call: Call) -> Array:
        xp, plan = self.xp, call.plan
        p = self._parameters
        inner = xp.tanh(self._dense.forward(x, p["attention.weight"], p["attention.bias"]))
        energies = (inner * p["attention.query"]).sum(axis=1)[:, None]
        if self.state is None:
            shape = (plan.n_sequences, 1)
            largest = xp.full(shape, -np.inf, self.dtype)
            total = xp.zeros(shape, self.dtype)
            weighted = xp.zeros((plan.n_sequences, x.shape[1]), self.dtype)
        else:
            largest, total, weighted = (array.copy() for array in self.state)
        self._backend.attend_to_steps(plan, energies, x, largest, total, weighted)
        self.state = (largest, total, weighted)
        self._saved = (plan, x, inner, energies)
        self._pooled = weighted / xp.where(total > 0, total, xp.ones_like(total))
        return self._pooled

    @property
    def weights(self) -> Array:
        """The weight (P,) of each packed row in its sequence, of the last forward call."""
        return self._weights_of(self._backend.upload(self._saved[0].sequence_of_row()))

    def _weights_of(self, rows: Array) -> Array:
        """Return the weights; rows (P,) are the sequences of the packed rows."""
        _, _, _, energies = self._saved
        assert self.state is not None
        largest, total, _ = self.state
        return (self.xp.exp(energies - largest[rows]) / total[rows])[:, 0]

    def backward(self, dy: Array) -> Array | None:
        plan, x, inner, _ = self._saved
        p, g = self._parameters, self._gradients
        rows = self._backend.upload(plan.sequence_of_row())
        weights = self._weights_of(rows)[:, None]
        dpooled = dy[rows]
        denergies = weights * (dpooled * (x - self._pooled[rows])).sum(axis=1)[:, None]
        dquery = g["attention.query"]
        dquery += (denergies * inner).sum(axis=0)
        dinner = denergies * p["attention.query"] * (1.0 - inner * inner)
        dx = self._dense.backward(
            x,
            dinner,
            p["attention.weight"],
            g["attention.weight"],
            g["attention.bias"],
            input_gradient=self._input_gradient,
        )
        return dpooled * weights + dx if self._input_gradient else None

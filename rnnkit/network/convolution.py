"""Convolutions over the steps of packed sequences, each as one dense product.

The rows that a step sees are gathered side by side, and the product of a dense layer, whose rows
do not depend on each other, makes one row of them. What lies outside a sequence is a row of zeros.

Letters: B sequences, P packed rows, Q rows that are left, k width, I inputs, C channels, p steps of
a maximum.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from rnnkit.backends.interface import Array, PackedPlan
from rnnkit.convolutions import Convolution
from rnnkit.network.layers import Binding, Call, Layer, Operation, RowBuffer, Rows, State
from rnnkit.network.normalizing import BatchNormalization, LayerNormalization, Normalization
from rnnkit.sequences import pack

__all__ = ["ConvolutionLayer"]

# What a layer keeps of minibatches, and training does not learn.
_KEPT = ("mean", "variance", "share")


class ConvolutionLayer(Layer):
    """A convolution over the steps of each sequence, and what follows it.

    Parameters
    ----------
    shape : Convolution
        What it is.
    n_inputs : int
        I.
    number : int
        Its place among the convolutions of the network, from 0.

    Notes
    -----
    Parameters "convolution.weight_l0" (C, k·I), the taps from the earliest step on,
    "convolution.bias_l0" (C,); with `layer_norm` or `batch_norm` "convolution.gain_l0" and
    "convolution.shift_l0" (C,). With `batch_norm`, which would take a bias away, there is none, but
    what is kept of minibatches, frozen: "convolution.mean_l0" and "convolution.variance_l0" (C,)
    and "convolution.share_l0" (1,).
    """

    rows_in = Rows.STEPS

    def __init__(self, shape: Convolution, n_inputs: int, number: int) -> None:
        self.shape = shape
        self.n_inputs = n_inputs
        self.width = shape.channels
        self.needs_whole_sequences = shape.needs_whole_sequences
        self.shortening = shape.shortening
        if not shape.needs_whole_sequences and shape.width > 1:
            self.states = ("inputs",)  # (B, (k - 1)·I), the earliest first
        parts = ["weight"] if shape.batch_norm else ["weight", "bias"]
        parts += ["gain", "shift"] if shape.is_normalized else []
        parts += _KEPT if shape.batch_norm else []
        self.names = {part: f"convolution.{part}_l{number}" for part in parts}
        self.frozen = tuple(self.names[part] for part in parts if part in _KEPT)
        self.mixes_sequences = shape.batch_norm

    def carry_nothing(self) -> None:
        """Take whole sequences alone, so that nothing is carried over a cut."""
        self.states, self.needs_whole_sequences = (), True

    def parameter_shapes(self) -> dict[str, tuple[int, ...]]:
        """Return the full name and shape of each parameter, in storage order."""
        c = self.width
        others = {"weight": (c, self.shape.width * self.n_inputs), "share": (1,)}
        return {name: others.get(part, (c,)) for part, name in self.names.items()}

    def initialize(self, parameters: Mapping[str, np.ndarray], rng: Any) -> None:
        """Draw the weights so that the variance of a step is kept; biases are zero."""
        weight = parameters[self.names["weight"]]
        gain = 6.0 if self.shape.activation == "relu" else 3.0
        limit = math.sqrt(gain / weight.shape[1])
        weight[...] = rng.uniform(-limit, limit, weight.shape)
        begin = {"bias": 0.0, "gain": 1.0, "shift": 0.0, "mean": 0.0, "variance": 1.0, "share": 1.0}
        for part, value in begin.items():
            if part in self.names:
                parameters[self.names[part]][...] = value

    def bind(self, binding: Binding) -> Operation:
        """Return the layer's operation."""
        return _ConvolutionOperation(self, binding)

    def bind_stream(self, binding: Binding, n: int = 1) -> Operation:
        """Return the layer's operation for n sequences that come step by step."""
        return _ConvolutionStream(self, binding, n)


def _rows_seen(
    plan: PackedPlan, sequence: np.ndarray, first: np.ndarray, width: int, *, has_past: bool = False
) -> np.ndarray:
    """Return the rows (Q, k) of k steps of some sequences.

    Parameters
    ----------
    plan : PackedPlan
    sequence, first : ndarray of shape (Q,), intp
        Which sequence, and its first step of the k.
    width : int
        k.
    has_past : bool, default=False
        Whether the (k - 1)·B rows behind those of the plan are the steps before the first.

    Returns
    -------
    ndarray of shape (Q, k), intp
        What is outside a sequence is the row behind all others.
    """
    at = first[:, None] + np.arange(width)
    sequence = sequence[:, None]
    inside = (at >= 0) & (at < plan.lengths[sequence])
    first_rows = plan.step_offsets[:-1] if plan.n_steps else np.zeros(1, np.intp)
    rows = first_rows[np.where(inside, at, 0)] + sequence
    outside: Any = plan.n_rows
    if has_past:
        n_past = width - 1
        earlier = plan.n_rows + sequence * n_past + at + n_past
        outside = np.where(at < 0, earlier, plan.n_rows + plan.n_sequences * n_past)
    found: np.ndarray = np.where(inside, rows, outside)
    return found


def _steps_of(plan: PackedPlan) -> np.ndarray:
    """Return the step of each packed row."""
    return np.repeat(np.arange(plan.n_steps), np.diff(plan.step_offsets))


def _shortened(plan: PackedPlan, by: int) -> PackedPlan:
    """Return the plan of every so manieth step; the order of the sequences stays."""
    return plan if by == 1 else pack(-(-plan.lengths // by))


class _Product:
    """From the rows seen, side by side (Q, k·I), to rows (Q, C) behind the activation."""

    def __init__(self, layer: ConvolutionLayer, binding: Binding) -> None:
        self._xp = binding.backend.xp
        n_seen = layer.shape.width * layer.n_inputs
        self._dense = binding.dense(n_seen, layer.width)
        weight, bias = layer.names["weight"], layer.names.get("bias")
        self._weight, self._dweight = binding.parameters[weight], binding.gradients.get(weight)
        if bias is None:  # zeros, and where their gradient is put aside
            self._bias, self._dbias = self._xp.zeros((2, layer.width), binding.dtype)
        else:
            self._bias, self._dbias = binding.parameters[bias], binding.gradients.get(bias)
        self._norm: Normalization | None = None
        if layer.shape.is_normalized:
            kind = BatchNormalization if layer.shape.batch_norm else LayerNormalization
            self._norm = kind(layer.names, binding)
        self._activation = layer.shape.activation
        self._input_gradient = binding.input_gradient

    def forward(self, seen: Array, call: Call) -> Array:
        self._seen = seen
        y = self._dense.forward(seen, self._weight, self._bias)
        if self._norm is not None:
            y = self._norm.forward(y, call)
        if self._activation == "relu":
            y = self._xp.maximum(y, 0)
        elif self._activation == "tanh":
            y = self._xp.tanh(y)
        self._y = y
        return y

    def backward(self, dy: Array) -> Array | None:
        """Return the gradient by the rows seen, or None if it is not wanted."""
        if self._activation == "relu":
            dy = dy * (self._y > 0)
        elif self._activation == "tanh":
            dy = dy * (1 - self._y * self._y)
        if self._norm is not None:
            dy = self._norm.backward(dy)
        dy = self._xp.ascontiguousarray(dy)
        return self._dense.backward(
            self._seen,
            dy,
            self._weight,
            self._dweight,
            self._dbias,
            input_gradient=self._input_gradient,
        )


class _Largest:
    """The maximum over every p steps of a sequence; the first of equals."""

    def __init__(self, n_steps: int, binding: Binding) -> None:
        self._n_steps = n_steps
        self._backend = binding.backend

    def forward(self, x: Array, plan: PackedPlan) -> tuple[Array, PackedPlan]:
        """Return the rows that are left and their plan."""
        xp, upload, p = self._backend.xp, self._backend.upload, self._n_steps
        left = _shortened(plan, p)
        rows = _rows_seen(plan, left.sequence_of_row(), p * _steps_of(left), p)
        # Where a sequence has no such step the first one stands again, which is never larger.
        rows = np.where(rows < plan.n_rows, rows, rows[:, :1])
        largest = x.take(upload(rows[:, 0]), axis=0)
        which = xp.zeros(largest.shape, np.intp)
        for j in range(1, p):
            other = x.take(upload(rows[:, j]), axis=0)
            larger = other > largest
            largest = xp.where(larger, other, largest)
            which = xp.where(larger, j, which)
        self._which, self._plan, self._left = which, plan, left
        return largest, left

    def backward(self, dy: Array) -> Array:
        """Return the gradient by all rows."""
        upload, plan, p = self._backend.upload, self._plan, self._n_steps
        step = _steps_of(plan)
        row = upload(self._left.step_offsets[step // p] + plan.sequence_of_row())
        chosen = self._which.take(row, axis=0) == upload((step % p)[:, None])
        return dy.take(row, axis=0) * chosen


class _ConvolutionOperation:
    def __init__(self, layer: ConvolutionLayer, binding: Binding) -> None:
        shape = layer.shape
        self._shape, self._n_inputs = shape, layer.n_inputs
        self._backend, self._dtype = binding.backend, binding.dtype
        self._product = _Product(layer, binding)
        self._largest = None if shape.pooling in (None, 1) else _Largest(shape.pooling, binding)
        width = shape.width * layer.n_inputs
        self._seen = RowBuffer(width, binding.dtype, binding.backend)
        self._state: State | None = None  # where `forward` begins
        self._read: tuple[Array, PackedPlan, bool] | None = None  # what it has read

    def forward(self, x: Array, call: Call) -> Array:
        plan, shape = call.plan, self._shape
        past = self._state
        left = _shortened(plan, shape.stride)
        first = _steps_of(left) * shape.stride - shape.n_before
        rows = _rows_seen(
            plan, left.sequence_of_row(), first, shape.width, has_past=past is not None
        )
        extended = self._extended(x, past)
        self._read = extended, plan, past is not None
        self._state = None
        self._rows = rows
        y = self._product.forward(self._gathered(extended, rows), call)
        if self._largest is not None:
            y, left = self._largest.forward(y, left)
        call.plan = left
        return y

    def _extended(self, x: Array, past: State | None) -> Array:
        """Return the rows of a minibatch, of what came before it, and one of zeros."""
        before = 0 if past is None else len(past[0]) * (self._shape.width - 1)
        extended = self._backend.xp.zeros((len(x) + before + 1, self._n_inputs), self._dtype)
        extended[: len(x)] = x
        if past is not None:
            extended[len(x) : -1] = past[0].reshape(before, self._n_inputs)
        return extended

    def _gathered(self, extended: Array, rows: np.ndarray) -> Array:
        """Return the rows (Q, k·I) side by side."""
        if not self._backend.on_host:
            return extended.take(self._backend.upload(rows), axis=0).reshape(len(rows), -1)
        seen = self._seen.rows(len(rows))
        np.take(extended, rows, axis=0, out=seen.reshape(*rows.shape, -1), mode="clip")
        return seen

    def backward(self, dy: Array) -> Array | None:
        if self._largest is not None:
            dy = self._largest.backward(dy)
        dseen = self._product.backward(dy)
        if dseen is None:
            return None
        assert self._read is not None
        n_rows, n = self._read[1].n_rows, self._n_inputs
        dx = self._backend.xp.zeros((n_rows, n), self._dtype)
        for j, seen in enumerate(self._rows.T):  # of which no row stands twice
            places = np.flatnonzero(seen < n_rows)
            if len(places):
                to, of = self._run(seen[places]), self._run(places)
                dx[to] += dseen[of, j * n : (j + 1) * n]
        return dx

    def _run(self, places: np.ndarray) -> Any:
        """Return rising places as what indexes fastest."""
        first, last = int(places[0]), int(places[-1])
        if last - first + 1 == len(places):
            return slice(first, last + 1)
        return self._backend.upload(places)

    @property
    def state(self) -> State | None:
        """The k - 1 steps (B, (k - 1)·I) that the next step sees, the earliest first."""
        if self._read is None or self._state is not None:
            return self._state
        extended, plan, has_past = self._read
        n_kept, n = self._shape.width - 1, plan.n_sequences
        first = plan.lengths - n_kept
        # One step more than is kept, so that places before the first are those of `has_past`.
        rows = _rows_seen(plan, np.arange(n), first - 1, n_kept + 1, has_past=has_past)[:, 1:]
        kept = extended.take(self._backend.upload(rows), axis=0)
        return (kept.reshape(n, -1),)

    @state.setter
    def state(self, state: State | None) -> None:
        self._state, self._read = state, None


class _ConvolutionStream:
    """Steps that come one by one: what is seen of the past is carried along."""

    def __init__(self, layer: ConvolutionLayer, binding: Binding, n: int) -> None:
        self._xp = binding.backend.xp
        self._product = _Product(layer, binding)
        self._n_inputs = layer.n_inputs
        self._shape = n, (layer.shape.width - 1) * layer.n_inputs
        self._dtype = binding.dtype
        self.state: State | None = None

    def begin(self, sequences: Array) -> None:
        for array in self.state or ():
            array[sequences] = 0

    def forward(self, x: Array, call: Call) -> Array:
        if not self._shape[1]:
            return self._product.forward(x, call)
        n, n_past = self._shape
        seen = self._xp.zeros((n, n_past + self._n_inputs), self._dtype)
        if self.state is not None:
            seen[:, :n_past] = self.state[0]
        seen[:, n_past:] = x
        self.state = (seen[:, self._n_inputs :],)
        return self._product.forward(seen, call)

    def backward(self, dy: Array) -> Array | None:
        raise NotImplementedError("nothing runs back through a stream")

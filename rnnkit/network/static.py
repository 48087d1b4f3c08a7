"""A recurrent layer whose initial state follows from features that do not change in a sequence."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from rnnkit.backends.interface import Array
from rnnkit.cells import LayerSpec
from rnnkit.network.initializers import glorot_uniform
from rnnkit.network.layers import Binding, Call, RowBuffer, State
from rnnkit.network.recurrent import (
    Recurrent,
    RecurrentLayerOperation,
    RecurrentStreamOperation,
    second_state,
)

__all__ = ["StartedLayerOperation", "StartedRecurrent", "StartedStreamOperation"]

WEIGHT, BIAS = "static.weight", "static.bias"


class StartedRecurrent(Recurrent):
    """A recurrent layer that takes some features as its initial state, the others step by step.

    Parameters
    ----------
    specs : sequence of LayerSpec
        As of `Recurrent`; their `n_inputs` are the features that change, I.
    static : sequence of int
        The positions, among the S + I features of a step, of the S that do not change. Those of
        a sequence's first step are looked at.
    **options : dict
        As `Recurrent` takes them.

    Notes
    -----
    With s the static features of a sequence: ``h_0 = W_h s + b_h``, and for lstm
    ``c_0 = W_c s + b_c``, for each direction; gates that are carried beside c begin as zeros.
    The rows of "static.weight" (n·H, S) and "static.bias" (n·H,) are those of h, then c, of the
    forward and then of the reverse direction. The gradient by s is that by the state which the
    layer began with, times W. A layer that is given a state, behind a cut of truncated
    backpropagation, takes that. Karpathy & Fei-Fei (2015) and Vinyals et al. (2015) begin a
    recurrent network with what is known of the whole sequence in this way.
    """

    def __init__(self, specs: Sequence[LayerSpec], static: Sequence[int], **options: Any) -> None:
        super().__init__(specs, **options)
        self.static = tuple(sorted(static))
        self.n_features = specs[0].n_inputs + len(self.static)
        self.n_starts = sum(1 + spec.has_cell_state for spec in specs)  # arrays (B, H) of a state

    takes_lookups = False  # it takes some features of a row apart

    def parameter_shapes(self) -> dict[str, tuple[int, ...]]:
        """Return the full name and shape of each parameter, in storage order."""
        rows = self.n_starts * self.specs[0].hidden_size
        shapes = {WEIGHT: (rows, len(self.static)), BIAS: (rows,)}
        return {**super().parameter_shapes(), **shapes}

    def initialize(self, parameters: Mapping[str, np.ndarray], rng: Any) -> None:
        """Draw the recurrent weights, then W from Glorot's uniform, state by state; b is zero."""
        super().initialize(parameters, rng)
        h = self.specs[0].hidden_size
        for block in range(self.n_starts):
            rows = slice(block * h, (block + 1) * h)
            parameters[WEIGHT][rows] = glorot_uniform((h, len(self.static)), rng)
        parameters[BIAS][...] = 0.0

    def bind(self, binding: Binding) -> StartedLayerOperation:
        """Return the layer's operation."""
        return StartedLayerOperation(self, binding)

    def bind_stream(self, binding: Binding, n: int = 1) -> StartedStreamOperation:
        """Return the layer's operation for n sequences step by step; one direction only."""
        return StartedStreamOperation(self, binding, super().bind_stream(binding, n), n)


class _Start:
    """The map from static features to states, and the cut of a step's features in two."""

    def __init__(self, layer: StartedRecurrent, binding: Binding) -> None:
        self._h = layer.specs[0].hidden_size
        self._spec = layer.specs[0]
        self._n_directions = len(layer.specs)
        self._n_outputs = layer.n_starts * self._h
        self._binding = binding
        self._dense = binding.dense(len(layer.static), self._n_outputs)
        changing = [i for i in range(layer.n_features) if i not in layer.static]
        self._static, self._changing = _runs(layer.static), _runs(changing)
        self._features = RowBuffer(layer.n_features, binding.dtype, binding.backend)
        self._cut = RowBuffer(len(changing), binding.dtype, binding.backend)
        self._s: Array = None

    def changing(self, x: Array) -> Array:
        """Return the features (P, I) that change."""
        cut = self._cut.rows(len(x))
        for mine, theirs in self._changing:
            cut[:, mine] = x[:, theirs]
        return cut

    def state(self, x: Array, n_sequences: int) -> State:
        """Return the states that follow from the first rows of x, one of each sequence.

        Sequences without steps, which stand last, have no rows and begin with zeros.
        """
        xp, dtype = self._binding.backend.xp, self._binding.dtype
        self._s = xp.empty((len(x), sum(m.stop - m.start for m, _ in self._static)), dtype)
        for mine, theirs in self._static:
            self._s[:, mine] = x[:, theirs]
        parameters = self._binding.parameters
        flat = self._dense.forward(self._s, parameters[WEIGHT], parameters[BIAS])
        if len(x) < n_sequences:
            filled = xp.zeros((n_sequences, self._n_outputs), dtype)
            filled[: len(x)] = flat
            flat = filled
        return self._as_state(flat)

    def backward(self, dstate: State, dx: Array | None, n_rows: int) -> Array | None:
        """Add to the gradients; return the gradient (P, S + I), if dx (P, I) is given.

        Arrays of `dstate` that are None stand where the layer has none.
        """
        backend, gradients = self._binding.backend, self._binding.gradients
        n = 0 if self._s is None else len(self._s)
        features = None
        if dx is not None:
            features = self._features.rows(n_rows)
            features[...] = 0
            for mine, theirs in self._changing:
                features[:, theirs] = dx[:, mine]
        if n == 0:
            return features
        flat = backend.xp.empty((n, self._n_outputs), self._binding.dtype)
        arrays = [array for array in dstate if array is not None]
        for block, array in enumerate(arrays):
            flat[:, block * self._h : (block + 1) * self._h] = array[:n, : self._h]
        ds: Array = self._dense.backward(
            self._s,
            flat,
            self._binding.parameters[WEIGHT],
            gradients[WEIGHT],
            gradients[BIAS],
            input_gradient=features is not None,
        )
        if features is not None:
            for mine, theirs in self._static:
                features[:n, theirs] = ds[:, mine]
        return features

    def forget(self) -> None:
        """Note that the layer began with a state that it was given."""
        self._s = None

    def _as_state(self, flat: Array) -> State:
        state: State = ()
        per_direction = 1 + self._spec.has_cell_state
        for direction in range(self._n_directions):
            parts: list[Array] = [
                flat[:, block * self._h : (block + 1) * self._h].copy()
                for block in range(direction * per_direction, (direction + 1) * per_direction)
            ]
            second = None
            if self._spec.has_cell_state:
                second = second_state(parts[1], self._spec, self._binding.backend)
            state += (parts[0], second)
        return state


class StartedLayerOperation(RecurrentLayerOperation):
    """All directions of a layer, begun with what follows from the static features."""

    def __init__(self, layer: StartedRecurrent, binding: Binding) -> None:
        super().__init__(layer, binding)
        self._start = _Start(layer, binding)
        self._n_rows = 0

    def forward(self, x: Array, call: Call) -> Array:
        plan = call.plan
        self._n_rows = len(x)
        self._start.forget()
        if self.state is None:
            n_started = int(plan.step_offsets[1]) if plan.n_steps else 0
            self.state = self._start.state(x[:n_started], plan.n_sequences)
        return super().forward(self._start.changing(x), call)

    def backward(self, dy: Array | None) -> Array | None:
        dx = super().backward(dy)
        assert self.start_gradient is not None
        return self._start.backward(self.start_gradient, dx, self._n_rows)


class StartedStreamOperation(RecurrentStreamOperation):
    """n sequences step by step; the static features of their first step make the states."""

    def __init__(
        self, layer: StartedRecurrent, binding: Binding, inner: RecurrentStreamOperation, n: int
    ) -> None:
        self._inner = inner
        self._n = n
        self.stream = inner.stream
        self._start = _Start(layer, binding)
        self._xp = binding.backend.xp
        self._fresh = self._xp.ones(n, bool)
        self._any_fresh = True
        self.step = self._step

    def _step(self, x: Array) -> Array:
        rows = x.reshape(self._n, -1)
        if self._any_fresh:
            begun = zip(self._inner.state, self._start.state(rows, self._n))
            fresh = self._fresh[:, None]
            self._inner.state = tuple(
                None if old is None else self._xp.where(fresh, new, old) for old, new in begun
            )
            self._note_fresh(False)
        return self._inner.step(self._start.changing(rows))

    @property
    def state(self) -> State:
        """The states h and c, (n, H); c for lstm only."""
        return self._inner.state

    @state.setter
    def state(self, state: State | None) -> None:
        self._note_fresh(state is None)
        self._inner.state = state

    def begin(self, sequences: Array) -> None:
        self._fresh[sequences] = self._any_fresh = True

    def _note_fresh(self, all_are: bool) -> None:
        self._fresh[:] = self._any_fresh = all_are


def _runs(positions: Sequence[int]) -> list[tuple[slice, slice]]:
    """Cut rising positions into runs: where each lies among them, and where in the whole."""
    runs: list[tuple[slice, slice]] = []
    for place, position in enumerate(positions):
        if runs and runs[-1][1].stop == position:
            mine, theirs = runs.pop()
            runs.append((slice(mine.start, place + 1), slice(theirs.start, position + 1)))
        else:
            runs.append((slice(place, place + 1), slice(position, position + 1)))
    return runs

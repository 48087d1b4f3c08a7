"""Layers that run beside others: a fork in the chain, and where its two ways join again.

Letters: B sequences, P packed rows, H numbers of a row of the one way, C of the other.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from rnnkit.backends.interface import Array
from rnnkit.network.chain import Chain
from rnnkit.network.layers import Binding, Call, Layer, Operation, Rows, State

__all__ = ["Beside", "Joined"]


class Beside(Layer):
    """Hand on what is read as it is, and keep for `Joined` what layers of its own make of it.

    Parameters
    ----------
    layers : sequence of Layer
        Those of the other way, the first of which takes what is read.
    width : int
        Numbers of a row that is read.
    """

    rows_in = Rows.STEPS

    def __init__(self, layers: Sequence[Layer], width: int) -> None:
        self.layers = tuple(layers)
        self.width = width
        self.frozen = tuple(name for layer in self.layers for name in layer.frozen)
        self.mixes_sequences = any(layer.mixes_sequences for layer in self.layers)
        self.needs_whole_sequences = any(layer.needs_whole_sequences for layer in self.layers)
        if not self.needs_whole_sequences:
            self.states = tuple(
                f"{place}.{name}"
                for place, layer in enumerate(self.layers)
                for name in layer.states
            )

    def parameter_shapes(self) -> dict[str, tuple[int, ...]]:
        """Return the full name and shape of each parameter, in storage order."""
        return {
            name: shape for layer in self.layers for name, shape in layer.parameter_shapes().items()
        }

    def initialize(self, parameters: Mapping[str, np.ndarray], rng: Any) -> None:
        """Draw the parameters of its layers."""
        for layer in self.layers:
            layer.initialize(parameters, rng)

    def bind(self, binding: Binding) -> Operation:
        """Return the layer's operation."""
        return _BesideOperation(self, binding, 0)

    def bind_stream(self, binding: Binding, n: int = 1) -> Operation:
        """Return the layer's operation for n sequences that come step by step."""
        return _BesideOperation(self, binding, n)


class _BesideOperation:
    def __init__(self, layer: Beside, binding: Binding, n_streams: int) -> None:
        self._chain = Chain(layer.layers, binding, n_streams=n_streams)
        self._streams = n_streams > 0
        self._counts = [len(part.states) for part in layer.layers if part.states]
        self._carries = bool(layer.states)
        self._input_gradient = binding.input_gradient
        self._starts_at: State | None = None
        self._starts = True  # whether the next call begins there

    @property
    def state(self) -> State | None:
        """What its layers carry, one after the other."""
        if self._starts:
            return self._starts_at
        return tuple(array for state in self._chain.states for array in state)

    @state.setter
    def state(self, state: State | None) -> None:
        self._starts_at, self._starts = state, True

    def begin(self, sequences: Array) -> None:
        if not self._starts:
            self._chain.begin(sequences)
        for array in (self._starts_at or ()) if self._starts else ():
            array[sequences] = 0

    def forward(self, x: Array, call: Call) -> Array:
        call.dbeside = None
        states = self._parted() if self._starts else None
        if self._streams:
            if self._starts:
                self._chain.start_stream(call.plan)
                if states is not None:
                    self._chain.states = states
            call.beside = self._chain.step(x)
        else:
            call.beside = self._chain.forward(call.plan, x, call.noise, states)
        self._starts = not self._carries
        self._call = call
        return x

    def _parted(self) -> list[State] | None:
        """Return where its layers begin."""
        if self._starts_at is None:
            return None
        arrays = iter(self._starts_at)
        return [tuple(next(arrays) for _ in range(n)) for n in self._counts]

    def backward(self, dy: Array) -> Array | None:
        dbeside = self._call.dbeside
        if dbeside is None:  # nobody asked what the other way gave
            return dy
        dx = self._chain.backward(dbeside)
        return dy + dx if self._input_gradient and dx is not None else dy


class Joined(Layer):
    """Give the numbers of both ways side by side: H of what is read, C of what `Beside` kept.

    Parameters
    ----------
    width : int
        H + C.
    """

    def __init__(self, width: int) -> None:
        self.width = width

    def bind(self, binding: Binding) -> Operation:
        """Return the layer's operation."""
        return _JoinedOperation(binding)


class _JoinedOperation:
    def __init__(self, binding: Binding) -> None:
        self._xp = binding.backend.xp

    def forward(self, x: Array, call: Call) -> Array:
        self._call, self._n = call, x.shape[1]
        n = self._n
        both = self._xp.empty((len(x), n + call.beside.shape[1]), x.dtype)
        both[:, :n] = x
        both[:, n:] = call.beside
        return both

    def backward(self, dy: Array) -> Array:
        self._call.dbeside = self._xp.ascontiguousarray(dy[:, self._n :])
        return self._xp.ascontiguousarray(dy[:, : self._n])

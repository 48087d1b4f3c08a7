"""The layers of a network: each is data, and binds to a backend as an operation.

A layer names its parameters, draws them, says which rows it takes and gives and what it carries
from step to step, and makes an operation with `bind`. An operation has ``forward(x, call)`` and
``backward(dy)``, keeps its own buffers, and runs backward once per forward call.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, Protocol

import numpy as np

from rnnkit.backends.interface import (
    Array,
    Backend,
    DenseOperation,
    PackedPlan,
    RecurrentOperation,
)
from rnnkit.cells import LayerSpec
from rnnkit.network.initializers import glorot_uniform
from rnnkit.network.lookup import TableRows

__all__ = [
    "Binding",
    "Call",
    "Dense",
    "Layer",
    "Operation",
    "RowBuffer",
    "Rows",
    "State",
    "StatefulOperation",
    "cut_needs",
    "rows_at_the_end",
]

State = tuple[Any, ...]  # arrays, or None, whose first dimension are the sequences


class Rows(Enum):
    """What the rows of an array stand for."""

    STEPS = "one row per step"  # the P packed rows of a minibatch
    SEQUENCES = "one row per sequence"  # its B sequences, in packed order


@dataclass(frozen=True, slots=True)
class Binding:
    """What layers are bound to.

    Parameters
    ----------
    backend : Backend
        What computes.
    parameters : mapping of str to array
        Every parameter by its full name, on the backend.
    gradients : mapping of str to array
        The gradient of each, to which `backward` adds; empty outside training.
    dtype : dtype
        Of parameters, rows and states.
    training : bool, default=False
        Whether `backward` will be called, and what disturbs or drops in training acts.
    input_gradient : bool, default=False
        Whether `backward` returns the gradient by the input.
    looked_up : mapping of str to TableRows, default={}
        For each large table, by its full name, where `backward` notes the rows that it adds to.
    constant : bool, default=False
        Whether the parameters stay as they are, so that what a backend makes of them serves all
        calls.
    """

    backend: Backend
    parameters: Mapping[str, Array]
    gradients: Mapping[str, Array]
    dtype: np.dtype
    training: bool = False
    input_gradient: bool = False
    looked_up: Mapping[str, TableRows] = field(default_factory=dict)
    constant: bool = False

    def recurrent(self, spec: LayerSpec) -> RecurrentOperation:
        """Return a recurrent layer in one direction, bound so."""
        return self.backend.recurrent(spec, self.dtype, constant=self.constant)

    def dense(self, n_inputs: int, n_outputs: int) -> DenseOperation:
        """Return a dense layer bound so."""
        return self.backend.dense(n_inputs, n_outputs, self.dtype, constant=self.constant)


class Call:
    """What all operations of one forward call share."""

    __slots__ = ("beside", "dbeside", "noise", "plan", "training")

    plan: PackedPlan  # of the rows that the next operation is given
    training: bool
    noise: np.random.Generator | None  # None: no noise, no dropout
    beside: Array  # what a `Beside` keeps for its `Joined`
    dbeside: Array | None  # and the gradient by it


class Operation(Protocol):
    """A layer bound to a backend."""

    def forward(self, x: Any, call: Call) -> Array:
        """Map the rows of the layer's input to those of its output."""
        ...

    def backward(self, dy: Array) -> Array | None:
        """Add to the gradients; return the gradient by the input, if it is wanted.

        May overwrite `dy`.
        """
        ...


class StatefulOperation(Operation, Protocol):
    """An operation of a layer that carries something from step to step.

    One that learns through what it carries also has `end_gradient`, the gradient by the state
    that `forward` ended with, which the next call of `backward` takes and forgets (None: zeros),
    and `start_gradient`, the gradient by the state that `forward` began with.
    """

    @property
    def state(self) -> State | None:
        """Where `forward` begins, None meaning zeros, and afterwards where it ended."""
        ...

    @state.setter
    def state(self, state: State | None) -> None: ...

    def begin(self, sequences: Array) -> None:
        """Make what is carried of some sequences, given by their rows, what they begin with.

        Of operations that `Layer.bind_stream` gives.
        """
        ...


class Layer(ABC):
    """A layer as data.

    Attributes
    ----------
    rows_in : Rows or None
        Which rows it takes; None: either.
    states : tuple of str
        What it carries from step to step: the name of each array (B, ·) of its `State`.
    frozen : tuple of str
        The parameters among its own that training leaves as they are.
    tables : tuple of str
        Those trained of which `backward` adds to the gradient only of the rows looked up.
    takes_lookups : bool
        Whether its operation takes a `Lookup` in place of rows, if these are a minibatch's.
    acts_in_training_alone : bool
        Whether it gives what it is given, whatever that is, outside training.
    whole : tuple of str
        Parameters of other layers to whose gradient its own `backward` adds, to all of it.
    shortening : int
        How many steps of what it takes become one of what it gives.
    needs_whole_sequences : bool
        Whether what it gives for a step depends on later ones, or falls elsewhere if a sequence
        is cut: then no state can be carried over a cut.
    mixes_sequences : bool
        Whether what it gives for a sequence depends on the others of a minibatch while training.
    """

    rows_in: Rows | None = None
    states: tuple[str, ...] = ()
    frozen: tuple[str, ...] = ()
    tables: tuple[str, ...] = ()
    whole: tuple[str, ...] = ()
    takes_lookups: bool = False
    acts_in_training_alone: bool = False
    shortening: int = 1
    needs_whole_sequences: bool = False
    mixes_sequences: bool = False

    @property
    def rows_out(self) -> Rows | None:
        """Which rows it gives; None: those it was given. Asked for, never kept in an instance."""
        return None

    def parameter_shapes(self) -> dict[str, tuple[int, ...]]:
        """Return the full name and shape of each parameter, in storage order."""
        return {}

    def fixed_entries(self) -> list[tuple[str, slice, float]]:
        """Return which rows of parameters that are trained keep a value: name, rows and value.

        Their gradient is 0 as long as they have it.
        """
        return []

    def initialize(self, parameters: Mapping[str, np.ndarray], rng: Any) -> None:
        """Draw the layer's own parameters among `parameters`."""
        return None

    @abstractmethod
    def bind(self, binding: Binding) -> Operation:
        """Return the layer's operation."""

    def bind_stream(self, binding: Binding, n: int = 1) -> Operation:
        """Return the layer's operation for n sequences that come step by step."""
        return self.bind(binding)


def rows_at_the_end(layers: Sequence[Layer]) -> Rows:
    """Return which rows the last of some layers gives if the first takes one per step.

    Raises
    ------
    ValueError
        If a layer takes other rows than the layers before it give.
    """
    rows = Rows.STEPS
    for position, layer in enumerate(layers):
        if layer.rows_in not in (None, rows):
            raise ValueError(
                f"layer {position}, {type(layer).__name__}, takes {layer.rows_in.value}, but is "
                f"given {rows.value}"
            )
        rows = rows if layer.rows_out is None else layer.rows_out
    return rows


def cut_needs(layers: Sequence[Layer]) -> str:
    """Return what parameters would have to be so that state can be carried over a cut."""
    if any(layer.needs_whole_sequences for layer in layers):
        return "convolutions of causal=True, stride=1 and pooling=None"
    return "bidirectional=False"


class RowBuffer:
    """Memory for rows that is kept from call to call and grows when it must.

    Parameters
    ----------
    width : int
        Entries of a row.
    dtype : dtype
    backend : Backend
        Where the rows lie.
    """

    def __init__(self, width: int, dtype: Any, backend: Backend) -> None:
        self._width = width
        self._dtype = dtype
        self._backend = backend
        self._memory = backend.xp.empty((0, width), dtype)

    def rows(self, n: int) -> Array:
        """Return (n, width) of uninitialized memory, valid until the next call.

        Where the backend keeps a pool of memory it is fresh, so that a record of this call owns
        the memory it writes to.
        """
        xp = self._backend.xp
        if not self._backend.on_host:
            return xp.empty((n, self._width), self._dtype)
        if n > len(self._memory):
            self._memory = xp.empty((n, self._width), self._dtype)
        return self._memory[:n]


class Dense(Layer):
    """The head: ``scores = x Wᵀ + b``.

    Parameters
    ----------
    n_inputs, n_outputs : int
        Width of the input and number K of raw scores.
    bias : float or array of shape (K,), default=0.0
        Initial bias.
    prefix : str, default="head"
        First part of the parameters' names.
    """

    def __init__(
        self, n_inputs: int, n_outputs: int, bias: Any = 0.0, *, prefix: str = "head"
    ) -> None:
        self.n_inputs = n_inputs
        self.n_outputs = n_outputs
        self.bias = bias
        self.weight_name, self.bias_name = f"{prefix}.weight", f"{prefix}.bias"

    def parameter_shapes(self) -> dict[str, tuple[int, ...]]:
        """Return the full name and shape of each parameter, in storage order."""
        shape = (self.n_outputs, self.n_inputs)
        return {self.weight_name: shape, self.bias_name: shape[:1]}

    def initialize(self, parameters: Mapping[str, np.ndarray], rng: Any) -> None:
        """Draw the matrix from Glorot's uniform and set the bias."""
        parameters[self.weight_name][...] = glorot_uniform((self.n_outputs, self.n_inputs), rng)
        parameters[self.bias_name][...] = self.bias

    def bind(self, binding: Binding) -> Operation:
        """Return the layer's operation."""
        return _DenseOperation(self, binding)


class _DenseOperation:
    def __init__(self, layer: Dense, binding: Binding) -> None:
        self._dense = binding.dense(layer.n_inputs, layer.n_outputs)
        self._weight = binding.parameters[layer.weight_name]
        self._bias = binding.parameters[layer.bias_name]
        self._dweight = binding.gradients.get(layer.weight_name)
        self._dbias = binding.gradients.get(layer.bias_name)
        self._input_gradient = binding.input_gradient
        self._x: Array | None = None

    def forward(self, x: Array, call: Call) -> Array:
        self._x = x
        return self._dense.forward(x, self._weight, self._bias)

    def backward(self, dy: Array) -> Array | None:
        return self._dense.backward(
            self._x,
            dy,
            self._weight,
            self._dweight,
            self._dbias,
            input_gradient=self._input_gradient,
        )

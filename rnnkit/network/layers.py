"""The layers of a network: each is data, and binds to a backend as an operation.

A layer names its parameters, draws them, and makes an operation with `bind`. An operation has
``forward(x, step)`` and ``backward(dy)``, keeps its own buffers, and runs backward once per
forward call. Arrays have P packed rows until a layer that `ends_steps` leaves B rows, one per
sequence. An operation that carries something from step to step keeps it in `state`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import replace
from math import isfinite
from typing import Any, Protocol

import numpy as np

from rnnkit.backends.interface import Array, Backend, PackedPlan, StepOperation
from rnnkit.cells import LayerSpec, weight_name
from rnnkit.network.initializers import gate_biases, glorot_uniform, orthogonal

__all__ = [
    "Dense",
    "Dropout",
    "InputNoise",
    "Layer",
    "Operation",
    "Recurrent",
    "RowBuffer",
    "State",
    "Step",
    "check_rate",
    "dropout_mask",
]

State = tuple[Any, ...]  # arrays, or None, whose first dimension are the sequences


class Step:
    """What all operations of one forward call share."""

    __slots__ = ("noise", "plan", "training")

    plan: PackedPlan
    training: bool
    noise: np.random.Generator | None  # None: no noise, no dropout


class Operation(Protocol):
    """A layer bound to a backend."""

    def forward(self, x: Any, step: Step) -> Array:
        """Map the rows of the layer's input to those of its output."""
        ...

    def backward(self, dy: Array) -> Array | None:
        """Add to the gradients; return the gradient by the input, if it is wanted.

        May overwrite `dy`.
        """
        ...


class Layer(ABC):
    """A layer as data."""

    ends_steps = False  # whether it turns P rows into B

    def parameter_shapes(self) -> dict[str, tuple[int, ...]]:
        """Return the full name and shape of each parameter, in storage order."""
        return {}

    def initialize(self, parameters: Mapping[str, np.ndarray], rng: Any) -> None:
        """Draw the layer's own parameters among `parameters`."""
        return None

    @abstractmethod
    def bind(
        self,
        backend: Backend,
        parameters: Mapping[str, Array],
        gradients: Mapping[str, Array],
        dtype: np.dtype,
        input_gradient: bool,
    ) -> Operation:
        """Return the layer's operation; `gradients` is empty outside training."""


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


def dropout_mask(
    noise: np.random.Generator, shape: tuple[int, ...], rate: float, dtype: Any, backend: Backend
) -> Array:
    """Draw a mask of 0, with probability `rate`, and ``1 / (1 - rate)``.

    Drawn on the host, so that the bits depend on neither threads nor backend.
    """

    def draw() -> np.ndarray:
        kept = noise.random(shape, dtype=np.float32) >= rate
        return np.multiply(kept, 1.0 / (1.0 - rate), dtype=dtype)

    return backend.from_host(draw)


def check_rate(name: str, rate: float) -> None:
    """Raise ValueError unless 0 <= rate < 1."""
    if not 0 <= rate < 1:
        raise ValueError(f"{name} must lie in [0, 1), got {rate!r}")


class Dropout(Layer):
    """Zero each entry with probability `rate` while training; scale the others up.

    Parameters
    ----------
    rate : float
        In [0, 1).

    Raises
    ------
    ValueError
        If `rate` is out of range.
    """

    def __init__(self, rate: float) -> None:
        check_rate("dropout", rate)
        self.rate = rate

    def bind(self, backend, parameters, gradients, dtype, input_gradient) -> Operation:
        """Return the layer's operation."""
        return _DropoutOperation(self.rate, dtype, backend)


class _DropoutOperation:
    def __init__(self, rate: float, dtype: np.dtype, backend: Backend) -> None:
        self.rate = rate
        self.dtype = dtype
        self.backend = backend
        self.mask: Array | None = None

    def forward(self, x: Array, step: Step) -> Array:
        self.mask = None
        if not step.training or step.noise is None:
            return x
        self.mask = dropout_mask(step.noise, x.shape, self.rate, self.dtype, self.backend)
        return x * self.mask

    def backward(self, dy: Array) -> Array:
        return dy if self.mask is None else dy * self.mask


class InputNoise(Layer):
    """Add Gaussian noise to numeric inputs while training.

    Parameters
    ----------
    std : float
        Standard deviation of the noise.

    Raises
    ------
    ValueError
        If `std` is negative or not finite.
    """

    def __init__(self, std: float) -> None:
        if not (std >= 0 and isfinite(std)):
            raise ValueError(f"input_noise must be a finite number >= 0, got {std!r}")
        self.std = std

    def bind(self, backend, parameters, gradients, dtype, input_gradient) -> Operation:
        """Return the layer's operation."""
        return _InputNoiseOperation(self.std, dtype, backend)


class _InputNoiseOperation:
    def __init__(self, std: float, dtype: np.dtype, backend: Backend) -> None:
        self.std = std
        self.dtype = dtype
        self.backend = backend

    def forward(self, x: Array, step: Step) -> Array:
        if not (self.std and step.training and step.noise is not None):
            return x
        noise, shape = step.noise, x.shape

        def draw() -> np.ndarray:
            normal = noise.standard_normal(shape, dtype=self.dtype)
            normal *= self.std
            return normal

        return x + self.backend.from_host(draw)

    def backward(self, dy: Array) -> Array:
        return dy


class Recurrent(Layer):
    """One recurrent layer, in one direction or in both.

    Parameters
    ----------
    spec : LayerSpec
        The layer in its first direction.
    layer : int
        Number of the layer, for the names of its parameters.
    bidirectional : bool, default=False
        Whether it also runs in the other direction; outputs are concatenated.
    last_only : bool, default=False
        Give the states (B, D·H) after each direction's last step, not those of all steps.
    recurrent_dropout : float, default=0.0
        Rate on the state before the recurrent product; one mask per sequence and direction.
    forget_bias : float, default=1.0
        Initial bias of the LSTM's forget gate.
    gate_bias : "chrono" or mapping of gate name to float, default=None
        Initial gate biases in place of the default.
    longest : int, default=None
        Number of steps of the longest sequence, for ``gate_bias="chrono"``.
    prefix : str, default="rnn"
        First part of the parameters' names.

    Raises
    ------
    ValueError
        If an argument is out of range or does not fit the cell.
    """

    def __init__(
        self,
        spec: LayerSpec,
        layer: int = 0,
        *,
        bidirectional: bool = False,
        last_only: bool = False,
        recurrent_dropout: float = 0.0,
        forget_bias: float = 1.0,
        gate_bias: str | Mapping[str, float] | None = None,
        longest: int | None = None,
        prefix: str = "rnn",
    ) -> None:
        check_rate("recurrent_dropout", recurrent_dropout)
        check_rate("zoneout", spec.zoneout)
        if recurrent_dropout and spec.precision == "bf16":
            raise ValueError("recurrent_dropout must be 0 with precision='bf16'")
        _check_gate_bias(spec, gate_bias, longest)
        self.specs = (spec, replace(spec, reverse=not spec.reverse)) if bidirectional else (spec,)
        self.layer = layer
        self.ends_steps = last_only
        self.recurrent_dropout = recurrent_dropout
        self.forget_bias = forget_bias
        self.gate_bias = gate_bias
        self.longest = longest
        self.prefix = prefix

    @property
    def width(self) -> int:
        """D·H, the width of its output."""
        return len(self.specs) * self.specs[0].hidden_size

    def names(self, direction: int) -> dict[str, str]:
        """Map the spec's parameter names of a direction to the full names."""
        spec = self.specs[direction]
        return {
            name: f"{self.prefix}.{weight_name(name, self.layer, spec.reverse)}"
            for name in spec.parameter_shapes()
        }

    def parameter_shapes(self) -> dict[str, tuple[int, ...]]:
        """Return the full name and shape of each parameter, in storage order."""
        return {
            self.names(direction)[name]: shape
            for direction, spec in enumerate(self.specs)
            for name, shape in spec.parameter_shapes().items()
        }

    def initialize(self, parameters: Mapping[str, np.ndarray], rng: Any) -> None:
        """Draw W from Glorot's uniform and U orthogonal, gate by gate; set the gate biases."""
        for direction, spec in enumerate(self.specs):
            weights = {short: parameters[full] for short, full in self.names(direction).items()}
            _initialize_direction(self, spec, weights, rng)

    def bind(self, backend, parameters, gradients, dtype, input_gradient) -> Operation:
        """Return the layer's operation."""
        return _RecurrentOperation(self, backend, parameters, gradients, dtype, input_gradient)

    def bind_step(self, backend, parameters, dtype) -> _StepOperation:
        """Return the layer's operation for one sequence, step by step; one direction only."""
        weights = {short: parameters[full] for short, full in self.names(0).items()}
        return _StepOperation(backend.recurrent_step(self.specs[0], dtype, weights))


def _check_gate_bias(spec: LayerSpec, gate_bias: Any, longest: int | None) -> None:
    if gate_bias is None:
        return
    if isinstance(gate_bias, str):
        if gate_bias != "chrono":
            raise ValueError(
                f"gate_bias must be None, 'chrono' or a mapping of gate to value, got {gate_bias!r}"
            )
        if spec.cell == "rnn":
            raise ValueError("gate_bias='chrono' needs a cell with gates, lstm or gru, got 'rnn'")
        if longest is None:
            raise ValueError("gate_bias='chrono' needs longest, the steps of the longest sequence")
        return
    for gate in gate_bias:
        if gate not in spec.gates:
            raise ValueError(
                f"gate_bias names the gate {gate!r}; the {spec.cell} cell has "
                f"{', '.join(spec.gates)}"
            )


def _initialize_direction(
    layer: Recurrent, spec: LayerSpec, weights: dict[str, np.ndarray], rng: Any
) -> None:
    h = spec.hidden_size
    for block in range(len(spec.gates)):
        rows = slice(block * h, (block + 1) * h)
        weights["weight_ih"][rows] = glorot_uniform((h, spec.n_inputs), rng)
        weights["weight_hh"][rows] = orthogonal(h, rng)
    for name, array in weights.items():
        if name not in ("weight_ih", "weight_hh"):
            array[...] = 1.0 if name in ("norm_ih", "norm_hh", "norm_c") else 0.0
    biases = gate_biases(spec, layer.forget_bias, layer.gate_bias, layer.longest, rng)
    for gate, value in biases.items():
        block = spec.gates.index(gate)
        weights["bias"][block * h : (block + 1) * h] = value


class _Direction:
    """One direction of a recurrent layer: the backend's operation with its weights."""

    def __init__(
        self,
        layer: Recurrent,
        direction: int,
        backend: Backend,
        parameters: Mapping[str, Array],
        gradients: Mapping[str, Array],
        dtype: np.dtype,
    ) -> None:
        names = layer.names(direction)
        self.spec = layer.specs[direction]
        self.operation = backend.recurrent(self.spec, dtype)
        self.weights = {short: parameters[full] for short, full in names.items()}
        self.gradients = {short: gradients[full] for short, full in names.items() if gradients}
        self._dropout = layer.recurrent_dropout
        self._dtype = dtype
        self._backend = backend

    def masks(self, step: Step) -> dict[str, Any]:
        """Draw the masks of a training call; without noise zoneout takes its expected value."""
        masks: dict[str, Any] = {}
        plan, spec = step.plan, self.spec
        if self._dropout and step.noise is not None:
            shape = (plan.n_sequences, spec.hidden_size)
            masks["recurrent_mask"] = dropout_mask(
                step.noise, shape, self._dropout, self._dtype, self._backend
            )
        if spec.zoneout:
            shape = (plan.n_rows, spec.hidden_size)
            h_mask = self._zoneout_mask(shape, step)
            c_mask = self._zoneout_mask(shape, step) if spec.has_cell_state else None
            masks["zoneout_masks"] = (h_mask, c_mask)
        return masks

    def _zoneout_mask(self, shape: tuple[int, int], step: Step) -> Array:
        noise, rate = step.noise, self.spec.zoneout
        if noise is None:
            return self._backend.xp.full(shape, rate, self._dtype)

        def draw() -> np.ndarray:
            return (noise.random(shape, dtype=np.float32) < rate).astype(self._dtype)

        return self._backend.from_host(draw)


class _RecurrentOperation:
    """All directions of a layer; `y` has the states of the last forward call, (P, D·H)."""

    def __init__(
        self,
        layer: Recurrent,
        backend: Backend,
        parameters: Mapping[str, Array],
        gradients: Mapping[str, Array],
        dtype: np.dtype,
        input_gradient: bool,
    ) -> None:
        self.directions = [
            _Direction(layer, direction, backend, parameters, gradients, dtype)
            for direction in range(len(layer.specs))
        ]
        self.state: State | None = None
        self._last_only = layer.ends_steps
        self._draws_masks = bool(layer.recurrent_dropout or layer.specs[0].zoneout)
        self._input_gradient = input_gradient
        self._hidden_size = layer.specs[0].hidden_size
        self._steps: Sequence[Array] = ()
        self._joined = RowBuffer(layer.width, dtype, backend)
        self._joined_dx = RowBuffer(layer.specs[0].n_inputs, dtype, backend)

    def forward(self, x: Array, step: Step) -> Array:
        h0, c0 = (None, None) if self.state is None else self.state
        masks: dict[str, Any] = {}
        results = []
        for direction in self.directions:
            if self._draws_masks and step.training:
                masks = direction.masks(step)
            results.append(
                direction.operation.forward(
                    step.plan, x, direction.weights, h0, c0, training=step.training, **masks
                )
            )
        steps, last, last_cells = zip(*results)
        self._steps = steps
        self.state = (last[0], last_cells[0])
        return self._join(last if self._last_only else steps)

    @property
    def y(self) -> Array:
        """The states (P, D·H) after each step of the last forward call."""
        return self._join(self._steps)

    def gates(self) -> dict[str, Array]:
        """Return the activations (P, D·H) of every gate of the last training forward call."""
        return {
            gate: self._join([d.operation.gate(gate) for d in self.directions]).copy()
            for gate in self.directions[0].spec.gates
        }

    def backward(self, dy: Array) -> Array | None:
        h = self._hidden_size
        dx = None
        for number, direction in enumerate(self.directions):
            part = dy
            if len(self.directions) > 1:
                part = dy[:, number * h : (number + 1) * h].copy()
            dpart, _, _ = direction.operation.backward(
                None if self._last_only else part,
                direction.gradients,
                dh_n=part if self._last_only else None,
                input_gradient=self._input_gradient,
            )
            if self._input_gradient:
                dx = dpart if dx is None else self._add(dx, dpart)
        return dx

    def _join(self, parts: Sequence[Array]) -> Array:
        if len(parts) == 1:
            return parts[0]
        h = self._hidden_size
        joined = self._joined.rows(len(parts[0]))
        for number, part in enumerate(parts):
            joined[:, number * h : (number + 1) * h] = part
        return joined

    def _add(self, a: Array, b: Array) -> Array:
        total = self._joined_dx.rows(len(a))
        total[...] = a
        total += b
        return total


class _StepOperation:
    """A recurrent layer over one sequence, step by step; the backend holds the state."""

    def __init__(self, operation: StepOperation) -> None:
        self._operation = operation
        self._run = operation.step

    def forward(self, x: Array, step: Step) -> Array:
        return self._run(x)

    @property
    def state(self) -> State | None:
        return self._operation.state

    @state.setter
    def state(self, state: State | None) -> None:
        self._operation.state = state


class Dense(Layer):
    """The head: ``scores = x Wᵀ + b``.

    Parameters
    ----------
    n_inputs, n_outputs : int
        Width of the input and number K of raw scores.
    bias : float or array of shape (K,), default=0.0
        Initial bias.
    """

    def __init__(self, n_inputs: int, n_outputs: int, bias: Any = 0.0) -> None:
        self.n_inputs = n_inputs
        self.n_outputs = n_outputs
        self.bias = bias

    def parameter_shapes(self) -> dict[str, tuple[int, ...]]:
        """Return the full name and shape of each parameter, in storage order."""
        return {"head.weight": (self.n_outputs, self.n_inputs), "head.bias": (self.n_outputs,)}

    def initialize(self, parameters: Mapping[str, np.ndarray], rng: Any) -> None:
        """Draw the matrix from Glorot's uniform and set the bias."""
        parameters["head.weight"][...] = glorot_uniform((self.n_outputs, self.n_inputs), rng)
        parameters["head.bias"][...] = self.bias

    def bind(self, backend, parameters, gradients, dtype, input_gradient) -> Operation:
        """Return the layer's operation."""
        return _DenseOperation(self, backend, parameters, gradients, dtype, input_gradient)


class _DenseOperation:
    def __init__(self, layer, backend, parameters, gradients, dtype, input_gradient) -> None:
        self._dense = backend.dense(layer.n_inputs, layer.n_outputs, dtype)
        self._weight = parameters["head.weight"]
        self._bias = parameters["head.bias"]
        self._dweight = gradients.get("head.weight")
        self._dbias = gradients.get("head.bias")
        self._input_gradient = input_gradient
        self._x: Array | None = None

    def forward(self, x: Array, step: Step) -> Array:
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

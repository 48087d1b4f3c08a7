"""Recurrent layers: one direction or both, over whole sequences or step by step."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from rnnkit.backends.interface import Array
from rnnkit.backends.streams import StreamOperation
from rnnkit.cells import LayerSpec, weight_name
from rnnkit.network.dropout import check_rate, dropout_mask
from rnnkit.network.fixed_gates import check_fixed_gates, fixed_entries
from rnnkit.network.initializers import gate_biases, glorot_uniform, orthogonal
from rnnkit.network.layers import Binding, Call, Layer, RowBuffer, Rows, State
from rnnkit.network.lookup import Lookup

__all__ = [
    "Recurrent",
    "RecurrentLayerOperation",
    "RecurrentStreamOperation",
    "both_directions",
    "second_state",
]


def both_directions(spec: LayerSpec) -> tuple[LayerSpec, LayerSpec]:
    """Return the specs of a layer that also runs in the direction opposite to the spec's."""
    return spec, replace(spec, reverse=not spec.reverse)


def second_state(c: Array, spec: LayerSpec, backend: Any) -> Array:
    """Return what a layer carries beside h for a cell state c (B, H): no gate was open before."""
    if not spec.full_gate_recurrence:
        return c
    state = backend.xp.zeros((len(c), spec.second_state_size), c.dtype)
    state[:, : spec.hidden_size] = c
    return state


class Recurrent(Layer):
    """One recurrent layer, in one direction or in both.

    Its state has two arrays (B, H), h and c, for each direction; c is None but for lstm, and with
    full gate recurrence (B, 4·H), the gates beside it.

    Parameters
    ----------
    specs : sequence of LayerSpec
        The layer in each of its directions, of equal cell and widths; their outputs are
        concatenated. See `both_directions`.
    layer : int
        Number of the layer, for the names of its parameters.
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
    fixed_gates : sequence of str, default=()
        Gates of an LSTM that are always open.
    prefix : str, default="rnn"
        First part of the parameters' names.

    Raises
    ------
    ValueError
        If an argument is out of range or does not fit the cell.
    """

    rows_in = Rows.STEPS
    takes_lookups = True

    def __init__(
        self,
        specs: Sequence[LayerSpec],
        layer: int = 0,
        *,
        last_only: bool = False,
        recurrent_dropout: float = 0.0,
        forget_bias: float = 1.0,
        gate_bias: str | Mapping[str, float] | None = None,
        longest: int | None = None,
        fixed_gates: Sequence[str] = (),
        prefix: str = "rnn",
    ) -> None:
        spec = specs[0]
        check_rate("recurrent_dropout", recurrent_dropout)
        check_rate("zoneout", spec.zoneout)
        if recurrent_dropout and spec.precision == "bf16":
            raise ValueError("recurrent_dropout must be 0 with precision='bf16'")
        _check_gate_bias(spec, gate_bias, longest)
        check_fixed_gates(fixed_gates, spec, gate_bias)
        self.specs = tuple(specs)
        self.last_only = last_only
        self.states = ("h", "c", "h_reverse", "c_reverse")[: 2 * len(self.specs)]
        self.recurrent_dropout = recurrent_dropout
        self.forget_bias = forget_bias
        self.gate_bias = gate_bias
        self.longest = longest
        self.fixed_gates = tuple(fixed_gates)
        self._names = tuple(
            {
                name: f"{prefix}.{weight_name(name, layer, spec.reverse)}"
                for name in spec.parameter_shapes()
            }
            for spec in self.specs
        )

    @property
    def rows_out(self) -> Rows:
        """Of `last_only` one row per sequence, else one per step."""
        return Rows.SEQUENCES if self.last_only else Rows.STEPS

    @property
    def width(self) -> int:
        """D·H, the width of its output."""
        return len(self.specs) * self.specs[0].hidden_size

    def names(self, direction: int) -> dict[str, str]:
        """Map the spec's parameter names of a direction to the full names."""
        return self._names[direction]

    def parameter_shapes(self) -> dict[str, tuple[int, ...]]:
        """Return the full name and shape of each parameter, in storage order."""
        return {
            names[name]: shape
            for names, spec in zip(self._names, self.specs)
            for name, shape in spec.parameter_shapes().items()
        }

    def fixed_entries(self) -> list[tuple[str, slice, float]]:
        """Return what keeps its fixed gates open."""
        return [
            (names[name], rows, value)
            for names, spec in zip(self._names, self.specs)
            for name, rows, value in fixed_entries(self.fixed_gates, spec)
        ]

    def initialize(self, parameters: Mapping[str, np.ndarray], rng: Any) -> None:
        """Draw W from Glorot's uniform and U orthogonal, gate by gate; set the gate biases."""
        for direction, spec in enumerate(self.specs):
            weights = {short: parameters[full] for short, full in self.names(direction).items()}
            _initialize_direction(self, spec, weights, rng)

    def bind(self, binding: Binding) -> RecurrentLayerOperation:
        """Return the layer's operation."""
        return RecurrentLayerOperation(self, binding)

    def bind_stream(self, binding: Binding, n: int = 1) -> RecurrentStreamOperation:
        """Return the layer's operation for n sequences step by step; one direction only."""
        weights = {short: binding.parameters[full] for short, full in self.names(0).items()}
        return RecurrentStreamOperation(
            binding.backend.recurrent_stream(self.specs[0], binding.dtype, weights, n)
        )


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
    for name, entries, value in fixed_entries(layer.fixed_gates, spec):
        weights[name][entries] = value


class _Direction:
    """One direction of a recurrent layer: the backend's operation with its weights."""

    def __init__(self, layer: Recurrent, direction: int, binding: Binding) -> None:
        names = layer.names(direction)
        gradients = binding.gradients
        self.spec = layer.specs[direction]
        if gradients and self.spec.precision == "int8":
            raise ValueError("a quantized network is for predictions alone: it has no gradients")
        self.operation = binding.recurrent(self.spec)
        self.weights = {short: binding.parameters[full] for short, full in names.items()}
        self.gradients = {short: gradients[full] for short, full in names.items() if gradients}
        self._dropout = layer.recurrent_dropout
        self._dtype = binding.dtype
        self._backend = binding.backend

    def masks(self, call: Call) -> dict[str, Any]:
        """Draw the masks of a training call; without noise zoneout takes its expected value."""
        masks: dict[str, Any] = {}
        plan, spec = call.plan, self.spec
        if self._dropout and call.noise is not None:
            shape = (plan.n_sequences, spec.hidden_size)
            masks["recurrent_mask"] = dropout_mask(
                call.noise, shape, self._dropout, self._dtype, self._backend
            )
        if spec.zoneout:
            shape = (plan.n_rows, spec.hidden_size)
            h_mask = self._zoneout_mask(shape, call)
            c_mask = self._zoneout_mask(shape, call) if spec.has_cell_state else None
            masks["zoneout_masks"] = (h_mask, c_mask)
        return masks

    def _zoneout_mask(self, shape: tuple[int, int], call: Call) -> Array:
        noise, rate = call.noise, self.spec.zoneout
        if noise is None:
            return self._backend.xp.full(shape, rate, self._dtype)

        def draw() -> np.ndarray:
            mask: np.ndarray = noise.random(shape, dtype=np.float32) < rate
            return mask.astype(self._dtype)

        return self._backend.from_host(draw)


class RecurrentLayerOperation:
    """All directions of a layer; see `rnnkit.network.layers.StatefulOperation`.

    Attributes
    ----------
    state : State or None
        The states h and c (B, H) of each direction.
    y : array of shape (P, D·H)
        The states after each step of the last forward call.
    end_gradient, start_gradient : State or None
        The gradients by the states that the last forward call ended with and began with.
    """

    def __init__(self, layer: Recurrent, binding: Binding) -> None:
        self.directions = [
            _Direction(layer, direction, binding) for direction in range(len(layer.specs))
        ]
        operations = [direction.operation for direction in self.directions]
        self._one = operations[0]
        self._both = binding.backend.joined(*operations) if len(operations) == 2 else None
        self._weights = [direction.weights for direction in self.directions]
        self._gradients = [direction.gradients for direction in self.directions]
        self.y: Array = None
        self.state: State | None = None
        self.end_gradient: State | None = None
        self.start_gradient: State | None = None
        self._no_state: State = (None,) * len(layer.states)
        self._no_masks: list[dict[str, Any]] = [{}] * len(operations)
        self._last_only = layer.last_only
        self._draws_masks = bool(layer.recurrent_dropout or layer.specs[0].zoneout)
        self._input_gradient = binding.input_gradient
        self._hidden_size = layer.specs[0].hidden_size
        self._last: State = ()
        self._joined = RowBuffer(layer.width, binding.dtype, binding.backend)

    def forward(self, x: Array | Lookup, call: Call) -> Array:
        begin, masks = self.state or self._no_state, self._no_masks
        training, row_of = call.training, None
        if type(x) is Lookup:
            x, row_of = x.table, x.row_of
        if self._draws_masks and training:
            masks = [direction.masks(call) for direction in self.directions]
        if self._both is None:
            self.y, *state = self._one.forward(
                call.plan,
                x,
                self._weights[0],
                *begin,
                training=training,
                row_of=row_of,
                **masks[0],
            )
            self.state = tuple(state)
        else:
            self.y, self.state = self._both.forward(
                call.plan, x, self._weights, begin, training=training, masks=masks, row_of=row_of
            )
        self._last = self.state[::2]
        return self.last if self._last_only else self.y

    @property
    def last(self) -> Array:
        """The states (B, D·H) after each direction's last step of the last forward call."""
        return self._join(self._last)

    def gates(self) -> dict[str, Array]:
        """Return the activations (P, D·H) of every gate of the last training forward call."""
        return {
            gate: self._join([d.operation.gate(gate) for d in self.directions]).copy()
            for gate in self.directions[0].spec.gates
        }

    def backward(self, dy: Array | None) -> Array | None:
        """Run back through all directions; dy None means zeros."""
        end, self.end_gradient = self.end_gradient or self._no_state, None
        if self._last_only and dy is not None:
            end, dy = self._with_last(end, dy), None
        if self._both is None:
            dx, *start = self._one.backward(
                dy, self._gradients[0], *end, input_gradient=self._input_gradient
            )
            self.start_gradient = tuple(start)
        else:
            dx, self.start_gradient = self._both.backward(
                dy, self._gradients, end, input_gradient=self._input_gradient
            )
        return dx

    def _with_last(self, end: State, dlast: Array) -> State:
        """Return the gradients by the states at the end, and by `last` with them."""
        h, found = self._hidden_size, list(end)
        for number in range(len(self.directions)):
            part = dlast
            if self._both is not None:
                part = dlast[:, number * h : (number + 1) * h].copy()
            dh_n = end[2 * number]
            found[2 * number] = part if dh_n is None else part + dh_n
        return tuple(found)

    def _join(self, parts: Sequence[Array]) -> Array:
        if self._both is None:
            return parts[0]
        h = self._hidden_size
        joined = self._joined.rows(len(parts[0]))
        for number, part in enumerate(parts):
            joined[:, number * h : (number + 1) * h] = part
        return joined


class RecurrentStreamOperation:
    """A recurrent layer over n sequences, step by step; the backend holds the states.

    Attributes
    ----------
    step : callable
        Takes the numbers (n, I) of a step, or (I,) of one sequence; returns the states h (n, H).
    stream : StreamOperation
        The backend's, which takes the features that change.
    """

    def __init__(self, operation: StreamOperation) -> None:
        self.stream = self._operation = operation
        self.step = operation.step

    def forward(self, x: Array, call: Call) -> Array:
        return self.step(x)

    def backward(self, dy: Array) -> Array | None:
        """Raise TypeError: steps are taken forward alone."""
        raise TypeError("a network that is fed step by step has no backward pass")

    @property
    def state(self) -> State:
        """The states h and c, (n, H); c for lstm only."""
        return self._operation.state

    @state.setter
    def state(self, state: State | None) -> None:
        self._operation.state = state

    def begin(self, sequences: Array) -> None:
        self.state = tuple(_with_rows(array, sequences, 0) for array in self.state)


def _with_rows(array: Array | None, rows: Array, value: Any) -> Array | None:
    """Return a copy with other rows."""
    if array is None:
        return None
    array = array.copy()
    array[rows] = value
    return array

"""Recurrent layers on plain arrays: trained weights in, hidden states and gradients out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from numbers import Integral
from typing import Any

import numpy as np

from rnnkit.backends import get_backend
from rnnkit.backends.interface import Array, Backend
from rnnkit.cells import CELLS, Activation, LayerSpec, make_activation, weight_name
from rnnkit.sequences import Plan, Sequences, pack

__all__ = ["RecurrentOutput", "RecurrentStream", "recurrent"]

_BIASES = ("bias_ih", "bias_hh")
_OPTIONAL_WEIGHTS = ("peephole", "norm_ih", "norm_hh", "norm_c", "norm_c_bias")


def recurrent(
    x: Any,
    weights: Mapping[str, Any],
    cell: str = "lstm",
    *,
    lengths: Any = None,
    h0: Any = None,
    c0: Any = None,
    n_layers: int = 1,
    bidirectional: bool = False,
    reverse: bool = False,
    activation: str | Activation | tuple = "tanh",
    gate_activation: str | Activation | tuple = "sigmoid",
    output_activation: str | Activation | tuple | None = None,
    activation_params: Mapping[str, tuple] | None = None,
    coupled_gates: bool = False,
    cell_clip: float | None = None,
    reset: str = "after",
    backend: str = "cpu",
) -> RecurrentOutput:
    """Run recurrent layers over sequences.

    Letters: N sequences, T steps, I inputs, H hidden units, G gates (rnn 1, lstm 4, gru 3),
    L layers, D directions.

    Parameters
    ----------
    x : array-like of shape (N, T, I), list of arrays (T_n, I), or Sequences
        float32 is computed in float32, every other type in float64.
    weights : dict of str to array-like
        Under PyTorch's names and in its gate order (lstm i f g o, gru r z n):
        ``weight_ih_l0 (G·H, I)``, ``weight_hh_l0 (G·H, H)``, ``bias_ih_l0 (G·H,)``,
        ``bias_hh_l0 (G·H,)``, the same for each layer, and with the suffix ``_reverse`` for
        the second direction. Layer l > 0 has D·H inputs. A bias may be absent, which means
        zeros. If present, ``peephole_l0 (3·H,)`` (gates i f o) gives an lstm layer peepholes,
        and ``norm_ih_l0, norm_hh_l0 (G·H,)``, for lstm also ``norm_c_l0, norm_c_bias_l0 (H,)``,
        normalize a layer; see `rnnkit.cells.LayerSpec` for the equations.
    cell : {"lstm", "gru", "rnn"}, default="lstm"
    lengths : array-like of shape (N,), integer, default=None
        Steps of each sequence of a 3-D x, from 0 to T; None: all T. What lies beyond is never
        looked at. A sequence without steps passes its initial state on.
    h0, c0 : array-like of shape (L·D, N, H), default=None
        Initial states, layer after layer, within a layer direction after direction; None:
        zeros. Only the lstm cell has c0.
    n_layers : int, default=1
    bidirectional : bool, default=False
        Whether a second direction reads each sequence from its last step to its first.
    reverse : bool, default=False
        Whether the only direction does so; its weights then have no suffix.
    activation, gate_activation : str, Activation or a pair of them
        Functions of the candidate state and of the gates: "tanh", "sigmoid", "softsign",
        "relu", "hard_sigmoid", "linear", "leaky_relu", "scaled_tanh". A pair gives each of
        two directions its own.
    output_activation : str, Activation or a pair of them, default=None
        Function of the lstm's cell state; None: `activation`.
    activation_params : dict of str to tuple (alpha, beta), default=None
        Parameters of the functions, under the name of the argument that chose it; a pair of
        tuples gives each direction its own. None in place of a number: the default.
    coupled_gates : bool, default=False
        Whether the lstm's forget gate is ``1 - i``.
    cell_clip : float, default=None
        Limit of the input of every gate's activation.
    reset : {"after", "before"}, default="after"
        Whether the gru's reset gate acts after the recurrent product or before it.
    backend : {"cpu", "reference"}, default="cpu"
        The compiled core, or plain NumPy.

    Returns
    -------
    RecurrentOutput
        ``y``: (N, T, D·H), zero past a sequence's length, or ragged like x; ``h_n``, and for
        lstm ``c_n``: (L·D, N, H); ``backward(dy, dh_n, dc_n)``: the gradients. It refers to
        the weights and does not copy them: leave them unchanged until after `backward`.

    Raises
    ------
    TypeError
        If x or `lengths` has a type that is not accepted.
    ValueError
        If an argument has a wrong shape or value, a weight is missing or unknown, or a number
        is not finite. The message names it.

    Examples
    --------
    >>> import numpy as np
    >>> from rnnkit.functional import recurrent
    >>> weights = {"weight_ih_l0": np.ones((3, 2)), "weight_hh_l0": np.eye(3)}
    >>> result = recurrent(
    ...     np.ones((1, 4, 2)), weights, "rnn", lengths=[2], activation="relu", backend="reference"
    ... )
    >>> result.y[0, :, 0]
    array([2., 4., 0., 0.])
    >>> result.backward(dh_n=np.ones((1, 1, 3)))["weight_ih_l0"]
    array([[2., 2.],
           [2., 2.],
           [2., 2.]])
    """
    if bidirectional and reverse:
        raise ValueError("bidirectional has both directions already; leave reverse=False")
    options = _read_options(
        [False, True] if bidirectional else [bool(reverse)],
        cell,
        n_layers,
        activation,
        gate_activation,
        output_activation,
        activation_params,
        cell_options={"coupled_gates": coupled_gates, "cell_clip": cell_clip, "reset": reset},
    )
    sequences = _read_sequences(x, lengths)
    layers = _read_layers(
        weights, cell, n_layers, sequences.n_features, sequences.values.dtype, options
    )
    layout = _Layout(x, sequences)
    states = _read_states(h0, c0, layers, sequences)
    return RecurrentOutput(_Chain(layers, layout.plan, _host_backend(backend)), layout, states)


def _host_backend(name: str) -> Backend:
    if name not in ("cpu", "reference"):
        raise ValueError(f"backend must be 'cpu' or 'reference', got {name!r}")
    return get_backend(name)


class RecurrentOutput:
    """What `recurrent` returns.

    Attributes
    ----------
    y : ndarray of shape (N, T, D·H), list of arrays (T_n, D·H), or Sequences
        The last layer's hidden state after each step, in the form of x; zero past the length
        of a sequence.
    h_n : ndarray of shape (L·D, N, H)
        Each layer's and direction's hidden state after the last step it visits.
    c_n : ndarray of shape (L·D, N, H) or None
        The same for the cell state of an lstm.
    """

    def __init__(self, chain: _Chain, layout: _Layout, states: dict[str, Array]) -> None:
        self._chain, self._layout = chain, layout
        self._x = layout.values[layout.rows]
        self._states = layout.pack_states(states)
        self._ready = False  # whether the chain holds what one backward pass needs
        y, ends = self._run()
        self.y = layout.unpack(y)
        self.h_n = layout.unpack_states(ends["h"])
        self.c_n = layout.unpack_states(ends["c"]) if "c" in ends else None

    def backward(self, dy: Any = None, dh_n: Any = None, dc_n: Any = None) -> dict[str, Any]:
        """Return the gradients of a loss by everything that went in.

        Parameters
        ----------
        dy : like `y`, default=None
            Gradient of the loss by `y`; ignored past the length of a sequence. None: zeros.
        dh_n, dc_n : array-like of shape (L·D, N, H), default=None
            Gradient of the loss by `h_n` and `c_n`. None: zeros.

        Returns
        -------
        dict
            "x" in the form of x, "h0" and, for lstm, "c0" (L·D, N, H), and the gradient of
            every weight under the name it was given by.

        Raises
        ------
        ValueError
            If a gradient has a wrong shape or a number that is not finite.
        """
        chain, layout = self._chain, self._layout
        if dc_n is not None and self.c_n is None:
            raise ValueError("dc_n belongs to the lstm cell")
        given = {"h": ("dh_n", dh_n), "c": ("dc_n", dc_n)}
        dends = {
            state: _of_shape(_finite_array(value, name, layout.values.dtype), name, self.h_n.shape)
            for state, (name, value) in given.items()
            if value is not None
        }
        packed_dy = None if dy is None else layout.pack(dy, "dy", self._width)
        if not self._ready:
            self._run()
        self._ready = False
        dx, dstarts, dweights = chain.backward(packed_dy, layout.pack_states(dends))
        gradients = {"x": layout.unpack(dx)}
        for state, dstart in dstarts.items():
            gradients[f"{state}0"] = layout.unpack_states(dstart)
        return {**gradients, **dweights}

    def _run(self) -> tuple[Array, dict[str, list[Array]]]:
        """Run forward."""
        y, ends = self._chain.forward(self._x, self._states)
        self._width, self._ready = y.shape[1], True
        return y, ends


class RecurrentStream:
    """Recurrent layers over one sequence that is fed step by step.

    The states have the very bits that `recurrent` gives for the whole sequence. Not to be
    shared between threads.

    Parameters
    ----------
    weights : dict of str to array-like
        As in `recurrent`, of one direction; copied. Their dtype is the dtype of the steps:
        float32 if all of them are, else float64.
    cell, n_layers, activation, gate_activation, output_activation, activation_params
        As in `recurrent`.
    coupled_gates, cell_clip, reset, backend
        As in `recurrent`.

    Attributes
    ----------
    state : list of tuple (h, c)
        What each layer remembers, arrays of shape (1, H), copied; c is None but for lstm. May
        be set to what was got earlier.

    Raises
    ------
    ValueError
        As `recurrent` does.

    Examples
    --------
    >>> import numpy as np
    >>> from rnnkit.functional import RecurrentStream
    >>> weights = {"weight_ih_l0": np.ones((3, 2)), "weight_hh_l0": np.eye(3)}
    >>> stream = RecurrentStream(weights, "rnn", activation="relu")
    >>> for x in np.ones((4, 2)):
    ...     h = stream.step(x)
    >>> h
    array([[8., 8., 8.]])
    """

    def __init__(
        self,
        weights: Mapping[str, Any],
        cell: str = "lstm",
        *,
        n_layers: int = 1,
        activation: str | Activation = "tanh",
        gate_activation: str | Activation = "sigmoid",
        output_activation: str | Activation | None = None,
        activation_params: Mapping[str, tuple] | None = None,
        coupled_gates: bool = False,
        cell_clip: float | None = None,
        reset: str = "after",
        backend: str = "cpu",
    ) -> None:
        options = _read_options(
            [False],
            cell,
            n_layers,
            activation,
            gate_activation,
            output_activation,
            activation_params,
            cell_options={"coupled_gates": coupled_gates, "cell_clip": cell_clip, "reset": reset},
        )
        dtypes = {np.asarray(weight).dtype for weight in weights.values()}
        dtype = np.dtype(np.float32 if dtypes == {np.dtype(np.float32)} else np.float64)
        n_inputs = np.shape(weights["weight_ih_l0"])[-1] if "weight_ih_l0" in weights else 0
        layers = _read_layers(weights, cell, n_layers, n_inputs, dtype, options)
        computes = _host_backend(backend)
        self._operations = [
            computes.recurrent_step(part.spec, dtype, part.parameters) for (part,) in layers
        ]
        self._chain = [operation.step for operation in self._operations]
        self.reset()

    def reset(self) -> None:
        """Return to the state before the first step, zeros."""
        for operation in self._operations:
            operation.state = None

    @property
    def state(self) -> list[tuple[Array, Array | None]]:
        """What each layer remembers."""
        return [operation.state for operation in self._operations]

    @state.setter
    def state(self, state: list[tuple[Array, Array | None]]) -> None:
        for operation, of_layer in zip(self._operations, state, strict=True):
            operation.state = of_layer

    def step(self, x: Array) -> Array:
        """Take one step.

        Parameters
        ----------
        x : ndarray of shape (I,)
            The step, contiguous and of the weights' dtype: nothing is converted here, and what
            is not finite is not looked for.

        Returns
        -------
        ndarray of shape (1, H)
            The last layer's state h; valid until the next call.

        Raises
        ------
        TypeError, ValueError
            If x has another dtype or shape.
        """
        for step in self._chain:
            x = step(x)
        return x


class _Chain:
    """The layers, bound to a backend and a plan; all arrays packed."""

    def __init__(self, layers: list[list[_Direction]], plan: Plan, backend: Backend) -> None:
        self.layers, self.plan = layers, plan
        self.operations = [
            [backend.recurrent(part.spec, part.dtype) for part in row] for row in layers
        ]
        self.n_directions = len(layers[0])

    def forward(self, x: Array, starts: dict[str, Array]) -> tuple[Array, dict[str, list[Array]]]:
        """Map x (P, I) and states (L·D, B, H) to y (P, D·H) and a list of final states (B, H)."""
        ends: dict[str, list[Array]] = {}
        for layer, (row, operations) in enumerate(zip(self.layers, self.operations)):
            outputs = []
            for d, (part, operation) in enumerate(zip(row, operations)):
                k = layer * self.n_directions + d
                h0, c0 = (starts[s][k] if s in starts else None for s in ("h", "c"))
                y, h_n, c_n = operation.forward(
                    self.plan, x, part.parameters, h0, c0, training=True
                )
                outputs.append(y)
                ends.setdefault("h", []).append(h_n)
                if c_n is not None:
                    ends.setdefault("c", []).append(c_n)
            x = outputs[0] if len(outputs) == 1 else np.concatenate(outputs, axis=1)
        return x, ends

    def backward(
        self, dy: Array | None, dends: dict[str, Array]
    ) -> tuple[Array, dict[str, list[Array]], dict[str, Array]]:
        """Return dx (P, I), a list of gradients (B, H) of each initial state, dweights."""
        dstarts: dict[str, list[Array]] = {}
        dweights: dict[str, Array] = {}
        for layer in reversed(range(len(self.layers))):
            dx = None
            for d in reversed(range(self.n_directions)):
                part = self.layers[layer][d]
                k = layer * self.n_directions + d
                columns = slice(d * part.spec.hidden_size, (d + 1) * part.spec.hidden_size)
                dy_part = None if dy is None else np.ascontiguousarray(dy[:, columns])
                dh_n, dc_n = (dends[s][k] if s in dends else None for s in ("h", "c"))
                dparameters = {name: np.zeros_like(p) for name, p in part.parameters.items()}
                dx_part, dh0, dc0 = self.operations[layer][d].backward(
                    dy_part, dparameters, dh_n, dc_n
                )
                dx = dx_part if dx is None else dx + dx_part
                dstarts.setdefault("h", []).insert(0, dh0)
                if dc0 is not None:
                    dstarts.setdefault("c", []).insert(0, dc0)
                dweights.update(part.named_gradients(dparameters))
            dy = dx
        return dy, dstarts, dweights


class _Layout:
    """How the caller's arrays lie in packed rows, and back."""

    def __init__(self, x: Any, sequences: Sequences) -> None:
        self.values, self.offsets = sequences.values, sequences.offsets
        self.lengths = sequences.lengths
        self.plan = pack(self.lengths)
        self.rows = self.plan.rows(self.offsets[:-1])
        self.is_sequences = isinstance(x, Sequences)
        self.is_padded = not _is_ragged(x)
        if self.is_padded:
            n_sequences, self.padded_steps = np.shape(x)[:2]
            self.padded_rows = self.plan.rows(np.arange(n_sequences) * self.padded_steps)

    def pack(self, given: Any, name: str, width: int) -> Array:
        """Arrange an array in the form of the caller's x in packed rows (P, width)."""
        dtype = self.values.dtype
        if self.is_padded:
            shape = (len(self.lengths), self.padded_steps, width)
            flat = _of_shape(np.asarray(given), name, shape).reshape(-1, width)
            return _finite_array(flat[self.padded_rows], name, dtype)
        if isinstance(given, Sequences):
            given = given.to_list()
        if len(given) != len(self.lengths):
            raise ValueError(f"{name} must have {len(self.lengths)} sequences, got {len(given)}")
        parts = [
            _of_shape(_finite_array(part, f"{name}[{n}]", dtype), f"{name}[{n}]", (steps, width))
            for n, (part, steps) in enumerate(zip(given, self.lengths.tolist()))
        ]
        return np.concatenate(parts)[self.rows]

    def unpack(self, packed: Array) -> Any:
        """Arrange packed rows (P, F) in the form of the caller's x."""
        width = packed.shape[1]
        if self.is_padded:
            padded = np.zeros((len(self.lengths) * self.padded_steps, width), packed.dtype)
            padded[self.padded_rows] = packed
            return padded.reshape(len(self.lengths), self.padded_steps, width)
        values = np.empty_like(packed)
        values[self.rows] = packed
        if self.is_sequences:
            return Sequences(values, self.offsets)
        return [part.copy() for part in np.split(values, self.offsets[1:-1])]

    def pack_states(self, states: dict[str, Array]) -> dict[str, Array]:
        """Sort states (L·D, N, H) as the plan sorts the sequences."""
        return {name: state[:, self.plan.order] for name, state in states.items()}

    def unpack_states(self, states: list[Array]) -> Array:
        """Stack packed states (B, H) and give them the caller's order."""
        stacked = np.empty((len(states), *states[0].shape), states[0].dtype)
        for k, state in enumerate(states):
            stacked[k, self.plan.order] = state
        return stacked


@dataclass(frozen=True)
class _Direction:
    """One direction of one layer: its spec, its parameters and the names they were given by."""

    spec: LayerSpec
    parameters: dict[str, Array]  # under the names of spec.parameter_shapes()
    given: dict[str, str]  # name without suffix, the two biases apart -> name in `weights`
    dtype: np.dtype

    def named_gradients(self, dparameters: dict[str, Array]) -> dict[str, Array]:
        """Return the gradients under the names in `weights`; each bias gets its own."""
        dbias_ih = dbias_hh = dparameters["bias"]
        if self.spec.cell == "gru":
            dbias_hh = np.concatenate([_but_n(dbias_hh), dparameters["bias_hn"]])
        dweights = {**dparameters, "bias_ih": dbias_ih, "bias_hh": dbias_hh.copy()}
        return {full: dweights[name] for name, full in self.given.items()}


def _but_n(gates: Array) -> Array:
    """Return the entries of a gru's r and z."""
    return gates[: 2 * len(gates) // 3]


def _read_layers(
    weights: Mapping[str, Any],
    cell: str,
    n_layers: int,
    n_inputs: int,
    dtype: np.dtype,
    options: list[dict[str, Any]],
) -> list[list[_Direction]]:
    """Build every layer and direction; each weight must have its place."""
    arrays = {name: _finite_array(weight, name, dtype) for name, weight in weights.items()}
    if "weight_hh_l0" not in arrays or arrays["weight_hh_l0"].ndim != 2:
        raise ValueError("weights must have a 'weight_hh_l0' of shape (G·H, H)")
    hidden_size = arrays["weight_hh_l0"].shape[1]
    layers = []
    for layer in range(n_layers):
        row = []
        for d, option in enumerate(options):
            names = ("weight_ih", "weight_hh", *_BIASES, *_OPTIONAL_WEIGHTS)
            full_names = {name: weight_name(name, layer, d == 1) for name in names}
            row.append(_read_direction(arrays, full_names, cell, n_inputs, hidden_size, option))
        layers.append(row)
        n_inputs = len(options) * hidden_size
    used = {full for row in layers for part in row for full in part.given.values()}
    unknown = sorted(set(arrays) - used)
    if unknown:
        raise ValueError(
            f"weights has {unknown}, which no layer uses; check n_layers, bidirectional, cell"
        )
    return layers


def _read_direction(
    arrays: dict[str, Array],
    full_names: dict[str, str],
    cell: str,
    n_inputs: int,
    hidden_size: int,
    options: dict[str, Any],
) -> _Direction:
    """Pick the weights of one direction of one layer and check their shapes."""
    given = {name: full for name, full in full_names.items() if full in arrays}
    spec = LayerSpec(
        cell,
        n_inputs,
        hidden_size,
        peephole="peephole" in given,
        layer_norm="norm_ih" in given or "norm_hh" in given,
        **options,
    )
    shapes = spec.parameter_shapes()
    bias_shape = shapes.pop("bias")
    shapes.pop("bias_hn", None)
    for name in shapes:
        if name not in given:
            raise ValueError(f"weights has no {full_names[name]!r}")
    given = {name: full for name, full in given.items() if name in shapes or name in _BIASES}
    parameters = {
        name: _of_shape(arrays[given[name]], given[name], shape) for name, shape in shapes.items()
    }
    dtype = parameters["weight_hh"].dtype
    bias_ih, bias_hh = (
        _of_shape(arrays[given[name]], given[name], bias_shape)
        if name in given
        else np.zeros(bias_shape, dtype)
        for name in _BIASES
    )
    if cell == "gru":
        n_rows = len(_but_n(bias_hh))
        parameters["bias_hn"] = bias_hh[n_rows:].copy()
        bias_hh = np.concatenate([bias_hh[:n_rows], np.zeros(hidden_size, dtype)])
    parameters["bias"] = bias_ih + bias_hh
    return _Direction(spec, parameters, given, dtype)


def _read_options(
    directions: list[bool],
    cell: str,
    n_layers: int,
    activation: Any,
    gate_activation: Any,
    output_activation: Any,
    activation_params: Mapping[str, tuple] | None,
    *,
    cell_options: dict[str, Any],
) -> list[dict[str, Any]]:
    """Check what does not depend on the arrays; return each direction's part of a `LayerSpec`."""
    if not isinstance(cell, str) or cell not in CELLS:
        raise ValueError(f"unknown cell {cell!r}; allowed are {', '.join(CELLS)}")
    if isinstance(n_layers, bool) or not isinstance(n_layers, Integral) or n_layers < 1:
        raise ValueError(f"n_layers must be an integer of at least 1, got {n_layers!r}")
    if output_activation is not None and cell != "lstm":
        raise ValueError(f"output_activation belongs to the lstm cell, not {cell}")
    params = dict(activation_params or {})
    if output_activation is None:
        output_activation = activation
        if "activation" in params:
            params.setdefault("output_activation", params["activation"])
    functions = {
        "activation": activation,
        "gate_activation": gate_activation,
        "output_activation": output_activation,
    }
    options = _options_per_direction(directions, functions, params)
    for option in options:
        option.update(cell_options)
    return options


def _options_per_direction(
    directions: list[bool], functions: dict[str, Any], params: dict[str, Any]
) -> list[dict[str, Any]]:
    """Return for each direction the activations and `reverse`, as arguments of `LayerSpec`."""
    unknown = sorted(set(params) - set(functions))
    if unknown:
        allowed = ", ".join(functions)
        raise ValueError(f"activation_params has {unknown}; allowed are {allowed}")
    options: list[dict[str, Any]] = [{"reverse": reverse} for reverse in directions]
    for argument, value in functions.items():
        names = _per_direction(value, argument, len(options))
        pairs = _parameters_per_direction(params.get(argument), argument, len(options))
        for option, name, pair in zip(options, names, pairs, strict=True):
            option[argument] = make_activation(name, *pair)
    return options


def _per_direction(value: Any, argument: str, n_directions: int) -> list:
    """Return a function for each direction; an `Activation` is one although it is a tuple."""
    if isinstance(value, (str, Activation)):
        return [value] * n_directions
    if not isinstance(value, (tuple, list)) or len(value) != n_directions:
        raise ValueError(
            f"{argument} must be one activation or one for each of {n_directions} directions, "
            f"got {value!r}"
        )
    return list(value)


def _parameters_per_direction(given: Any, argument: str, n_directions: int) -> list[tuple]:
    """Return (alpha, beta) for each direction."""
    if given is None:
        return [(None, None)] * n_directions
    pairs = list(given) if any(np.ndim(item) == 1 for item in given) else [given] * n_directions
    if len(pairs) != n_directions or any(np.shape(pair) != (2,) for pair in pairs):
        raise ValueError(
            f"activation_params[{argument!r}] must be (alpha, beta) or one such pair for each of "
            f"{n_directions} directions, got {given!r}"
        )
    return pairs


def _is_ragged(x: Any) -> bool:
    """Whether x is a list of sequences in any of its forms, not one padded array."""
    if isinstance(x, (Sequences, list, tuple)):
        return True
    return getattr(x, "ndim", None) == 1 and getattr(x, "dtype", None) == np.dtype(object)


def _read_sequences(x: Any, lengths: Any) -> Sequences:
    """Return x as flat values in the compute dtype, and offsets."""
    if not _is_ragged(x) and getattr(x, "ndim", 3) != 3:
        raise ValueError(
            f"x must have shape (N, T, I) or be a list of arrays (T, I), got shape {x.shape}"
        )
    return Sequences.from_any(x, lengths, name="x", allow_empty=True)


def _read_states(
    h0: Any, c0: Any, layers: list[list[_Direction]], sequences: Sequences
) -> dict[str, Array]:
    """Return the initial states that are given, each (L·D, N, H)."""
    spec = layers[0][0].spec
    if c0 is not None and not spec.has_cell_state:
        raise ValueError(f"c0 belongs to the lstm cell, not {spec.cell}")
    shape = (len(layers) * len(layers[0]), len(sequences), spec.hidden_size)
    return {
        state: _of_shape(_finite_array(value, name, sequences.values.dtype), name, shape)
        for state, name, value in (("h", "h0", h0), ("c", "c0", c0))
        if value is not None
    }


def _finite_array(value: Any, name: str, dtype: np.dtype) -> Array:
    """Return real numbers as a contiguous array of the compute dtype."""
    given = np.asarray(value)
    if given.dtype.kind not in "biuf":
        raise ValueError(f"{name} must hold real numbers, got dtype {given.dtype}")
    with np.errstate(over="ignore"):
        array = np.require(given, dtype, ["C", "A"])
    if not np.isfinite(array).all():
        raise ValueError(f"{name} contains NaN, infinity or a value too large for {dtype}")
    return array


def _of_shape(array: Array, name: str, shape: tuple[int, ...]) -> Array:
    if array.shape != shape:
        raise ValueError(f"{name} must have shape {shape}, got {array.shape}")
    return array

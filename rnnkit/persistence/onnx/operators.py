"""ONNX's operators RNN, LSTM and GRU as they stand in a file: read into cells and their weights.

Letters: I inputs, H hidden units, G gates, D directions.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from rnnkit.cells import CELLS, Activation, make_activation
from rnnkit.functional import recurrent
from rnnkit.functional.arrays import finite_array
from rnnkit.persistence.onnx.layers import (
    ACTIVATIONS,
    GATE_ORDER,
    PEEPHOLE_ORDER,
    TAKE_ALPHA,
    TAKE_BETA,
)

__all__ = ["GivenLayer", "read_layer"]

_NAMES = {theirs.lower(): ours for ours, theirs in ACTIVATIONS.items()}
_ROLES = {
    "rnn": ("activation",),
    "gru": ("gate_activation", "activation"),
    "lstm": ("gate_activation", "activation", "output_activation"),
}
_DEFAULTS = {"rnn": ["Tanh"], "gru": ["Sigmoid", "Tanh"], "lstm": ["Sigmoid", "Tanh", "Tanh"]}


@dataclass(frozen=True)
class GivenLayer:
    """A recurrent layer of a file.

    Parameters
    ----------
    cell : {"rnn", "lstm", "gru"}
    hidden_size : int
        H.
    options : dict
        What the cell is told, by the names of `rnnkit.cells.LayerSpec`.
    directions : list of dict of str to ndarray
        The parameters of each direction, by the names of `LayerSpec.parameter_shapes`, float32.
    batch_first : bool
        Whether X is (N, T, I).
    """

    cell: str
    hidden_size: int
    options: dict[str, Any]
    directions: list[dict[str, np.ndarray]]
    batch_first: bool

    @property
    def n_inputs(self) -> int:
        """I."""
        return int(self.directions[0]["weight_ih"].shape[1])

    @property
    def width(self) -> int:
        """D·H."""
        return self.hidden_size * len(self.directions)

    def run(self, x: np.ndarray, lengths: Any) -> list[np.ndarray]:
        """Return Y, Y_h and, of an LSTM, Y_c for X in the operator's layout."""
        x = x if self.batch_first else x.transpose(1, 0, 2)
        weights: dict[str, np.ndarray] = {}
        for own, suffix in zip(self.directions, ("_l0", "_l0_reverse")):
            of_state = np.zeros_like(own["bias"])
            if self.cell == "gru":
                of_state[-self.hidden_size :] = own["bias_hn"]
            named = {"weight_ih": own["weight_ih"], "weight_hh": own["weight_hh"]}
            named |= {"bias_ih": own["bias"], "bias_hh": of_state}
            named |= {"peephole": own["peephole"]} if "peephole" in own else {}
            weights |= {f"{name}{suffix}": array for name, array in named.items()}
        options = {name: value for name, value in self.options.items() if name != "peephole"}
        both = len(self.directions) == 2
        result = recurrent(
            x, weights, self.cell, lengths=lengths, bidirectional=both, **options
        )  # fmt: skip
        y = result.y.reshape(*x.shape[:2], len(self.directions), self.hidden_size)
        states = [state for state in (result.h_n, result.c_n) if state is not None]
        if self.batch_first:
            return [y, *(state.transpose(1, 0, 2) for state in states)]
        return [y.transpose(1, 2, 0, 3), *states]


def read_layer(onnx: Any, node: Any, constants: Mapping[str, np.ndarray]) -> GivenLayer:
    """Read a node RNN, LSTM or GRU.

    Parameters
    ----------
    onnx : module
    node : NodeProto
    constants : mapping of str to ndarray
        What is known of the values that go in.

    Raises
    ------
    ValueError
        If a weight is no constant or has another shape, or the node does what no cell here does.
    """
    cell = node.op_type.lower()
    attributes = {a.name: onnx.helper.get_attribute_value(a) for a in node.attribute}
    direction = attributes.get("direction", b"forward").decode()
    if direction == "reverse":
        raise ValueError(f"{_called(node)} has direction='reverse', which no estimator has alone")
    n_directions = 2 if direction == "bidirectional" else 1
    names = [*node.input, *[""] * 8][:8]
    w = _weight(node, "W", names[1], constants)
    n_gates = len(CELLS[cell].gates)
    if w.ndim != 3 or w.shape[0] != n_directions or w.shape[1] % n_gates:
        raise ValueError(
            f"{names[1]!r} of {_called(node)} has the shape {w.shape}, not (D, G·H, I)"
        )
    rows, hidden_size = w.shape[1], w.shape[1] // n_gates
    r = _weight(node, "R", names[2], constants, (n_directions, rows, hidden_size))
    b = np.zeros((n_directions, 2 * rows), np.float32)
    if names[3]:
        b = _weight(node, "B", names[3], constants, b.shape)
    p = None
    if cell == "lstm" and names[7]:
        p = _weight(node, "P", names[7], constants, (n_directions, 3 * hidden_size))
    directions = []
    for d in range(n_directions):
        of_input, of_state = (_ours(half, GATE_ORDER[cell]) for half in np.split(b[d], 2))
        own = {"weight_ih": _ours(w[d], GATE_ORDER[cell])}
        own["weight_hh"] = _ours(r[d], GATE_ORDER[cell])
        if cell == "gru":
            own["bias_hn"] = of_state[-hidden_size:].copy()
            of_state[-hidden_size:] = 0
        own["bias"] = of_input + of_state
        if p is not None:
            own["peephole"] = _ours(p[d], PEEPHOLE_ORDER)
        directions.append(own)
    options = _options(node, cell, attributes, n_directions)
    if p is not None:
        options["peephole"] = True
    batch_first = bool(attributes.get("layout", 0))
    return GivenLayer(cell, hidden_size, options, directions, batch_first)


def _called(node: Any) -> str:
    return f"the node {node.name or node.output[0]!r} ({node.op_type})"


def _weight(
    node: Any,
    role: str,
    name: str,
    constants: Mapping[str, np.ndarray],
    shape: tuple[int, ...] | None = None,
) -> np.ndarray:
    if name not in constants:
        raise ValueError(f"{role} of {_called(node)}, {name!r}, is no constant of the file")
    array: np.ndarray = finite_array(constants[name], repr(name), np.dtype("float32"))
    if shape is not None and array.shape != shape:
        raise ValueError(f"{name!r} must have shape {shape}, got {array.shape}")
    return array


def _ours(array: np.ndarray, order: tuple[int, ...]) -> np.ndarray:
    """Return blocks of rows in our order, of which `order` is theirs."""
    blocks = np.split(array, len(order))
    return np.concatenate([blocks[order.index(gate)] for gate in range(len(order))])


def _options(node: Any, cell: str, attributes: dict[str, Any], n_directions: int) -> dict[str, Any]:
    functions = _functions(node, cell, attributes, n_directions)
    roles = _ROLES[cell]
    by_direction = [functions[d * len(roles) : (d + 1) * len(roles)] for d in range(n_directions)]
    if by_direction[0] != by_direction[-1]:
        raise ValueError(f"{_called(node)} has other activations in its two directions")
    options: dict[str, Any] = dict(zip(roles, by_direction[0]))
    clip = attributes.get("clip")
    if clip is not None:
        options["cell_clip"] = float(clip)
    if cell == "lstm" and attributes.get("input_forget", 0):
        options["coupled_gates"] = True
    if cell == "gru":
        after = attributes.get("linear_before_reset", 0)
        options["reset"] = "after" if after else "before"
    return options


def _functions(
    node: Any, cell: str, attributes: dict[str, Any], n_directions: int
) -> list[Activation]:
    names = attributes.get("activations", [text.encode() for text in _DEFAULTS[cell]])
    names = [*names] if len(names) > len(_ROLES[cell]) else [*names] * n_directions
    alphas = [*attributes.get("activation_alpha", [])]
    betas = [*attributes.get("activation_beta", [])]
    functions = []
    for name in names:
        ours = _NAMES.get(name.decode().lower())
        if ours is None:
            raise ValueError(
                f"{_called(node)} has the activation {name.decode()}, which no cell here has; "
                f"known are {', '.join(ACTIVATIONS.values())}"
            )
        alpha = alphas.pop(0) if ours in TAKE_ALPHA and alphas else None
        beta = betas.pop(0) if ours in TAKE_BETA and betas else None
        functions.append(make_activation(ours, alpha, beta))
    return functions

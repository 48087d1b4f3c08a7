"""How a caller's sequences and states lie in packed rows, and back."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from rnnkit.backends.interface import Array
from rnnkit.functional.arrays import finite_array, of_shape
from rnnkit.functional.weights import GivenLayers
from rnnkit.network.layers import State
from rnnkit.sequences import Form, Sequences, pack

__all__ = ["Layout", "read_sequences", "read_states"]

# Rows are moved so many bytes at a time: one call of NumPy for a hundred megabytes, and even for
# eight, can take .4 s where a machine is slow to give memory, and Ctrl-C is seen only between two.
_PIECE_BYTES = 2**20


class Layout:
    """How the caller's arrays lie in packed rows, and back."""

    def __init__(self, form: Form, sequences: Sequences) -> None:
        self.values, self.offsets = sequences.values, sequences.offsets
        self.lengths = sequences.lengths
        self.plan = pack(self.lengths)
        self.rows = self.plan.rows(self.offsets[:-1])
        self._form = form

    def pack(self, given: Any, name: str, width: int) -> Array:
        """Arrange an array in the form of the caller's x in packed rows (P, width)."""
        dtype, n_sequences, n_steps = self.values.dtype, len(self.lengths), self._form.n_steps
        if self._form.is_dense:
            shape = (n_sequences, n_steps, width)
            flat = of_shape(np.asarray(given), name, shape).reshape(-1, width)
            rows = self.plan.rows(np.arange(n_sequences) * n_steps)
            return finite_array(_gather(flat, rows), name, dtype)
        if isinstance(given, Sequences):
            given = given.to_list()
        if len(given) != n_sequences:
            raise ValueError(f"{name} must have {n_sequences} sequences, got {len(given)}")
        parts = [
            of_shape(finite_array(part, f"{name}[{n}]", dtype), f"{name}[{n}]", (steps, width))
            for n, (part, steps) in enumerate(zip(given, self.lengths.tolist()))
        ]
        return _gather(np.concatenate(parts), self.rows)

    def pack_values(self) -> Array:
        """Arrange the caller's x in packed rows (P, I)."""
        return _gather(self.values, self.rows)

    def unpack(self, packed: Array) -> Any:
        """Arrange packed rows (P, F) in the form of the caller's x."""
        values = np.empty_like(packed)
        for piece in _pieces(packed):
            values[self.rows[piece]] = packed[piece]
        return self._form.restore(values, self.offsets)

    def pack_states(self, states: dict[str, Array], n_directions: int) -> list[State] | None:
        """Turn states "h" and "c" (L·D, N, H) into what each layer carries; None: all zeros.

        The sequences are sorted as the plan sorts them.
        """
        if not states:
            return None
        n_rows = len(next(iter(states.values())))
        sorted_states = {name: state[:, self.plan.order] for name, state in states.items()}
        return [
            tuple(
                sorted_states[name][row] if name in sorted_states else None
                for row in range(first, first + n_directions)
                for name in ("h", "c")
            )
            for first in range(0, n_rows, n_directions)
        ]

    def unpack_states(self, states: Sequence[State | None]) -> dict[str, Array]:
        """Turn what each layer carries into states "h" and, of lstm, "c" (L·D, N, H)."""
        flat = [array for state in states if state is not None for array in state]
        unpacked = {}
        for name, arrays in (("h", flat[::2]), ("c", flat[1::2])):
            if arrays[0] is None:
                continue
            stacked = np.empty((len(arrays), *arrays[0].shape), arrays[0].dtype)
            for row, array in enumerate(arrays):
                stacked[row, self.plan.order] = array
            unpacked[name] = stacked
        return unpacked


def _pieces(rows: Array) -> Iterator[slice]:
    """Yield the slices of rows (P, F) that are moved at a time."""
    step = max(1, _PIECE_BYTES // max(1, rows.shape[1] * rows.itemsize))
    for first in range(0, len(rows), step):
        yield slice(first, first + step)


def _gather(values: Array, rows: Array) -> Array:
    """Return ``values[rows]`` of rows (P, F)."""
    packed = np.empty((len(rows), values.shape[1]), values.dtype)
    for piece in _pieces(packed):
        packed[piece] = values[rows[piece]]
    return packed


def read_sequences(x: Any, lengths: Any) -> tuple[Sequences, Form]:
    """Return x as flat values in the compute dtype and offsets, and its form."""
    sequences = Sequences.from_any(x, lengths, name="x", allow_empty=True)
    form = Form.of(x)
    if form.kind == "rows":
        raise ValueError(
            f"x must have shape (N, T, I) or be a list of arrays (T, I), got shape {np.shape(x)}"
        )
    return sequences, form


def read_states(h0: Any, c0: Any, layers: GivenLayers, sequences: Sequences) -> dict[str, Array]:
    """Return the initial states that are given, (L·D, N, H) and (L·D, N, width of the second)."""
    spec = layers.spec
    if c0 is not None and not spec.has_cell_state:
        raise ValueError(f"c0 belongs to the lstm cell, not {spec.cell}")
    rows = (len(layers.layers) * layers.n_directions, len(sequences))
    given = [("h", "h0", h0, spec.hidden_size), ("c", "c0", c0, spec.second_state_size)]
    return {
        state: of_shape(finite_array(value, name, sequences.values.dtype), name, (*rows, width))
        for state, name, value, width in given
        if value is not None
    }

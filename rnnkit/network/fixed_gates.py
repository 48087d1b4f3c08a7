"""Gates of an LSTM that are always open, as if the cell had none."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rnnkit.cells import SIGMOID, LayerSpec

__all__ = ["check_fixed_gates", "fixed_entries"]

# Above 37 the sigmoid is 1 in every bit of a float64. Its slope y (1 - y) is 0 then, and so are the
# gradients by all that the gate is made of.
OPEN = 64.0
GATES = ("i", "f", "o")  # in the order of peepholes and gate recurrence


def check_fixed_gates(gates: Sequence[str], spec: LayerSpec, gate_bias: Any = None) -> None:
    """Raise ValueError unless a cell works as described with these gates always open.

    Parameters
    ----------
    gates : sequence of str
        Among "i", "f" and "o".
    spec : LayerSpec
    gate_bias : mapping of gate name to float, "chrono" or None
        The initial biases asked for.
    """
    if not gates:
        return
    if spec.cell != "lstm":
        raise ValueError(f"fixed gates belong to the lstm cell, not {spec.cell}")
    for gate in gates:
        if gate not in GATES:
            raise ValueError(f"it names {gate!r}; gates that can be open are {', '.join(GATES)}")
    if len(set(gates)) < len(gates):
        raise ValueError("it names a gate twice")
    if spec.gate_activation != SIGMOID:
        raise ValueError(
            "an open gate needs gate_activation='sigmoid', got "
            f"gate_activation={spec.gate_activation.name!r}"
        )
    if spec.cell_clip is not None:
        raise ValueError(f"cell_clip={spec.cell_clip!r} keeps every gate from being 1")
    if spec.layer_norm:
        raise ValueError("with layer_norm=True every gate takes part in what the others see")
    if spec.coupled_gates and set(gates) & {"i", "f"}:
        raise ValueError("with coupled_gates=True the forget gate is one minus the input gate")
    if isinstance(gate_bias, Mapping) and set(gate_bias) & set(gates):
        raise ValueError(f"gate_bias={dict(gate_bias)!r} sets the bias of a gate that is fixed")


def fixed_entries(gates: Sequence[str], spec: LayerSpec) -> list[tuple[str, slice, float]]:
    """Return what keeps gates of one direction open: parameter, rows of it and their value."""
    h = spec.hidden_size
    entries = []
    for gate in gates:
        block = spec.gates.index(gate)
        rows = slice(block * h, (block + 1) * h)
        entries += [("weight_ih", rows, 0.0), ("weight_hh", rows, 0.0), ("bias", rows, OPEN)]
        if spec.full_gate_recurrence:
            block = GATES.index(gate)
            entries.append(("gate_recurrence", slice(block * h, (block + 1) * h), 0.0))
        if spec.peephole:
            block = GATES.index(gate)
            entries.append(("peephole", slice(block * h, (block + 1) * h), 0.0))
    return entries

"""The options of layers as a caller writes them, read once for each direction."""

from __future__ import annotations

from collections.abc import Mapping
from numbers import Integral
from typing import Any

import numpy as np

from rnnkit.cells import CELLS, Activation, make_activation

__all__ = ["read_options"]


def read_options(
    directions: list[bool],
    cell: str,
    n_layers: int,
    activation: Any,
    gate_activation: Any,
    output_activation: Any,
    activation_params: Mapping[str, tuple[Any, ...]] | None,
    *,
    cell_options: dict[str, Any],
) -> list[dict[str, Any]]:
    """Check what does not depend on the arrays; return each direction's options of `make_spec`."""
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
    """Return for each direction the activations and `reverse`, as arguments of `make_spec`."""
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


def _per_direction(value: Any, argument: str, n_directions: int) -> list[Any]:
    """Return a function for each direction; an `Activation` is one although it is a tuple."""
    if isinstance(value, (str, Activation)):
        return [value] * n_directions
    if not isinstance(value, (tuple, list)) or len(value) != n_directions:
        raise ValueError(
            f"{argument} must be one activation or one for each of {n_directions} directions, "
            f"got {value!r}"
        )
    return list(value)


def _parameters_per_direction(
    given: Any, argument: str, n_directions: int
) -> list[tuple[Any, ...]]:
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

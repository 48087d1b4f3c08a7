"""Weights under PyTorch's names as the parameters of recurrent layers, and gradients back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from rnnkit.backends.interface import Array, Backend
from rnnkit.cells import LayerSpec, make_spec, weight_name
from rnnkit.functional.arrays import finite_array, of_shape
from rnnkit.network.layers import Binding
from rnnkit.network.recurrent import Recurrent

__all__ = ["GivenLayers", "read_layers", "refuse_unnamed"]

_BIASES = ("bias_ih", "bias_hh")
_OPTIONAL_WEIGHTS = ("peephole", "gate_recurrence", "norm_ih", "norm_hh", "norm_c", "norm_c_bias")


@dataclass(frozen=True)
class GivenLayers:
    """Recurrent layers whose weights were given, and the names they were given by.

    Parameters
    ----------
    layers : list of Recurrent
    parameters : dict of str to array
        Under the full names of the layers.
    given : list of list of dict of str to str
        For each layer and direction: name without suffix, the two biases apart, to the name that
        the caller wrote.
    dtype : dtype
        Of all parameters.
    """

    layers: list[Recurrent]
    parameters: dict[str, Array]
    given: list[list[dict[str, str]]]
    dtype: np.dtype

    @property
    def spec(self) -> LayerSpec:
        """The first layer in its first direction."""
        return self.layers[0].specs[0]

    @property
    def n_directions(self) -> int:
        """D."""
        return len(self.layers[0].specs)

    def binding(self, backend: Backend, gradients: dict[str, Array]) -> Binding:
        """Return what the layers are bound to; gradients is empty where nothing runs back."""
        return Binding(
            backend,
            self.parameters,
            gradients,
            self.dtype,
            training=bool(gradients),
            input_gradient=bool(gradients),
        )

    def named_gradients(self, gradients: dict[str, Array]) -> dict[str, Array]:
        """Return copies of gradients under the names that were given; each bias has its own."""
        named = {}
        for layer, given_to_layer in zip(self.layers, self.given):
            for direction, given in enumerate(given_to_layer):
                names = layer.names(direction)
                own = {short: gradients[full] for short, full in names.items()}
                own["bias_ih"] = own["bias_hh"] = own["bias"]
                if layer.specs[direction].cell == "gru":
                    own["bias_hh"] = np.concatenate([_but_n(own["bias"]), own["bias_hn"]])
                named.update({written: own[name].copy() for name, written in given.items()})
        return named


def _but_n(gates: Array) -> Array:
    """Return the entries of a gru's r and z."""
    return gates[: 2 * len(gates) // 3]


def read_layers(
    weights: Mapping[str, Any],
    cell: str,
    n_layers: int,
    n_inputs: int,
    dtype: np.dtype,
    options: list[dict[str, Any]],
) -> GivenLayers:
    """Build every layer and direction; each weight must have its place."""
    refuse_unnamed(weights)
    arrays = {name: finite_array(weight, name, dtype) for name, weight in weights.items()}
    if "weight_hh_l0" not in arrays or arrays["weight_hh_l0"].ndim != 2:
        raise ValueError("weights must have a 'weight_hh_l0' of shape (G·H, H)")
    hidden_size = arrays["weight_hh_l0"].shape[1]
    layers, parameters, given = [], {}, []
    for number in range(n_layers):
        directions = []
        for d, option in enumerate(options):
            names = ("weight_ih", "weight_hh", *_BIASES, *_OPTIONAL_WEIGHTS)
            full_names = {name: weight_name(name, number, d == 1) for name in names}
            directions.append(
                _read_direction(arrays, full_names, cell, n_inputs, hidden_size, option)
            )
        layer = Recurrent([spec for spec, _, _ in directions], number)
        for d, (_, own, _) in enumerate(directions):
            parameters.update({full: own[short] for short, full in layer.names(d).items()})
        layers.append(layer)
        given.append([written for _, _, written in directions])
        n_inputs = layer.width
    used = {full for row in given for written in row for full in written.values()}
    unknown = sorted(set(arrays) - used)
    if unknown:
        raise ValueError(
            f"weights has {unknown}, which no layer uses; check n_layers, bidirectional, cell"
        )
    return GivenLayers(layers, parameters, given, dtype)


def refuse_unnamed(weights: Any) -> None:
    """Raise TypeError if weights have no names, as in the list that Keras gives."""
    if not isinstance(weights, Mapping):
        raise TypeError(
            "weights must be a dict of arrays with names such as 'weight_ih_l0', got a "
            f"{type(weights).__name__}; the kernels in the list of Keras' get_weights() are "
            "transposed, weight_ih_l0 = kernel.T and weight_hh_l0 = recurrent_kernel.T, and a "
            "GRU's first two gates are swapped"
        )


def _read_direction(
    arrays: dict[str, Array],
    full_names: dict[str, str],
    cell: str,
    n_inputs: int,
    hidden_size: int,
    options: dict[str, Any],
) -> tuple[LayerSpec, dict[str, Array], dict[str, str]]:
    """Pick the weights of one direction of one layer and check their shapes.

    Returns the spec, its parameters by their names in it, and the names that were given.
    """
    given = {name: full for name, full in full_names.items() if full in arrays}
    spec = make_spec(
        cell,
        n_inputs,
        hidden_size,
        peephole="peephole" in given,
        full_gate_recurrence="gate_recurrence" in given,
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
        name: of_shape(arrays[given[name]], given[name], shape) for name, shape in shapes.items()
    }
    dtype = parameters["weight_hh"].dtype
    bias_ih, bias_hh = (
        of_shape(arrays[given[name]], given[name], bias_shape)
        if name in given
        else np.zeros(bias_shape, dtype)
        for name in _BIASES
    )
    if cell == "gru":
        n_rows = len(_but_n(bias_hh))
        parameters["bias_hn"] = bias_hh[n_rows:].copy()
        bias_hh = np.concatenate([bias_hh[:n_rows], np.zeros(hidden_size, dtype)])
    parameters["bias"] = bias_ih + bias_hh
    return spec, parameters, given

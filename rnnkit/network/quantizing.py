"""A network whose matrices are integers of 8 bits, for predictions.

The recurrent layers multiply in 8 bits (``precision="int8"``); embeddings, dense layers and what
else has a matrix compute as ever, with the rounded values. Vectors stay as they are.
"""

from __future__ import annotations

from collections.abc import Iterator
from copy import copy
from dataclasses import replace
from typing import Any

from rnnkit.backends.quantizing import dequantized, quantized_rows
from rnnkit.network.layers import Layer
from rnnkit.network.network import Network
from rnnkit.network.parameters import ParameterVector
from rnnkit.network.recurrent import Recurrent

__all__ = ["is_quantized", "matrices_of", "quantized", "recurrent_parts"]


def quantized(network: Network) -> Network:
    """Return a network of its own memory with all matrices rounded row by row.

    Parameters
    ----------
    network : Network
        In float32. Quantized once more it has the same numbers.

    Returns
    -------
    Network
    """
    new = copy(network)
    layers = _Layers()
    new.layers = tuple(layers.in_8_bits(layer) for layer in network.layers)
    for name, value in vars(network).items():
        if isinstance(value, Layer):
            setattr(new, name, layers.in_8_bits(value))
    flat = network.parameters.flat.copy()
    new.parameters = ParameterVector(network.parameters.shapes, network.dtype, flat)
    for name in matrices_of(new):
        matrix = new.parameters[name]
        matrix[...] = dequantized(*quantized_rows(matrix))
    return new


def matrices_of(network: Network) -> list[str]:
    """Return the names of the layers' parameters that are matrices, in storage order.

    Those of the output, as the transitions of a CRF, are few and stay as they are.
    """
    own = network.output.parameter_shapes()
    shapes = network.parameters.shapes
    return [name for name, shape in shapes.items() if len(shape) == 2 and name not in own]


def is_quantized(network: Network) -> bool:
    """Whether the network is one that `quantized` made."""
    return any(layer.specs[0].precision == "int8" for layer in recurrent_parts(network.layers))


def recurrent_parts(layers: Any) -> Iterator[Recurrent]:
    """Yield the recurrent layers, and those inside of others."""
    for layer in layers:
        if isinstance(layer, Recurrent):
            yield layer
        else:
            for value in vars(layer).values():
                yield from recurrent_parts(_layers_in(value))


def _layers_in(value: Any) -> list[Any]:
    """Return the layers that an attribute of a layer holds."""
    values = value if isinstance(value, (list, tuple)) else [value]
    return [part for part in values if isinstance(part, Layer)]


class _Layers:
    """Layers in 8 bits, each object once: what others refer to stays one object."""

    def __init__(self) -> None:
        self._done: dict[int, Layer] = {}

    def in_8_bits(self, layer: Layer) -> Layer:
        """Return a copy of a layer, and of those inside of it, whose products are in 8 bits."""
        if id(layer) in self._done:
            return self._done[id(layer)]
        new: Any = copy(layer)
        self._done[id(layer)] = new
        if isinstance(layer, Recurrent):
            new.specs = tuple(replace(spec, precision="int8") for spec in layer.specs)
        for name, value in vars(layer).items():
            if isinstance(value, Layer):
                setattr(new, name, self.in_8_bits(value))
            elif isinstance(value, (list, tuple)) and _layers_in(value):
                parts = [self.in_8_bits(v) if isinstance(v, Layer) else v for v in value]
                setattr(new, name, type(value)(parts))
        done: Layer = new
        return done

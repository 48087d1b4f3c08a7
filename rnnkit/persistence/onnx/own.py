"""A file that `to_onnx` wrote, read back: its metadata say what the estimator was."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

import rnnkit.estimators
from rnnkit.estimators.base import RecurrentEstimator
from rnnkit.estimators.codecs import codec_from_dict
from rnnkit.estimators.parameters.checks import check_parameters
from rnnkit.estimators.reader import Reader
from rnnkit.network import Network
from rnnkit.network.quantiles import Quantiles
from rnnkit.persistence.assembling import assemble
from rnnkit.persistence.given import GivenArrays
from rnnkit.persistence.onnx.convolutions import convolutions_of, own_weight
from rnnkit.persistence.onnx.operators import GivenLayer, read_layer

__all__ = ["read_own"]

# In a graph these stand on the other side of a product.
_TURNED = ("head.weight", "attention.weight", "attention.query")


def read_own(onnx: Any, model: Any, metadata: Mapping[str, str]) -> Any:
    """Return the estimator of a file that `to_onnx` wrote.

    Raises
    ------
    ValueError
        If the file holds scalers or a transformer, or its parts do not fit each other.
    """
    name = metadata["rnnkit.estimator"]
    release = metadata.get("rnnkit.version", "unknown")
    kind = _class_named(name)
    if kind is None or "rnnkit.scaled" in metadata:
        what = "scalers before a network" if "rnnkit.scaled" in metadata else name
        raise ValueError(f"from_onnx reads one estimator, but the file holds {what}")
    try:
        parameters = _parameters(metadata["rnnkit.parameters"])
        reader = Reader.from_dict(json.loads(metadata["rnnkit.reader"]))
        codec = codec_from_dict(json.loads(metadata["rnnkit.codec"]))
        estimator = kind(**parameters)
    except (KeyError, TypeError, ValueError, AttributeError, RecursionError) as error:
        raise ValueError(
            f"the metadata that rnnkit {release} wrote do not describe a {name}: {error!r}"
        ) from error
    constants = {i.name: onnx.numpy_helper.to_array(i) for i in model.graph.initializer}
    layers = {
        node.output[0].removesuffix(".Y"): read_layer(onnx, node, constants)
        for node in model.graph.node
        if node.op_type in ("RNN", "LSTM", "GRU")
    }
    check_parameters(estimator)
    width = estimator._make_output(codec).width
    _check_sizes(parameters, reader, width, constants, layers)
    unit = _unit(metadata.get("rnnkit.unit"))
    arrays = {
        key: np.ascontiguousarray(array.T if key in _TURNED else array, np.float32)
        for key, array in constants.items()
        if key.split(".")[0] in ("head", "attention", "embedding", "characters", "convolution")
        and not key.endswith((".W", ".R", ".B", ".P"))
    }
    for key in [key for key in arrays if key.startswith("convolution.weight")]:
        arrays[key] = np.ascontiguousarray(own_weight(arrays[key]))
    for key in [key for key in arrays if key.startswith("convolution.mean")]:
        # Of which a graph has no need: training goes on as after many minibatches.
        arrays[key.replace("mean", "share")] = np.full(1, 0.1, np.float32)
    for key, layer in layers.items():
        arrays |= _named(key, layer)
    given = GivenArrays(arrays)

    def fill(network: Network) -> None:
        for key, view in network.parameters.items():
            view[...] = given.take(key, view.shape)
        given.refuse_unused()
        if unit and isinstance(network.output, Quantiles):
            network.output = replace(network.output, **unit)

    return assemble(
        estimator,
        fill,
        n_numeric=reader.n_numeric,
        n_tokens=reader.n_tokens,
        n_outputs=len(arrays["head.bias"]),
        dtype=np.dtype("float32"),
        known=(reader, codec),
    )


def _unit(text: str | None) -> dict[str, Any]:
    """Return center and scale of the numbers that the network was trained in."""
    if text is None:
        return {}
    try:
        unit = {key: tuple(map(float, json.loads(text)[key])) for key in ("center", "scale")}
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(f"the metadata name no center and scale: {error!r}") from error
    return unit


def _class_named(name: str) -> type[RecurrentEstimator] | None:
    """Return the class of a name; None for others, and where no graph says all of it."""
    if name not in rnnkit.estimators.__all__:
        return None
    if name.startswith("Evolino") or name.endswith("SeriesGenerator"):
        return None
    kind: type = getattr(rnnkit.estimators, name)
    return kind if issubclass(kind, RecurrentEstimator) else None


def _parameters(text: str) -> dict[str, Any]:
    told = json.loads(text)
    parameters = {
        name: tuple(value) if isinstance(value, list) else value for name, value in told.items()
    }
    if told.get("convolutions") is not None:
        parameters["convolutions"] = convolutions_of(told["convolutions"])
    return parameters


def _named(key: str, layer: GivenLayer) -> dict[str, np.ndarray]:
    """Return a layer's weights by the names of the network's parameters; key is "rnn.l0"."""
    prefix, _, number = key.partition(".")
    return {
        f"{prefix}.{short}_{number}{suffix}": array
        for own, suffix in zip(layer.directions, ("", "_reverse"))
        for short, array in own.items()
    }


def _check_sizes(
    parameters: Mapping[str, Any],
    reader: Reader,
    n_outputs: int,
    constants: Mapping[str, np.ndarray],
    layers: Mapping[str, GivenLayer],
) -> None:
    """Raise ValueError if the metadata ask for other sizes than the arrays have.

    Memory is asked for by the metadata: so they are compared before.
    """
    stacked = [layer for key, layer in layers.items() if key.startswith("rnn.")]
    widths = tuple(layer.hidden_size for layer in stacked)
    found: dict[str, Any] = {"n_layers": len(widths), "hidden_size": widths[0] if widths else 0}
    said: dict[str, Any] = {name: parameters.get(name) for name in found}
    if isinstance(said["hidden_size"], tuple):
        found["n_layers"], found["hidden_size"] = 1, widths
    if "head.bias" not in constants:
        raise ValueError("the file has no 'head.bias'")
    found["outputs"], said["outputs"] = constants["head.bias"].size, n_outputs
    found["columns"] = reader.n_numeric + sum(
        array.shape[1] for key, array in constants.items() if key.startswith("embedding.")
    )
    if "characters.l0" in layers:
        found["columns"] += layers["characters.l0"].width
    read = _convolved(parameters.get("convolutions") or (), found["columns"], constants)
    if parameters.get("convolution_join") != "parallel":
        found["columns"] = read
    said["columns"] = stacked[0].n_inputs if stacked else 0
    if "characters.l0" in layers:
        found["character_hidden_size"] = layers["characters.l0"].hidden_size
        said["character_hidden_size"] = parameters.get("character_hidden_size")
        found["character_dim"] = constants["characters.embedding"].shape[1]
        said["character_dim"] = parameters.get("character_dim")
    tables = [a for key, a in constants.items() if key.startswith("embedding.")]
    spelled = [constants["characters.embedding"]] * reader.n_spelling if reader.n_spelling else []
    found["n_tokens"] = tuple(len(table) for table in [*tables, *spelled])
    said["n_tokens"] = reader.n_tokens
    for name, value in said.items():
        if value != found[name]:
            raise ValueError(f"the metadata say {name}={value!r}, the arrays {found[name]!r}")
    if reader.dtype not in ("float32", "float64") or reader.n_step_features < 1:
        raise ValueError(f"the metadata say dtype={reader.dtype!r} of {reader.n_step_features}")


def _convolved(shapes: Any, n_inputs: int, constants: Mapping[str, np.ndarray]) -> int:
    """Return what convolutions make of so many inputs; ValueError if the arrays are others."""
    for number, shape in enumerate(shapes):
        name = f"convolution.weight_l{number}"
        said = shape.channels, n_inputs, shape.width
        found = constants[name].shape if name in constants else None
        if found != said:
            raise ValueError(f"the metadata say {name} of shape {said}, the arrays {found}")
        n_inputs = shape.channels
    return n_inputs

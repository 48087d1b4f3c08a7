"""What an estimator of rnnkit learnt: what X and y are like, the network, its training.

The network is not in the file, its weights are: it is built anew from the parameters that the
weights were made with, as `fit` builds it, and takes the weights only if they are the very ones
that these parameters ask for.
"""

from __future__ import annotations

from collections.abc import Mapping, Set
from dataclasses import fields, replace
from itertools import pairwise
from typing import Any

import numpy as np
from sklearn import config_context

from rnnkit.backends.quantizing import LEVELS, dequantized, quantized_rows
from rnnkit.estimators.building import facts_of, rebuild
from rnnkit.estimators.codecs import Codec, codec_from_dict
from rnnkit.estimators.fitted import FittedEstimator
from rnnkit.estimators.language.model import RecurrentLanguageModel
from rnnkit.estimators.language.reading import reader_of
from rnnkit.estimators.language.vocabulary import Vocabulary
from rnnkit.estimators.parameters.checks import check_parameters
from rnnkit.estimators.reader import Reader
from rnnkit.exceptions import FormatError
from rnnkit.network import Network
from rnnkit.network.quantizing import is_quantized, matrices_of, quantized
from rnnkit.persistence.decoding import Decoder
from rnnkit.persistence.encoding import Encoder
from rnnkit.persistence.kinds import DTYPE, text_memory
from rnnkit.persistence.random_states import check_generator_state
from rnnkit.persistence.types import check_fields
from rnnkit.training import TrainingState

__all__ = ["decode_fit", "encode_fit"]

# Attributes that are told of in other words.
_TOLD = {
    "network_", "_reader", "_codec", "_built_with", "_trainer", "_training_state", "_trained_with",
}  # fmt: skip
_PARTS = ("reader", "codec", "built_with", "output", "facts", "weights")


def encode_fit(
    estimator: Any, below: str, encoder: Encoder, *, include_training_state: bool
) -> tuple[dict[str, Any], set[str]]:
    """Return what a fitted estimator learnt, and the attributes that this tells of.

    Parameters
    ----------
    estimator : FittedEstimator
    below : str
        What the names of its arrays begin with.
    encoder : Encoder
    include_training_state : bool
        Whether also what `partial_fit` goes on from.

    Raises
    ------
    ValueError
        If a weight is not finite, or one of a quantized network was changed.
    """
    network = estimator.network_
    parameters = estimator.get_params(deep=False)
    built_with = estimator._built_with
    base = _built(estimator, built_with)._make_output(estimator._codec)
    output = network.output
    if type(output) is not type(base):
        raise TypeError(
            f"cannot save {below}network_: {output!r} is not what its parameters ask for"
        )
    learnt = {
        field.name: getattr(output, field.name)
        for field in fields(base)
        if not _same(getattr(output, field.name), getattr(base, field.name))
    }
    weights, scales = {}, {}
    in_8_bits = matrices_of(network) if is_quantized(network) else []
    for name, array in network.parameters.items():
        if not np.isfinite(array).all():
            raise ValueError(f"cannot save {below}{name}: a weight is NaN or infinite")
        if name in in_8_bits:
            integers, scale = quantized_rows(array)
            if not np.array_equal(dequantized(integers, scale), array):
                raise ValueError(
                    f"cannot save {below}{name}: its numbers were changed and are none of 8 bits; "
                    "quantize the estimator once more"
                )
            array = integers
            scales[name] = encoder.add_array(scale, f"{below}{name}.scale")
        weights[name] = encoder.add_array(array, below + name)
    changed = {
        k: v for k, v in built_with.items() if k not in parameters or not _same(v, parameters[k])
    }
    told = {
        "reader": encoder.encode(estimator._reader.to_dict(), f"{below}reader"),
        "codec": encoder.encode(estimator._codec.to_dict(), f"{below}codec"),
        "built_with": encoder.encode(changed, f"{below}built_with"),
        "output": encoder.encode(learnt, f"{below}output"),
        "facts": encoder.encode(facts_of(network), f"{below}facts"),
        "weights": weights,
    }
    if scales:
        told["scales"] = scales
    if include_training_state:
        state = getattr(estimator, "_training_state", None)
        if hasattr(estimator, "_trainer"):
            state = estimator._trainer.state()
        if state is not None:
            told["training"] = encoder.encode(
                {
                    "state": {field.name: getattr(state, field.name) for field in fields(state)},
                    "with": estimator._trained_with,
                },
                f"{below}training",
            )
    return told, _TOLD


def _same(a: Any, b: Any) -> bool:
    """Whether two parameters are one object, or equal and of one type throughout."""
    if a is b:
        return True
    if type(a) is not type(b):
        return False
    if isinstance(a, np.ndarray):
        return a.dtype == b.dtype and np.array_equal(a, b)
    if isinstance(a, (list, tuple)):
        return len(a) == len(b) and all(map(_same, a, b))
    if isinstance(a, dict):
        return list(a) == list(b) and all(_same(a[key], b[key]) for key in a)
    return bool(a == b)


def _built(estimator: Any, parameters: dict[str, Any]) -> Any:
    """Return an estimator with the parameters that the weights were made with."""
    return type(estimator)(**parameters)


def decode_fit(estimator: FittedEstimator, told: Any, decoder: Decoder) -> None:
    """Give an estimator what `encode_fit` told of.

    Raises
    ------
    FormatError
        If the parts do not fit together, or a weight is not finite.
    """
    if not isinstance(told, dict) or not set(_PARTS) <= told.keys() <= {
        *_PARTS,
        "scales",
        "training",
    }:
        raise FormatError(f"a fitted estimator must have {', '.join(_PARTS)}")
    plain = {part: decoder.decode(told[part]) for part in _PARTS[:-1]}
    for part, value in plain.items():
        if not isinstance(value, dict):
            raise FormatError(f"its {part} is no table")
    _require_known("reader", plain["reader"], {field.name for field in fields(Reader)})
    reader = Reader.from_dict(plain["reader"])
    check_fields(reader, "reader")
    _check_reader(reader)
    _check_texts(plain["codec"])
    codec = codec_from_dict(plain["codec"])
    _check_language(estimator, reader, codec)
    built_with = {**estimator.get_params(deep=False), **plain["built_with"]}
    built: Any = _built(estimator, built_with)
    with config_context(skip_parameter_validation=False):
        check_parameters(built)
    output = built._make_output(codec)
    _require_known("output", plain["output"], {field.name for field in fields(output)})
    output = replace(output, **plain["output"])
    check_fields(output, "output")
    for name in ("center", "scale"):
        numbers = getattr(output, name, None)
        if numbers is not None and len(numbers) not in (codec.width, output.width):
            raise FormatError(f"{name} of the output has {len(numbers)} numbers for {codec.width}")
    scales = told.get("scales", {})
    network = _network(built, reader, output, plain["facts"], told["weights"], scales, decoder)
    _require_known("facts", plain["facts"], facts_of(network).keys())
    holder: Any = estimator
    holder._reader, holder._codec, holder.network_ = reader, codec, network
    holder._built_with = built_with
    if "training" in told:
        training = decoder.decode(told["training"])
        holder._training_state = _training_state(training["state"], network)
        # What the file's version did not know has had its default then as now.
        holder._trained_with = {**estimator.get_params(), **training["with"]}


def _check_reader(reader: Reader) -> None:
    """Refuse counts and columns that no X could have given."""
    for name, value in vars(reader).items():
        if isinstance(value, int) and value < 0:
            raise FormatError(f"{name} of its reader is {value!r:.100}")
    columns = reader.token_columns
    if not (
        len(columns) == len(reader.n_tokens) >= reader.n_spelling
        and all(0 <= column < reader.n_step_features for column in columns)
        and all(n >= 1 for n in reader.n_tokens)
    ):
        raise FormatError(
            f"its reader has columns of ids that do not fit together: {columns!r:.100}"
        )


def _check_language(estimator: Any, reader: Reader, codec: Codec) -> None:
    """Refuse tokens that are others than those which the network reads."""
    is_language = isinstance(estimator, RecurrentLanguageModel)
    if is_language != isinstance(codec, Vocabulary):
        raise FormatError(f"{type(estimator).__name__} has targets of another kind")
    if isinstance(codec, Vocabulary) and reader != reader_of(codec):
        raise FormatError(f"its {len(codec.tokens)} tokens are not those that its network reads")


def _require_known(part: str, plain: dict[str, Any], known: Set[str]) -> None:
    """Refuse what a later version knows and this one would leave out."""
    unknown = plain.keys() - known
    if unknown:
        raise FormatError(f"its {part} has the unknown entry {min(unknown)!r:.100}")


def _check_texts(codec: dict[str, Any]) -> None:
    """Refuse classes that would be arrays of far more memory than their text."""
    classes, dtype = codec.get("classes"), codec.get("dtype")
    if classes is None:
        return
    if not isinstance(classes, list):
        raise FormatError("its classes are no list")
    if not isinstance(dtype, str) or not DTYPE.fullmatch(dtype):  # NumPy would parse any text
        raise FormatError(f"its classes have the dtype {dtype!r:.100}")
    if np.dtype(dtype).kind in "US":
        if not all(isinstance(label, (str, bytes)) for label in classes):
            raise FormatError(f"its classes of dtype {dtype} are no texts")
        text_memory(len(classes), np.dtype(dtype).itemsize, sum(map(len, classes)))
    if any(not a < b for a, b in pairwise(classes)):
        raise FormatError("its classes are not sorted")


def _network(
    built: Any,
    reader: Reader,
    output: Any,
    facts: dict[str, Any],
    names: Any,
    scales: Any,
    decoder: Decoder,
) -> Any:
    if not isinstance(names, dict) or not names:
        raise FormatError("its weights are no table")
    if built.n_layers > len(names):
        raise FormatError(f"n_layers={built.n_layers!r} needs more than {len(names)} weights")
    if reader.dtype not in ("float32", "float64"):
        raise FormatError(f"it computes in {reader.dtype!r:.100}")
    shapes = {name: decoder.container.shape(place) for name, place in names.items()}

    def read(wanted: Mapping[str, tuple[int, ...]]) -> np.ndarray:
        """Read the weights, if they are those that the network has."""
        for name, shape in wanted.items():
            if shapes.get(name) != shape:
                found = f"has the shape {shapes[name]}" if name in shapes else "is not there"
                raise FormatError(f"its weight {name} {found}; the parameters ask for {shape}")
        if list(shapes) != list(wanted):
            raise FormatError(f"its weights must be {', '.join(wanted)}, got {', '.join(shapes)}")
        if scales:
            return _read_8_bits(names, scales, decoder)
        flat = decoder.container.read_flat(list(names.values()))
        if flat.dtype != reader.dtype:
            raise FormatError(f"its weights are {flat.dtype}, but it computes in {reader.dtype}")
        if not np.isfinite(flat).all():
            raise FormatError("a weight is NaN or infinite")
        return flat

    network = rebuild(built, reader, output, facts, read)
    if not scales:
        return network
    network = quantized(network)
    if not is_quantized(network) or list(scales) != matrices_of(network):
        raise FormatError("its scales must be those of all matrices of a recurrent network")
    return network


def _read_8_bits(names: dict[str, Any], scales: Any, decoder: Decoder) -> np.ndarray:
    """Return the weights of a quantized network as one vector of float32."""
    if not isinstance(scales, dict) or not scales.keys() <= names.keys():
        raise FormatError("its scales are no table of its weights")
    pieces = []
    for name, place in names.items():
        array = decoder.container.read(place)
        if name in scales:
            scale = decoder.container.read(scales[name])
            if array.dtype != np.int8 or array.ndim != 2 or (array < -LEVELS).any():
                raise FormatError(f"its weight {name} is no matrix of integers from {-LEVELS} on")
            if scale.dtype != np.float32 or scale.shape != array.shape[:1] or (scale < 0).any():
                raise FormatError(f"its weight {name} has no float32 scale for each of its rows")
            array = dequantized(array, scale)
        if array.dtype != np.float32 or not np.isfinite(array).all():
            raise FormatError(f"its weight {name} is no finite float32")
        pieces.append(array.ravel())
    return np.concatenate(pieces)


def _training_state(plain: Any, network: Network) -> TrainingState:
    """Return the state of a training of a network, if it is one."""
    if not isinstance(plain, dict) or plain.keys() != {
        field.name for field in fields(TrainingState)
    }:
        raise FormatError("the state of the training lacks a part or has another")
    state = TrainingState(**plain)
    flat = network.parameters.flat
    vectors = {"weights": state.weights, **(state.solver or {}).get("vectors", {})}
    for progress in (state.loss_progress, state.validation_progress):
        if progress["best_weights"] is not None:
            vectors["best_weights"] = progress["best_weights"]
    for name, vector in vectors.items():
        if not isinstance(vector, np.ndarray) or (vector.shape, vector.dtype) != (
            flat.shape,
            flat.dtype,
        ):
            raise FormatError(f"{name} of the training must be like the weights")
        if not np.isfinite(vector).all():
            raise FormatError(f"{name} of the training are not finite")
    check_generator_state(state.random_state, legacy=True)
    check_generator_state(state.noise, legacy=False)
    return state

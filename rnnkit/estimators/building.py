"""The network that an estimator's parameters and its X ask for."""

from __future__ import annotations

from collections.abc import Mapping
from numbers import Real
from typing import Any

import numpy as np

from rnnkit.backends.memory import host_memory
from rnnkit.estimators.embeddings import brought_tables, place_tables, table_widths
from rnnkit.estimators.parameters.checks import ACTIVATION_PARAMETERS, read_activation
from rnnkit.estimators.parameters.field import equal, values_for
from rnnkit.estimators.reader import Reader, one_for_each
from rnnkit.estimators.static import places_of_columns
from rnnkit.estimators.transaction import at_this_moment
from rnnkit.network import (
    Adversarial,
    Autoencoder,
    CharacterEncoder,
    Embedding,
    Network,
    Output,
    RecurrentBoltzmann,
)
from rnnkit.network.encoder_decoder import EncoderDecoder
from rnnkit.network.layers import Layer
from rnnkit.network.meeting import Meeting
from rnnkit.network.memory import TOO_LITTLE_TO_ASK, Size, refuse_too_much, size_of
from rnnkit.network.network import Memory
from rnnkit.network.previous import Previous
from rnnkit.network.repeating import Repeating
from rnnkit.network.tokens import unknown_rates
from rnnkit.network.writer import Writer
from rnnkit.sequences import Sequences

__all__ = [
    "build",
    "facts_of",
    "initialize",
    "names_of_other_weights",
    "rebuild",
    "size_of_network",
]


def build(
    estimator: Any, reader: Reader, output: Output, sequences: Sequences, start: Any
) -> Network:
    """Build the network of an estimator; its parameters are still zero.

    Parameters
    ----------
    estimator : estimator
        Whose parameters describe the network.
    reader : Reader
        What X is like.
    output : Output
        What the network ends in.
    sequences : Sequences
        The training data.
    start : float or ndarray of shape (K,)
        The raw scores that a prediction starts from before anything is learned.

    Returns
    -------
    Network

    Raises
    ------
    ValueError
        If a parameter does not fit X.
    MemoryError
        If the weights alone do not fit what memory is there.
    """
    size = size_of_network(estimator, reader, output)
    parts = size.weight_parts(np.dtype(reader.dtype).itemsize)
    if sum(parts.values()) > TOO_LITTLE_TO_ASK:
        subject = f"hidden_size={estimator.hidden_size!r}"
        refuse_too_much(parts, host_memory(), subject, "use a smaller one")
    _check_magnitudes(estimator, reader)
    facts = {
        "longest": int(sequences.lengths.max()),
        "start": start,
        "unknown_rates": _unknown_rates(estimator.token_dropout, reader, sequences),
    }
    return rebuild(estimator, reader, output, facts)


def rebuild(
    estimator: Any,
    reader: Reader,
    output: Output,
    facts: Mapping[str, Any],
    memory: Memory | None = None,
) -> Network:
    """Build a network from what it once took from its training data.

    Parameters
    ----------
    estimator, reader, output
        As in `build`.
    facts : mapping
        What `facts_of` tells of such a network.
    memory : callable, default=None
        As in `Network`.

    Returns
    -------
    Network

    Raises
    ------
    ValueError
        If a parameter does not fit X.
    """
    layers = _layers(estimator, reader, output, facts, estimator.n_layers)
    return _kind_of(layers)(layers, output, reader.dtype, memory)


def _kind_of(layers: list[Layer]) -> type[Network]:
    """Return the kind of network that a chain of layers makes."""
    if isinstance(layers[-1], Writer):
        return EncoderDecoder
    if any(isinstance(layer, Previous) for layer in layers):
        return RecurrentBoltzmann
    if any(isinstance(layer, Meeting) for layer in layers):
        return Adversarial
    is_autoencoder = any(isinstance(layer, Repeating) for layer in layers)
    return Autoencoder if is_autoencoder else Network


def size_of_network(estimator: Any, reader: Reader, output: Output) -> Size:
    """Return the size of the network that `build` would build, at no cost however large it is.

    Layers from the third on are alike, so of more than three there are as many times the same.
    """
    if isinstance(estimator.hidden_size, tuple):
        return size_of(_layers(estimator, reader, output, {"longest": 1}, 1), output)
    n_layers = int(estimator.n_layers)
    sizes = [
        size_of(_layers(estimator, reader, output, {"longest": 1}, n), output)
        for n in ([n_layers] if n_layers <= 3 else [2, 3])
    ]
    return sizes[-1] if n_layers <= 3 else sizes[1].with_more_layers(sizes[0], n_layers - 3)


def _layers(
    estimator: Any, reader: Reader, output: Output, facts: Mapping[str, Any], n_layers: int
) -> list[Layer]:
    options = values_for(estimator, "network", "cell")
    for name in options.keys() & set(ACTIVATION_PARAMETERS):
        if options[name] is not None:
            options[name] = read_activation(options[name], name)
    tokens = _token_layers(estimator, reader, facts.get("unknown_rates"))
    return estimator._build_layers(  # type: ignore[no-any-return]
        estimator._cell,
        reader.n_numeric,
        output,
        per_step=estimator._per_step,
        longest=facts.get("longest"),
        output_bias=facts.get("start", 0.0),
        tokens=tokens,
        static=_static_places(reader, tokens or []),
        **{**options, "n_layers": n_layers},
    )


def facts_of(network: Network) -> dict[str, Any]:
    """Return what a network took from its training data beside weights and output."""
    first: Any = network.layers[0]
    tables = [t for t in getattr(first, "parts", ()) if isinstance(t, Embedding)]
    head: Any = network.layers[-1]
    return {
        "longest": network.recurrent_layers[0].longest if network.recurrent_layers else None,
        "start": head.bias,
        "unknown_rates": tables[0].unknown_rates if tables else None,
    }


def names_of_other_weights(
    estimator: Any, reader: Reader, codec: Any, built_with: Mapping[str, Any]
) -> list[str]:
    """Return the changed parameters each of which alone asks for other weights than are there."""
    network = estimator.network_
    facts, shapes = facts_of(network), network.parameters.shapes

    def asks_for_others(name: str) -> bool:
        other = at_this_moment(estimator)
        vars(other).update(built_with)
        setattr(other, name, getattr(estimator, name))
        try:
            own = rebuild(other, reader, other._make_output(codec), facts).parameters.shapes
        except ValueError:
            return True
        return bool(own != shapes)

    changed = [name for name in built_with if not equal(getattr(estimator, name), built_with[name])]
    return list(filter(asks_for_others, changed)) or changed


def _token_layers(
    estimator: Any, reader: Reader, rates: list[np.ndarray] | None
) -> list[Embedding | CharacterEncoder] | None:
    """Return what turns columns of ids into features: tables, and a reader of spellings."""
    n_columns = len(reader.token_columns)
    if not n_columns:
        return None
    n_tables = n_columns - reader.n_spelling
    layers: list[Embedding | CharacterEncoder] = []
    if n_tables:
        dims = one_for_each(estimator.embedding_dim, "embedding_dim", n_tables, "column of ids")
        widths = table_widths(estimator.embedding_dim, dims, _tables(estimator, reader))
        layers.append(
            Embedding(
                reader.n_tokens[:n_tables],
                widths,
                unknown_rates=rates,
                trainable=estimator.embedding_trainable,
            )
        )
    if reader.n_spelling:
        layers.append(
            CharacterEncoder(
                reader.n_tokens[-1],
                estimator.character_dim,
                estimator.character_hidden_size,
                (n_tables, n_columns),
                estimator._cell,
            )
        )
    return layers


def _static_places(reader: Reader, tokens: list[Embedding | CharacterEncoder]) -> list[int]:
    """Return where the static columns lie among the features of a step."""
    if not reader.static_columns:
        return []
    widths: list[int] = []
    for layer in tokens:
        widths += layer.dims if isinstance(layer, Embedding) else [layer.width]
    columns = reader.token_columns[: len(widths)]
    numbers = [j for j in range(reader.n_step_features) if j not in reader.token_columns]
    return places_of_columns(reader.static_columns, numbers, columns, widths)


def initialize(network: Network, estimator: Any, reader: Reader, rng: Any) -> None:
    """Draw the weights of an estimator's network, and put in the tables that were brought along.

    Raises
    ------
    ValueError
        If a table does not fit.
    """
    network.initialize(rng)
    place_tables(network, _tables(estimator, reader))


def _tables(estimator: Any, reader: Reader) -> list[np.ndarray | None]:
    """Return the table of each column of ids that is not of the spelling; None: to be drawn."""
    n = len(reader.token_columns) - reader.n_spelling
    if estimator.embedding_init is None or not n:
        return [None] * n
    called = tuple(reader.called(column) for column in reader.token_columns[:n])
    words = reader.words[:n] or (None,) * n
    return brought_tables(estimator.embedding_init, called, reader.n_tokens[:n], words)


def _unknown_rates(
    strength: float, reader: Reader, sequences: Sequences
) -> list[np.ndarray] | None:
    """Return how often each id of each table is read as unknown in training."""
    n_tables = len(reader.token_columns) - reader.n_spelling
    if not strength or n_tables < 1:
        return None
    tokens = reader.inputs(sequences).tokens
    assert tokens is not None
    return [
        unknown_rates(np.bincount(ids, minlength=n_tokens), strength)
        for ids, n_tokens in zip(tokens.T[:n_tables], reader.n_tokens)
    ]


def _check_magnitudes(estimator: Any, reader: Reader) -> None:
    """Raise if a number of the network would be infinite in the dtype it computes in."""
    largest = float(np.finfo(reader.dtype).max)
    for name, value in values_for(estimator, "network", "cell").items():
        parts = value.values() if isinstance(value, dict) else value
        for number in parts if isinstance(value, (dict, tuple, list)) else [value]:
            if isinstance(number, Real) and abs(float(number)) > largest:
                raise ValueError(
                    f"{name}={value!r} is too large for {np.dtype(reader.dtype)}, in which the "
                    "network computes"
                )

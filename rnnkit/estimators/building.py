"""The network that an estimator's parameters and its X ask for."""

from __future__ import annotations

from typing import Any

import numpy as np

from rnnkit.backends.memory import host_memory
from rnnkit.estimators.parameters.checks import read_activation
from rnnkit.estimators.parameters.field import values_for
from rnnkit.estimators.reader import Reader, one_for_each
from rnnkit.network import CharacterEncoder, Embedding, Network, Output
from rnnkit.network.building import build_layers
from rnnkit.network.layers import Layer
from rnnkit.network.memory import TOO_LITTLE_TO_ASK, Size, refuse_too_much, size_of
from rnnkit.network.tokens import unknown_rates
from rnnkit.sequences import Sequences

__all__ = ["build", "size_of_network"]


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
    longest = int(sequences.lengths.max())
    layers = _layers(estimator, reader, output, estimator.n_layers, longest, start, sequences)
    return Network(layers, output, reader.dtype)


def size_of_network(estimator: Any, reader: Reader, output: Output) -> Size:
    """Return the size of the network that `build` would build, at no cost however large it is.

    Layers from the third on are alike, so of more than three there are as many times the same.
    """
    n_layers = int(estimator.n_layers)
    sizes = [
        size_of(_layers(estimator, reader, output, n, 1, 0.0, None), output)
        for n in ([n_layers] if n_layers <= 3 else [2, 3])
    ]
    return sizes[-1] if n_layers <= 3 else sizes[1].with_more_layers(sizes[0], n_layers - 3)


def _layers(
    estimator: Any,
    reader: Reader,
    output: Output,
    n_layers: int,
    longest: int,
    start: Any,
    sequences: Sequences | None,
) -> list[Layer]:
    """Return the layers of the network; without sequences all but how tokens are dropped."""
    options = values_for(estimator, "network", "cell")
    for name in options.keys() & {"activation", "gate_activation"}:
        options[name] = read_activation(options[name], name)
    return build_layers(
        estimator._cell,
        reader.n_numeric,
        output,
        per_step=estimator._per_step,
        longest=longest,
        output_bias=start,
        tokens=_token_layers(estimator, reader, sequences),
        **{**options, "n_layers": n_layers},
    )


def _token_layers(
    estimator: Any, reader: Reader, sequences: Sequences | None
) -> list[Embedding | CharacterEncoder] | None:
    """Return what turns columns of ids into features: tables, and a reader of spellings."""
    n_columns = len(reader.token_columns)
    if not n_columns:
        return None
    n_tables = n_columns - reader.n_spelling
    layers: list[Embedding | CharacterEncoder] = []
    if n_tables:
        widths = one_for_each(estimator.embedding_dim, "embedding_dim", n_tables, "column of ids")
        rates = _unknown_rates(estimator.token_dropout, reader, sequences, n_tables)
        layers.append(Embedding(reader.n_tokens[:n_tables], widths, unknown_rates=rates))
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


def _unknown_rates(
    strength: float, reader: Reader, sequences: Sequences | None, n_tables: int
) -> list[np.ndarray] | None:
    if not strength or sequences is None:
        return None
    tokens = reader.inputs(sequences).tokens
    assert tokens is not None
    return [
        unknown_rates(np.bincount(ids, minlength=n_tokens), strength)
        for ids, n_tokens in zip(tokens.T[:n_tables], reader.n_tokens)
    ]

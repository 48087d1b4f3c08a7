"""Layers for token inputs: embedding tables, a character-level word encoder, both side by side.

A step's tokens are C integer columns; id 0 is padding or unknown.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from rnnkit.backends.interface import Array
from rnnkit.cells import LayerSpec
from rnnkit.network.dropout import InputNoise
from rnnkit.network.inputs import Inputs
from rnnkit.network.layers import Binding, Call, Layer, Operation, RowBuffer
from rnnkit.network.lookup import Lookup
from rnnkit.network.recurrent import Recurrent, both_directions
from rnnkit.sequences import pack

__all__ = [
    "CharacterEncoder",
    "Embedding",
    "TokenFeatures",
    "TokenFeaturesOperation",
    "unknown_rates",
]

Tokens = Any  # (P, C) intp


def _check_embedding(name: str, size: int, dim: int) -> None:
    if size < 1 or dim < 1:
        raise ValueError(f"{name} needs at least 1 id and 1 dimension, got {size} and {dim}")


def _draw_table(table: np.ndarray, rng: Any) -> None:
    """Draw vectors of length about 1 from the normal distribution; row 0, the unknown, is zero."""
    table[...] = rng.standard_normal(table.shape) / math.sqrt(table.shape[1])
    table[0] = 0.0


class Embedding(Layer):
    """One table of vectors per token column; the vectors of a step are concatenated.

    Parameters
    ----------
    sizes : sequence of int
        Number of ids of each column, id 0 included.
    dims : sequence of int
        Width of each column's vectors.
    first_column : int, default=0
        Which token column the first table reads; the others follow it.
    unknown_rates : sequence of arrays of shape (sizes[c],), default=None
        For each column the probability that an id is read as 0 while training, drawn for each
        column of a step alone; so the network learns to do with the other columns and the
        context. See `rnnkit.network.tokens.unknown_rates`.
    trainable : bool, default=True
        Whether training changes the tables.
    prefix : str, default="embedding"
        First part of the parameters' names.

    Notes
    -----
    Parameters "embedding.weight_c" (sizes[c], dims[c]), c the token column. A minibatch has a
    gradient for the rows that it looks up; what a step costs depends on how many rows of a large
    table were ever looked up, not on its size (see `rnnkit.training.Solver`).
    """

    def __init__(
        self,
        sizes: Sequence[int],
        dims: Sequence[int],
        *,
        first_column: int = 0,
        unknown_rates: Sequence[np.ndarray] | None = None,
        trainable: bool = True,
        prefix: str = "embedding",
    ) -> None:
        if len(sizes) != len(dims):
            raise ValueError(f"sizes and dims must be equally many, got {len(sizes)}, {len(dims)}")
        for size, dim in zip(sizes, dims):
            _check_embedding("Embedding", size, dim)
        if unknown_rates is not None and [np.shape(rates) for rates in unknown_rates] != [
            (size,) for size in sizes
        ]:
            raise ValueError(
                f"unknown_rates must have one rate for each id of each column, {tuple(sizes)} "
                f"ids, got shapes {[np.shape(rates) for rates in unknown_rates]}"
            )
        self.sizes = tuple(sizes)
        self.dims = tuple(dims)
        self.first_column = first_column
        self.prefix = prefix
        self.unknown_rates = unknown_rates
        self.frozen = () if trainable else tuple(self.names)

    @property
    def width(self) -> int:
        """Width of its output."""
        return sum(self.dims)

    @property
    def tables(self) -> tuple[str, ...]:  # type: ignore[override]
        """The full name of each table that is trained."""
        return () if self.frozen else tuple(self.names)

    @property
    def names(self) -> list[str]:
        """The full name of each table."""
        first = self.first_column
        return [f"{self.prefix}.weight_{first + column}" for column in range(len(self.sizes))]

    def parameter_shapes(self) -> dict[str, tuple[int, ...]]:
        """Return the full name and shape of each parameter, in storage order."""
        return dict(zip(self.names, zip(self.sizes, self.dims)))

    def initialize(self, parameters: Mapping[str, np.ndarray], rng: Any) -> None:
        """Draw vectors of length about 1; that of id 0 is zero."""
        for name in self.names:
            _draw_table(parameters[name], rng)

    def bind(self, binding: Binding) -> Operation:
        """Return the layer's operation."""
        return _EmbeddingOperation(self, binding)


class _EmbeddingOperation:
    def __init__(self, layer: Embedding, binding: Binding) -> None:
        self._backend = binding.backend
        self._tables = [binding.parameters[name] for name in layer.names]
        gradients = binding.gradients
        learns = bool(gradients) and not layer.frozen
        self._gradients = [gradients[name] for name in layer.names] if learns else []
        self._looked_up = [binding.looked_up.get(name) for name in layer.names]
        last = layer.first_column + len(layer.sizes)
        self._columns = slice(layer.first_column, last)
        self._unknown_rates = layer.unknown_rates
        self._output = RowBuffer(layer.width, binding.dtype, binding.backend)

    def look_up(self, x: Tokens, call: Call) -> list[Lookup]:
        """Return which rows of each table the tokens are; `backward` adds to these."""
        ids = x[:, self._columns]
        if self._unknown_rates is not None and call.training and call.noise is not None:
            rates = np.stack([rate[i] for rate, i in zip(self._unknown_rates, ids.T)], axis=1)
            ids = np.where(call.noise.random(ids.shape, dtype=np.float32) < rates, 0, ids)
        self._ids = ids.T
        return [Lookup(table, column) for table, column in zip(self._tables, self._ids)]

    def forward(self, x: Tokens, call: Call) -> Array:
        output = self._output.rows(len(x))
        start = 0
        for found in self.look_up(x, call):
            end = start + found.table.shape[1]
            output[:, start:end] = found.table[self._backend.xp.asarray(found.row_of)]
            start = end
        return output

    def backward(self, dy: Array) -> None:
        start = 0
        for gradient, column, rows in zip(self._gradients, self._ids, self._looked_up):
            end = start + gradient.shape[1]
            if rows is not None:  # first: whatever ends the call then, no row is forgotten
                rows.add(column)
            self._backend.add_rows(gradient, column, dy[:, start:end])
            start = end


def unknown_rates(counts: np.ndarray, strength: float) -> np.ndarray:
    """Return how often ids are to be read as unknown in training: the rarer, the more often.

    Parameters
    ----------
    counts : array of shape (V,)
        n, how often each id occurs in the training data.
    strength : float
        a, at least 0; an id that occurs a times is read as unknown every other time.

    Returns
    -------
    array of shape (V,), float32
        ``a / (a + n)``, and 0 for ids that do not occur. Source: Kiperwasser & Goldberg (2016),
        "Simple and Accurate Dependency Parsing Using Bidirectional LSTM Feature
        Representations".
    """
    rates = np.zeros(len(counts), np.float32)
    np.divide(strength, counts + strength, out=rates, where=counts > 0, casting="same_kind")
    return rates


class CharacterEncoder(Layer):
    """Spell each word through a bidirectional recurrent layer and keep its last states.

    Parameters
    ----------
    size : int
        Number of character ids, id 0 included.
    dim : int
        Width of a character's vector.
    hidden_size : int
        H of each direction; the encoder gives 2 H features per word.
    columns : tuple of two int
        First token column with a word's characters and the one after the last; shorter words
        are filled up with id 0.
    cell : {"lstm", "gru", "rnn"}, default="lstm"
        The recurrent cell.

    Notes
    -----
    Every different word of a minibatch is spelled once. Parameters "characters.embedding"
    (size, dim) and those of a recurrent layer under the prefix "characters".
    """

    def __init__(
        self,
        size: int,
        dim: int,
        hidden_size: int,
        columns: tuple[int, int],
        cell: str = "lstm",
    ) -> None:
        _check_embedding("CharacterEncoder", size, dim)
        if not columns[0] < columns[1]:
            raise ValueError(f"columns must be (first, end) with first < end, got {columns!r}")
        self.size = size
        self.dim = dim
        self.columns = tuple(columns)
        self.recurrent = Recurrent(
            both_directions(LayerSpec(cell, dim, hidden_size)),
            last_only=True,
            prefix="characters",
        )

    @property
    def width(self) -> int:
        """Width of its output."""
        return self.recurrent.width

    def parameter_shapes(self) -> dict[str, tuple[int, ...]]:
        """Return the full name and shape of each parameter, in storage order."""
        return {
            "characters.embedding": (self.size, self.dim),
            **self.recurrent.parameter_shapes(),
        }

    def initialize(self, parameters: Mapping[str, np.ndarray], rng: Any) -> None:
        """Draw vectors of length about 1, that of id 0 being zero, and the recurrent weights."""
        _draw_table(parameters["characters.embedding"], rng)
        self.recurrent.initialize(parameters, rng)

    def bind(self, binding: Binding) -> Operation:
        """Return the layer's operation."""
        return _CharacterOperation(self, binding)


class _CharacterOperation:
    def __init__(self, layer: CharacterEncoder, binding: Binding) -> None:
        self._backend = binding.backend
        self._columns = slice(*layer.columns)
        self._table = binding.parameters["characters.embedding"]
        self._gradient = binding.gradients.get("characters.embedding")
        self._recurrent = layer.recurrent.bind(replace(binding, input_gradient=True))
        self._output = RowBuffer(layer.width, binding.dtype, binding.backend)
        self._call = Call()

    def forward(self, x: Tokens, call: Call) -> Array:
        words, self._word_of_row = _different_words(x[:, self._columns])
        plan = pack(_word_lengths(words))
        starts = np.arange(len(words)) * words.shape[1]
        self._ids = words.ravel()[plan.rows(starts)]
        self._position = np.argsort(plan.order)  # of each word in packed order
        inner = self._call
        inner.plan, inner.training, inner.noise = plan, call.training, call.noise
        self._recurrent.state = None
        upload = self._backend.xp.asarray
        features = self._recurrent.forward(Lookup(self._table, self._ids), inner)
        output = self._output.rows(len(self._word_of_row))
        output[...] = features[upload(self._position[self._word_of_row])]
        return output

    def backward(self, dy: Array) -> None:
        backend = self._backend
        dfeatures = backend.xp.zeros((len(self._position), dy.shape[1]), dy.dtype)
        backend.add_rows(dfeatures, self._position[self._word_of_row], dy)
        dcharacters = self._recurrent.backward(dfeatures)
        if len(self._ids):
            backend.add_rows(self._gradient, self._ids, dcharacters)


def _different_words(characters: Tokens) -> tuple[np.ndarray, np.ndarray]:
    """Return the different rows of characters (P, M) and, for each row, which one it is (P,)."""
    rows = np.ascontiguousarray(characters)
    as_bytes = rows.view(np.dtype((np.void, rows.itemsize * rows.shape[1])))[:, 0]
    _, first, word_of_row = np.unique(as_bytes, return_index=True, return_inverse=True)
    return rows[first], word_of_row


def _word_lengths(words: np.ndarray) -> np.ndarray:
    """Return the length (U,) of words (U, M): up to the last id that is not 0."""
    positions = np.arange(1, words.shape[1] + 1)
    lengths: np.ndarray = (positions * (words != 0)).max(axis=1, initial=0)
    return lengths


class TokenFeatures(Layer):
    """First layer of a network with tokens: all features of a step side by side.

    Parameters
    ----------
    parts : sequence of Embedding or CharacterEncoder
        What turns the token columns into features, in the order of their output.
    n_numeric : int, default=0
        I, the number of numeric features, which come last.
    input_noise : float, default=0.0
        Standard deviation of Gaussian noise on the numeric features while training.
    """

    def __init__(
        self,
        parts: Sequence[Embedding | CharacterEncoder],
        n_numeric: int = 0,
        input_noise: float = 0.0,
    ) -> None:
        self.parts = tuple(parts)
        self.n_numeric = n_numeric
        self.noise = InputNoise(input_noise)
        self.frozen = tuple(name for part in self.parts for name in part.frozen)
        self.tables = tuple(name for part in self.parts for name in part.tables)

    @property
    def width(self) -> int:
        """Width of its output."""
        return sum(part.width for part in self.parts) + self.n_numeric

    def parameter_shapes(self) -> dict[str, tuple[int, ...]]:
        """Return the full name and shape of each parameter, in storage order."""
        return {
            name: shape for part in self.parts for name, shape in part.parameter_shapes().items()
        }

    def initialize(self, parameters: Mapping[str, np.ndarray], rng: Any) -> None:
        """Draw the parameters of every part."""
        for part in self.parts:
            part.initialize(parameters, rng)

    def bind(self, binding: Binding) -> Operation:
        """Return the layer's operation."""
        return TokenFeaturesOperation(self, binding)


class TokenFeaturesOperation:
    """All parts side by side; see `rnnkit.network.layers.Operation`.

    Attributes
    ----------
    hands_lookups_over : bool
        Whether the next layer takes a `Lookup`: it gets one where a step is one id and no more.
    """

    hands_lookups_over = False

    def __init__(self, layer: TokenFeatures, binding: Binding) -> None:
        self._parts = [(part.bind(binding), part.width) for part in layer.parts]
        first = layer.parts[0] if len(layer.parts) == 1 and not layer.n_numeric else None
        self._is_one_id = isinstance(first, Embedding) and len(first.sizes) == 1
        self._noise = layer.noise.bind(binding)
        self._n_numeric = layer.n_numeric
        self._output = RowBuffer(layer.width, binding.dtype, binding.backend)

    def forward(self, x: Inputs, call: Call) -> Array | Lookup:
        tokens = x.tokens
        if self._is_one_id and self.hands_lookups_over:
            only: Any = self._parts[0][0]
            return only.look_up(tokens, call)[0]
        output = self._output.rows(len(x))
        start = 0
        for part, width in self._parts:
            output[:, start : start + width] = part.forward(tokens, call)
            start += width
        if self._n_numeric:
            output[:, start:] = self._noise.forward(x.numeric, call)
        return output

    def backward(self, dy: Array) -> None:
        start = 0
        for part, width in self._parts:
            part.backward(dy[:, start : start + width])
            start += width

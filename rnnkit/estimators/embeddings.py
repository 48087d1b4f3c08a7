"""Embedding tables brought along: arrays in the order of ids, or a vector for each word."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from rnnkit.network import Network
from rnnkit.sequences.words import table_of_words

__all__ = [
    "brought_tables",
    "for_each_column",
    "is_by_word",
    "looks_up_ids",
    "n_ids_of",
    "place_tables",
    "table_widths",
]

Words = tuple[Any, ...]  # the words, or labels, of the ids 1, 2, ... of a column


def looks_up_ids(estimator: Any) -> bool:
    """Whether an estimator's parameters say that X holds ids."""
    return estimator.embedding_dim is not None or estimator.embedding_init is not None


def is_by_word(value: Any) -> bool:
    """Whether `embedding_init`, or an entry of it, has vectors by word."""
    if value is None or isinstance(value, (np.ndarray, list, tuple, str, bytes)):
        return False
    if hasattr(value, "__array__") or hasattr(value, "shape"):
        return False
    return hasattr(value, "__getitem__") and hasattr(value, "__contains__")


def for_each_column(value: Any, names: tuple[Any, ...]) -> tuple[Any, ...]:
    """Return `embedding_init` as an entry for each of the columns of ids, None where it has none.

    Parameters
    ----------
    value : array-like, mapping, list or None
        As the user gave it.
    names : tuple
        What each column may be called: a tuple of its position and, if it has one, its name.

    Raises
    ------
    ValueError
        If it has another number of tables, or names a column that is none of ids.
    """
    n = len(names)
    if value is None:
        return (None,) * n
    if isinstance(value, Mapping) and value and all(map(_is_table, value.values())):
        chosen: list[Any] = [None] * n
        for key, table in value.items():
            places = [i for i, called in enumerate(names) if key in called]
            if len(places) != 1:
                raise ValueError(
                    f"embedding_init has a table for {key!r}, which is no column of ids; they are "
                    f"{[called[-1] for called in names]}"
                )
            chosen[places[0]] = table
        return tuple(chosen)
    if isinstance(value, (list, tuple)) and all(v is None or _is_table(v) for v in value):
        if len(value) != n:
            raise ValueError(
                f"embedding_init must have {n} tables, one for each column of ids, got {len(value)}"
            )
        return tuple(value)
    if n != 1:
        raise ValueError(
            f"embedding_init must be a list of {n} tables, one for each column of ids, or a dict "
            f"from column to table, got a single {type(value).__name__}"
        )
    return (value,)


def _is_table(value: Any) -> bool:
    return is_by_word(value) or np.ndim(value) == 2


def n_ids_of(entry: Any, name: str) -> int | None:
    """Return the ids that an entry of `embedding_init` has rows for; None if it does not say."""
    return None if entry is None or is_by_word(entry) else len(_array(entry, name))


def brought_tables(
    value: Any, names: tuple[Any, ...], n_tokens: tuple[int, ...], words: tuple[Words | None, ...]
) -> list[np.ndarray | None]:
    """Return the table (n_tokens[c], width) of each column of ids, None where none was brought.

    Parameters
    ----------
    value : array-like, mapping, list or None
        `embedding_init`.
    names : tuple
        As in `for_each_column`.
    n_tokens : tuple of int
        Ids of each column.
    words : tuple
        What the ids of each column stand for, where that is known.

    Returns
    -------
    list of ndarray or None
        float64; rows of NaN are to be drawn.

    Raises
    ------
    TypeError, ValueError
        Naming what does not fit.
    """
    entries = for_each_column(value, names)
    tables: list[np.ndarray | None] = []
    for entry, called, n, of_ids in zip(entries, names, n_tokens, words):
        name = "embedding_init" if len(names) == 1 else f"embedding_init of column {called[-1]!r}"
        if entry is None:
            tables.append(None)
        elif is_by_word(entry):
            tables.append(_table_of_words(entry, of_ids, n, name))
        else:
            table = _array(entry, name)
            if len(table) != n:
                raise ValueError(f"{name} must have {n} rows, one for each id, got {len(table)}")
            tables.append(table)
    return tables


def _array(entry: Any, name: str) -> np.ndarray:
    """Return a table given as an array, checked."""
    table = np.asarray(entry)
    if table.ndim != 2 or 0 in table.shape or table.dtype.kind not in "biuf":
        raise ValueError(
            f"{name} must be an array of real numbers of shape (n_tokens, embedding_dim) or map "
            f"words to vectors, got shape {table.shape} and dtype {table.dtype}"
        )
    table = table.astype(np.float64)
    absent = np.isnan(table)
    wrong = np.isinf(table).any(axis=1) | (absent.any(axis=1) & ~absent.all(axis=1))
    if wrong.any():
        raise ValueError(
            f"{name} must be finite, or NaN in a whole row that is to be drawn; row "
            f"{int(np.argmax(wrong))} is neither"
        )
    return table


def _table_of_words(vectors: Any, words: Words | None, n: int, name: str) -> np.ndarray:
    if words is None:
        raise ValueError(
            f"{name} maps words to vectors, but the ids of X stand for no known words; encode X "
            "with rnnkit.preprocessing.TokenEncoder in a Pipeline, or give X itself with "
            "categorical_features"
        )
    return table_of_words(vectors, words, n, name)


def table_widths(
    embedding_dim: Any, widths: tuple[Any, ...], tables: list[np.ndarray | None]
) -> list[int]:
    """Return the width of every table: that of `embedding_dim`, which one brought along must have.

    Raises
    ------
    ValueError
        If a table has another width, or the width of one is not known.
    """
    chosen = []
    for width, table in zip(widths, tables):
        if table is None and width is None:
            raise ValueError("embedding_dim must be given where embedding_init has no table")
        if table is not None and width is not None and table.shape[1] != width:
            raise ValueError(
                f"embedding_init must have rows of embedding_dim={embedding_dim!r} numbers, got "
                f"shape {table.shape}"
            )
        chosen.append(width if table is None else table.shape[1])
    return chosen


def place_tables(network: Network, tables: list[np.ndarray | None]) -> None:
    """Put tables brought along into a network whose weights were drawn.

    A row of NaN keeps the direction drawn and gets the mean length of the given ones; that of
    id 0, the unknown, stays zero.
    """
    for column, table in enumerate(tables):
        if table is None:
            continue
        weight = network.parameters[f"embedding.weight_{column}"]
        known = ~np.isnan(table).any(axis=1)
        if known.any():
            lengths = np.linalg.norm(table[known], axis=1)
            drawn = np.linalg.norm(weight[1:], axis=1).mean() if len(weight) > 1 else 0.0
            if drawn > 0:
                weight[~known] *= lengths.mean() / drawn
        with np.errstate(over="ignore"):
            weight[known] = table[known]
        if not np.isfinite(weight).all():
            raise ValueError(f"embedding_init is too large for {weight.dtype}")

"""Pieces of X, y, weights and lengths, side by side as if they had been given whole."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from rnnkit.estimators.targets import refuse_mixed_types
from rnnkit.sequences import Sequences
from rnnkit.sequences.categories import ColumnLabels, labels_in_order

__all__ = ["join", "join_sequences"]


def join(pieces: Sequence[Any], name: str) -> Any:
    """Return pieces as one: arrays as an array where their shapes allow it, else a list.

    Parameters
    ----------
    pieces : sequence
        None, or arrays, lists, series, frames or `Sequences`, all alike; empty ones count for
        nothing.
    name : str
        The argument's name, for error texts.

    Raises
    ------
    ValueError
        If some are text and others numbers.
    """
    if all(piece is None for piece in pieces):
        return None
    filled = [piece for piece in pieces if piece is not None and len(piece)]
    if not filled:
        return pieces[0]
    if len(filled) == 1:
        return filled[0]
    if all(isinstance(piece, Sequences) for piece in filled):
        return join_sequences(filled)
    if all(hasattr(piece, "iloc") and hasattr(piece, "columns") for piece in filled):
        import pandas as pd  # whose frames they are

        return pd.concat(filled)
    if all(_is_array(piece) for piece in filled):
        arrays = [np.asarray(piece) for piece in filled]
        if len({array.shape[1:] for array in arrays}) == 1:
            if arrays[0].ndim == 1:
                refuse_mixed_types(arrays, name)
            return np.concatenate(arrays)
    return [item for piece in filled for item in piece]


def join_sequences(parts: Sequence[Sequences]) -> Sequences:
    """Return the sequences of all parts, in their order.

    Raises
    ------
    ValueError
        If they have other columns, or labels of columns.
    """
    first = parts[0]
    for part in parts[1:]:
        if part.n_features != first.n_features:
            raise ValueError(
                f"partitions of X must have equally many features, got {first.n_features} "
                f"and {part.n_features}"
            )
        if part.columns != first.columns:
            raise ValueError(
                "all partitions of X must have the same names of columns, got "
                f"{first.columns!r} and {part.columns!r}"
            )
    parts, labels = _with_common_labels(parts)
    lengths = np.concatenate([part.lengths for part in parts])
    ids = None
    if all(part.ids is not None for part in parts):
        ids = np.concatenate([np.asarray(part.ids) for part in parts])
    values = np.concatenate([part.values for part in parts])
    offsets = np.concatenate([[0], np.cumsum(lengths)])
    return Sequences(values, offsets, ids)._with(labels)


def _with_common_labels(
    parts: Sequence[Sequences],
) -> tuple[Sequence[Sequences], ColumnLabels | None]:
    """Return parts whose codes stand for the labels of all of them, and these."""
    tables = [part.categories for part in parts]
    first = parts[0]._columns
    if all(table == tables[0] for table in tables):
        return parts, first
    assert first is not None
    values = [part.values.copy() for part in parts]
    categories: list[Any] = []
    for j, of_column in enumerate(zip(*[table or () for table in tables])):
        if all(labels is None for labels in of_column):
            categories.append(None)
            continue
        if any(labels is None for labels in of_column):
            raise ValueError(
                f"column {first.names[j]!r} of X holds labels in some partitions and numbers in "
                "others"
            )
        found = np.empty(sum(map(len, of_column)), dtype=object)
        found[:] = [label for labels in of_column for label in labels]
        union = labels_in_order(found)
        code_of = {label: code for code, label in enumerate(union)}
        for array, labels in zip(values, of_column):
            codes = np.array([*[code_of[label] for label in labels], -1], dtype=array.dtype)
            array[:, j] = codes[array[:, j].astype(np.intp)]  # of which -1 is the last
        categories.append(union)
    coded = [Sequences(v, part.offsets, part.ids) for v, part in zip(values, parts)]
    return coded, ColumnLabels(first.names, tuple(categories))


def _is_array(piece: Any) -> bool:
    """Whether a piece is an array of numbers or text, or a column of a frame."""
    if isinstance(piece, (list, tuple, Sequences)):
        return False
    return hasattr(piece, "__array__") and np.asarray(piece).dtype != object

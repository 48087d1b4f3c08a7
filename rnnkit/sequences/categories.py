"""Columns of labels as codes, and what `Sequences` keeps to know what the codes mean."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from rnnkit.sequences.columns import AS_CATEGORIES, Places, refuse_column
from rnnkit.sequences.forms import FlatSequences
from rnnkit.sequences.numbers import is_missing
from rnnkit.sequences.reading import as_array
from rnnkit.sequences.tables import Table

__all__ = ["ColumnLabels", "label_of", "labels_in_order", "read_columns", "refuse_categories"]

Labels = tuple[Any, ...]  # those of the codes 0, 1, ... of a column


@dataclass(frozen=True, slots=True, eq=False)
class ColumnLabels:
    """What the columns of flat values are called, and what the codes in some of them stand for.

    Parameters
    ----------
    names : tuple
        The name of each of the F columns.
    categories : tuple
        For each column the labels of its codes 0, 1, ...; None for a column of numbers. The code
        -1 stands for a missing label.
    """

    names: tuple[Any, ...]
    categories: tuple[Labels | None, ...]


def read_columns(native: Any, names: Sequence[Any]) -> tuple[np.ndarray, ColumnLabels]:
    """Read the columns of a long frame, labels as codes.

    Parameters
    ----------
    native : pandas, polars or pyarrow frame
        The columns alone.
    names : sequence
        What they are called.

    Returns
    -------
    values : ndarray of shape (rows, F)
        Of whatever dtype the frame's numbers have.
    columns : ColumnLabels

    Raises
    ------
    ValueError
        If a column holds neither numbers nor labels.
    """
    offsets = np.array([0, len(native)], dtype=np.intp)
    table = Table([native], offsets, tuple(names), Places(offsets, len(names), tuple(names)))
    labelled = [table.holds_labels(j) for j in range(table.n_features)]
    if not any(labelled):
        return as_array(native, "df"), ColumnLabels(tuple(names), (None,) * len(names))
    columns: list[np.ndarray] = []
    categories: list[Labels | None] = []
    for j, name in enumerate(names):
        column = table.column(j)
        if not labelled[j]:
            refuse_column(table.dtype(j), "df", f"its column {name!r}")
            categories.append(None)
            columns.append(column)
            continue
        labels = labels_in_order(column)
        code_of = {label: float(code) for code, label in enumerate(labels)}
        missing = is_missing(column)
        codes = [
            -1.0 if absent else code_of[label_of(v)] for v, absent in zip(column.tolist(), missing)
        ]
        columns.append(np.array(codes))
        categories.append(labels)
    if len({column.dtype for column in columns}) > 1:
        columns = [column.astype(object) for column in columns]
    return np.stack(columns, axis=1), ColumnLabels(tuple(names), tuple(categories))


def label_of(value: Any) -> Any:
    """Return a label as a string, number or truth value, which JSON has; others by their text."""
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, bytes):
        return value.decode(errors="replace")
    if isinstance(value, str):
        return str(value)
    return value if isinstance(value, (bool, int, float)) else str(value)


def labels_in_order(column: np.ndarray) -> Labels:
    """Return the different labels of a column, sorted, text last; missing ones have none."""
    present = column[~is_missing(column)].tolist()
    labels = {label_of(value) for value in dict.fromkeys(map(_hashable, present))}
    return tuple(sorted(labels, key=lambda label: (isinstance(label, str), label)))


def _hashable(value: Any) -> Any:
    try:
        hash(value)
    except TypeError:
        return str(value)
    return value


def refuse_categories(X: FlatSequences, name: str) -> None:
    """Raise if a column of `Sequences` holds codes of labels, where numbers are asked for.

    Raises
    ------
    ValueError
        Naming the column and what to do.
    """
    columns = X._columns
    if columns is None:
        return
    for called, labels in zip(columns.names, columns.categories):
        if labels is not None:
            raise ValueError(
                f"{name} must hold real numbers, but its column {called!r} holds labels such as "
                f"{', '.join(map(repr, labels[:3]))}; {AS_CATEGORIES}, or leave it out"
            )

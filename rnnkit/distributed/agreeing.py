"""What the readers of several parts of X agree on, so that all of X is read in one way."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from rnnkit.estimators.reader import Reader

__all__ = ["agreed"]


def agreed(readers: Sequence[Reader]) -> Reader:
    """Return the reader that one would have learnt from all parts together.

    Parameters
    ----------
    readers : sequence of Reader
        What was learnt from each part.

    Raises
    ------
    ValueError
        If the parts differ in what must be equal: features, names, which columns hold labels.
    """
    first = readers[0]
    for name, noun in (
        ("n_step_features", "features of a step"),
        ("token_columns", "columns of ids or labels"),
        ("n_spelling", "columns that spell"),
        ("feature_names", "names of columns"),
        ("column_names", "names of columns"),
    ):
        _one([getattr(reader, name) for reader in readers], noun)
    n_columns: int | None = _one_or_none([reader.n_columns for reader in readers])
    if all(reader.n_columns is not None for reader in readers) and n_columns is None:
        # Rows of a dense X have to be equally long, sequences of a list need not.
        _one([reader.n_features for reader in readers], "columns")
    labels = tuple(
        _union([reader.labels[i] for reader in readers]) for i in range(len(first.labels))
    )
    n_tokens = tuple(map(max, zip(*[reader.n_tokens for reader in readers])))
    n_tokens = tuple(
        max(n, len(labels[i] or ()) + 1) if i < len(labels) and labels[i] is not None else n
        for i, n in enumerate(n_tokens)
    )
    words = first.words
    if words and labels:
        words = tuple(known if known is not None else other for known, other in zip(labels, words))
    static = set(first.static_columns).intersection(*[reader.static_columns for reader in readers])
    padded = [reader.padded_steps for reader in readers if reader.padded_steps is not None]
    return replace(
        first,
        n_columns=n_columns,
        padded_steps=padded[0] if padded else None,
        dtype=max(reader.dtype for reader in readers),  # "float64" of the two
        n_tokens=n_tokens,
        labels=labels,
        words=words,
        static_columns=tuple(sorted(static)),
    )


def _one(values: Sequence[Any], noun: str) -> Any:
    for value in values[1:]:
        if value != values[0]:
            raise ValueError(
                f"all partitions of X must have the same {noun}, got {values[0]!r} and {value!r}"
            )
    return values[0]


def _one_or_none(values: Sequence[Any]) -> Any:
    return values[0] if all(value == values[0] for value in values) else None


def _union(parts: Sequence[Any]) -> Any:
    """Return all labels of a column in the order in which a reader keeps them."""
    if all(part is None for part in parts):
        return None
    if any(part is None for part in parts):
        raise ValueError("a column of X holds labels in some partitions and ids in others")
    order: Callable[[Any], Any] = lambda label: (isinstance(label, str), label)
    return tuple(sorted({label for part in parts for label in part}, key=order))

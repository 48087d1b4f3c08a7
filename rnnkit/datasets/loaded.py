"""What a reader of files returns, whatever the format."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from rnnkit.datasets.drawing import check_flag
from rnnkit.datasets.lines import TextLines
from rnnkit.sequences import Sequences
from rnnkit.sequences.numbers import cast

__all__ = ["LoadedData", "arrays_of", "join_series", "numbers_or_text"]


@dataclass(frozen=True, eq=False)
class LoadedData:
    """Sequences read from a file; unpacks as ``X, y, groups``.

    Parameters
    ----------
    X : Sequences, or list of n lists
        The n sequences: numbers, or tokens of each step.
    y : ndarray of shape (n,) or None
        The targets: strings or numbers, or where each step has one, an object array of arrays of
        shape (T_i,). None if the file has none.
    groups : ndarray of shape (n,) or None
        What sequence belongs together, for splitters such as `GroupKFold`; None if the file does
        not say.
    sample_weight : ndarray of shape (n,), float64, or None
        Weights that the file gives to sequences.
    feature_names : list of F str, or None
        Names of the features, where the file has them.
    timestamps : list of n ndarrays of shape (T_i,), or None
        When each step was, float64 or datetime64, where the file says it.
    tokens : list of n lists of str, or None
        The words beside numeric steps, where the file has them.
    header : dict
        What the file says of itself.
    """

    X: Any
    y: np.ndarray | None
    groups: np.ndarray | None = None
    sample_weight: np.ndarray | None = None
    feature_names: list[str] | None = None
    timestamps: list[np.ndarray] | None = None
    tokens: list[list[str]] | None = None
    header: dict[str, Any] = field(default_factory=dict)

    def __iter__(self) -> Iterator[Any]:
        return iter((self.X, self.y, self.groups))


def arrays_of(items: Sequence[Any]) -> np.ndarray:
    """Return an object array (n,) that holds an array for each item."""
    arrays = np.empty(len(items), dtype=object)
    arrays[:] = [np.asarray(item) for item in items]
    return arrays


def numbers_or_text(labels: Sequence[str]) -> np.ndarray:
    """Return labels as whole numbers if all are, as text otherwise.

    Examples
    --------
    >>> from rnnkit.datasets.loaded import numbers_or_text
    >>> numbers_or_text(["1", "-1.0"]), numbers_or_text(["1", "a"])
    (array([ 1, -1]), array(['1', 'a'], dtype='<U1'))
    """
    try:
        values = np.array([float(label) for label in labels if label.isascii()])
    except ValueError:
        values = np.empty(0)
    whole = len(values) == len(labels) and not any("_" in label for label in labels)
    whole = whole and bool((np.abs(values) < 2.0**53).all() and (values == np.rint(values)).all())
    return values.astype(np.intp) if whole else np.array(labels, dtype=str)


def join_series(
    source: TextLines,
    series: Sequence[np.ndarray],
    numbers: Sequence[int],
    dtype: Any,
    *,
    drop_padding: bool,
) -> Sequences:
    """Return sequences (T_i, F), without the missing steps at their ends if these are padding.

    Parameters
    ----------
    source : TextLines
    series : list of n ndarrays of shape (T_i, F), float64
    numbers : list of n int
        The line of each.
    dtype : float32 or float64
    drop_padding : bool
        Whether steps at the end whose every value is missing are no steps.

    Raises
    ------
    TypeError
        If `drop_padding` is no bool.
    ValueError
        If `dtype` is neither, or a sequence has no step left.
    """
    check_flag(drop_padding, "drop_padding")
    if np.dtype(dtype) not in (np.dtype(np.float32), np.dtype(np.float64)):
        raise ValueError(f"dtype must be float32 or float64, got {dtype!r}")
    if drop_padding:
        series = [steps[: _n_present(steps)] for steps in series]
    for steps, number in zip(series, numbers):
        if not len(steps):
            raise source.error(number, "the series has no steps")
    offsets = np.concatenate([[0], np.cumsum([len(steps) for steps in series])])
    values = np.concatenate(series)

    def place(entry: int) -> str:
        sequence = np.searchsorted(offsets, entry // values.shape[1], "right") - 1
        return f"line {numbers[sequence]}"

    return Sequences(cast(values, dtype, source.name, place), offsets)


def _n_present(steps: np.ndarray) -> int:
    present = np.flatnonzero(~np.isnan(steps).all(axis=1))
    return int(present[-1]) + 1 if len(present) else 0

"""Gives results per step back in the form in which the sequences came."""

from __future__ import annotations

from typing import Any

import numpy as np

from rnnkit.sequences.container import Sequences

__all__ = ["restore_form"]


def restore_form(X: Any, values: np.ndarray, offsets: np.ndarray, fill: Any = 0) -> Any:
    """Return values per step in the form of the input they were computed from.

    Parameters
    ----------
    X : array-like, frame, list or Sequences
        The input, as `Sequences.from_any` takes it.
    values : ndarray of shape (ΣT, ...)
        One entry per real step.
    offsets : ndarray of shape (n + 1,), intp
        Where each sequence starts in `values`, then ΣT.
    fill : default=0
        What stands at the steps of a padded array beyond a sequence's length.

    Returns
    -------
    ndarray of shape (n, T, ...), list, object array or Sequences
        An array where `X` is a 2-D or 3-D array or a frame, with T the longest sequence if
        `X` is 2-D, else the T of `X`; a list for a list or tuple; an object array for a 1-D
        object array; `Sequences` for `Sequences`, if `values` are numbers (ΣT, F).

    Examples
    --------
    >>> import numpy as np
    >>> from rnnkit.sequences import Sequences, restore_form
    >>> X = [np.zeros((2, 3)), np.ones((1, 3))]
    >>> restore_form(X, np.array(["a", "b", "c"]), Sequences.from_list(X).offsets)
    [array(['a', 'b'], dtype='<U1'), array(['c'], dtype='<U1')]
    """
    if isinstance(X, Sequences) and values.ndim == 2 and values.dtype.kind in "biuf":
        return Sequences(values, offsets)
    if isinstance(X, (list, tuple)):
        return np.split(values, offsets[1:-1])
    shape = X.shape if hasattr(X, "shape") else np.asarray(X).shape
    if len(shape) == 1:
        restored = np.empty(len(offsets) - 1, dtype=object)
        restored[:] = np.split(values, offsets[1:-1])
        return restored
    lengths = np.diff(offsets)
    n_steps = shape[1] if len(shape) == 3 else int(lengths.max(initial=0))
    padded = np.full((len(lengths), n_steps, *values.shape[1:]), fill, dtype=values.dtype)
    padded[np.arange(n_steps) < lengths[:, None]] = values
    return padded

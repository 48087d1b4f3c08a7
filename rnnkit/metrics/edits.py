"""Scores of label sequences that are not aligned to steps: edit distances."""

from __future__ import annotations

from typing import Any

import numpy as np

from rnnkit.metrics.reading import refuse_mixed, refuse_string, uncut
from rnnkit.sequences.numbers import label_array

__all__ = ["edit_distance", "label_error_rate"]


def label_error_rate(y_true: Any, y_pred: Any) -> float:
    """Return the edit distance to the true label sequences per true label.

    ``sum_i d(y_true_i, y_pred_i) / sum_i len(y_true_i)`` with the Levenshtein distance d; the
    measure of Graves et al. (2006) for sequences whose labels are not aligned to steps. May
    exceed 1.

    Parameters
    ----------
    y_true : array of shape (n, T), list or object array of n label sequences
    y_pred : list or object array of n label sequences
        Of any length.

    Returns
    -------
    float

    Raises
    ------
    ValueError
        If the numbers of sequences differ or `y_true` holds no label.

    Examples
    --------
    >>> from rnnkit.metrics import label_error_rate
    >>> label_error_rate([list("kitten"), list("ab")], [list("sitting"), list("ab")])
    0.375
    """
    true, pred = uncut(y_true, y_pred, None)
    refuse_mixed(true, "y_true")
    refuse_mixed(pred, "y_pred")
    n_labels = sum(len(t) for t in true)
    if n_labels == 0:
        raise ValueError("y_true must hold at least one label, got none")
    return sum(edit_distance(t, p) for t, p in zip(true, pred)) / n_labels


def edit_distance(a: Any, b: Any) -> int:
    """Return the Levenshtein distance of two label sequences.

    Parameters
    ----------
    a, b : array-like of shape (n_labels,)

    Returns
    -------
    int
        The fewest insertions, deletions and substitutions that make one the other.

    Raises
    ------
    ValueError
        If one is a string, or holds text and other labels.

    Examples
    --------
    >>> from rnnkit.metrics import edit_distance
    >>> edit_distance(list("kitten"), list("sitting"))
    3
    """
    refuse_string(a, "a")
    refuse_string(b, "b")
    a, b = label_array(a), label_array(b)
    refuse_mixed([a], "a")
    refuse_mixed([b], "b")
    columns = np.arange(len(b) + 1)
    distances = columns
    for i, label in enumerate(a):
        row = distances + 1
        np.minimum(row[1:], distances[:-1] + (b != label), out=row[1:])
        row[0] = i + 1
        # An insertion costs 1 per column: the running minimum of row - column finds the best.
        distances = np.minimum.accumulate(row - columns) + columns
    return int(distances[-1])

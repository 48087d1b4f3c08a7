"""Steps whose target is not known: which they are, and what stands in their place.

NaN, None or a label chosen by the user says that a step is not labelled. Such targets count for
nothing: a target that is some other one's fills their place, with the weight 0.

Letters: n targets, K outputs.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from rnnkit.sequences.numbers import is_missing

__all__ = ["fill", "labelled_entries", "refuse_unlabelled"]


def labelled_entries(targets: np.ndarray, ignore_label: Any = None) -> np.ndarray | None:
    """Return which targets are known.

    Parameters
    ----------
    targets : ndarray of shape (n,) or (n, K)
        As the user gave them, laid out flat.
    ignore_label : label, default=None
        The label that says the same as NaN or None.

    Returns
    -------
    ndarray of the same shape, bool; or None if all are

    Raises
    ------
    ValueError
        If none is.
    """
    labelled = ~is_missing(targets)
    if ignore_label is not None:
        labelled[labelled] = [label != ignore_label for label in targets[labelled].tolist()]
    if labelled.all():
        return None
    if not labelled.any():
        raise ValueError(
            "y must have a labelled step, but every target is NaN, None or ignore_label"
        )
    return labelled


def fill(targets: np.ndarray, labelled: np.ndarray) -> np.ndarray:
    """Return targets whose unknown entries are the first known one of their column.

    It is one that occurs, so that least, largest and set of targets stay what they are. A column
    without any becomes the first known entry of all. Objects get the dtype that they have by
    themselves.
    """
    filled = targets.copy()
    columns = filled.reshape(len(filled), -1).T  # views of the copy
    any_known = filled[labelled][0]
    for column, known in zip(columns, labelled.reshape(len(filled), -1).T):
        column[~known] = column[known.argmax()] if known.any() else any_known
    return np.array(filled.tolist()) if filled.dtype == object else filled


def refuse_unlabelled(weights: np.ndarray | None, *, every_column: bool) -> None:
    """Raise if targets, or where asked for a column of them, have no weight at all.

    Parameters
    ----------
    weights : ndarray of shape (n,) or (n, K), or None
        0 where a target is not known; None: all are, and weigh 1.
    every_column : bool
        Whether each column must have some.

    Raises
    ------
    ValueError
        Naming the column.
    """
    if weights is None:
        return
    total = weights.sum(axis=0 if every_column else None)
    if np.all(total > 0):
        return
    where = f" in column {int(np.argmin(total > 0))}" if total.ndim else ""
    raise ValueError(f"y must have a labelled step with a weight above 0, but has none{where}")

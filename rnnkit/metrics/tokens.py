"""Scores of the labels of steps, and of label sequences as a whole; padding never counts."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.metrics import classification_report, confusion_matrix, f1_score

from rnnkit.metrics.reading import (
    check_weights,
    paired,
    sequence_weights,
    steps_with_labels,
)
from rnnkit.sequences.ids import refuse_other_ids
from rnnkit.sequences.numbers import is_missing

__all__ = [
    "sequence_accuracy",
    "token_accuracy",
    "token_confusion_matrix",
    "token_f1",
    "token_report",
]


def token_accuracy(
    y_true: Any, y_pred: Any, *, lengths: Any = None, sample_weight: Any = None
) -> float:
    """Return the fraction of real steps whose label is right.

    Parameters
    ----------
    y_true : array of shape (n, T), list or object array of n label sequences
    y_pred : array of shape (n, T), list or object array of n label sequences
        A 2-D array may be longer than the sequences in `y_true`; the rest is padding.
        Steps that `y_true` does not label (None or NaN) count nowhere.
    lengths : array-like of shape (n,), integer, default=None
        Real steps of each sequence where `y_true` is padded; None: all.
    sample_weight : array-like of shape (n,), or per step in the form of `y_true`, default=None
        The weight of each sequence's steps, or of each step.

    Returns
    -------
    float

    Raises
    ------
    ValueError
        If the numbers of sequences or of steps do not fit.

    Examples
    --------
    >>> from rnnkit.metrics import token_accuracy
    >>> token_accuracy([["DET", "NOUN"], ["VERB"]], [["DET", "VERB"], ["VERB"]])
    0.6666666666666666
    """
    true, pred, weights = steps_with_labels(y_true, y_pred, lengths, sample_weight)
    return float(np.average(true == pred, weights=weights))


def token_f1(
    y_true: Any,
    y_pred: Any,
    *,
    average: str | None = "macro",
    labels: Any = None,
    lengths: Any = None,
    sample_weight: Any = None,
    zero_division: Any = 0.0,
) -> float | np.ndarray:
    """Return the F1 score of the labels of all real steps.

    ``F1 = 2 TP / (2 TP + FP + FN)`` per label, averaged.

    Parameters
    ----------
    y_true : array of shape (n, T), list or object array of n label sequences
    y_pred : array of shape (n, T), list or object array of n label sequences
        A 2-D array may be longer than the sequences in `y_true`; the rest is padding.
        Steps that `y_true` does not label (None or NaN) count nowhere.
    average : {"macro", "micro", "weighted"} or None, default="macro"
        How the labels' scores become one; None returns them all.
    labels : array-like, default=None
        The labels that count; None: all that occur.
    lengths : array-like of shape (n,), integer, default=None
        Real steps of each sequence where `y_true` is padded; None: all.
    sample_weight : array-like of shape (n,), or per step in the form of `y_true`, default=None
        The weight of each sequence's steps, or of each step.
    zero_division : 0.0, 1.0 or nan, default=0.0
        The score of a label that neither occurs nor is predicted.

    Returns
    -------
    float, or ndarray of shape (n_labels,) if `average` is None

    Raises
    ------
    ValueError
        If the numbers of sequences or of steps do not fit.

    Examples
    --------
    >>> from rnnkit.metrics import token_f1
    >>> token_f1([["A", "B"], ["A"]], [["A", "A"], ["A"]], average="micro")
    0.6666666666666666
    """
    true, pred, weights = steps_with_labels(y_true, y_pred, lengths, sample_weight)
    score: float | np.ndarray = f1_score(
        true,
        pred,
        average=average,
        labels=labels,
        sample_weight=weights,
        zero_division=zero_division,
    )
    return score


def sequence_accuracy(
    y_true: Any, y_pred: Any, *, lengths: Any = None, sample_weight: Any = None
) -> float:
    """Return the fraction of sequences that are right at every step.

    Parameters
    ----------
    y_true : array of shape (n, T), list or object array of n label sequences
    y_pred : array of shape (n, T), list or object array of n label sequences
        A 2-D array may be longer than the sequences in `y_true`; the rest is padding. A list
        or object array may hold sequences of another length, which are wrong. Steps that
        `y_true` does not label (None or NaN) are right; a sequence of such alone has no weight.
    lengths : array-like of shape (n,), integer, default=None
        Real steps of each sequence where `y_true` is padded; None: all.
    sample_weight : array-like of shape (n,), default=None
        The weight of each sequence.

    Returns
    -------
    float

    Raises
    ------
    ValueError
        If the numbers of sequences do not fit.

    Examples
    --------
    >>> from rnnkit.metrics import sequence_accuracy
    >>> sequence_accuracy([[1, 2], [3]], [[1, 1], [3]])
    0.5
    """
    true, pred = paired(y_true, y_pred, lengths)
    refuse_other_ids(y_true, sample_weight, "sample_weight", "y_true", "y_true.ids")
    weights = None if sample_weight is None else sequence_weights(sample_weight, len(true))
    right = np.zeros(len(true), bool)
    told = np.ones(len(true), bool)
    for i, (t, p) in enumerate(zip(true, pred)):
        if len(t) == len(p):
            unknown = is_missing(t)
            right[i] = np.array_equal(t[~unknown], p[~unknown])
            told[i] = not len(t) or not unknown.all()
    if not told.all():
        weights = np.where(told, 1.0 if weights is None else weights, 0.0)
    return float(np.average(right, weights=check_weights(weights)))


def token_confusion_matrix(
    y_true: Any,
    y_pred: Any,
    *,
    labels: Any = None,
    lengths: Any = None,
    sample_weight: Any = None,
    normalize: str | None = None,
) -> np.ndarray:
    """Count how often each label was predicted for each true label, over all real steps.

    Parameters
    ----------
    y_true : array of shape (n, T), list or object array of n label sequences
    y_pred : array of shape (n, T), list or object array of n label sequences
        A 2-D array may be longer than the sequences in `y_true`; the rest is padding.
        Steps that `y_true` does not label (None or NaN) count nowhere.
    labels : array-like of shape (K,), default=None
        The labels of rows and columns; None: all that occur, sorted.
    lengths : array-like of shape (n,), integer, default=None
        Real steps of each sequence where `y_true` is padded; None: all.
    sample_weight : array-like of shape (n,), or per step in the form of `y_true`, default=None
        The weight of each sequence's steps, or of each step.
    normalize : {"true", "pred", "all"} or None, default=None
        Divide by the sums of rows, of columns or of everything.

    Returns
    -------
    ndarray of shape (K, K)
        True labels are rows, predicted ones columns.

    Raises
    ------
    ValueError
        If the numbers of sequences or of steps do not fit.

    Examples
    --------
    >>> from rnnkit.metrics import token_confusion_matrix
    >>> token_confusion_matrix([["A", "B"], ["A"]], [["A", "A"], ["B"]])
    array([[1, 1],
           [1, 0]])
    """
    true, pred, weights = steps_with_labels(y_true, y_pred, lengths, sample_weight)
    matrix: np.ndarray = confusion_matrix(
        true, pred, labels=labels, sample_weight=weights, normalize=normalize
    )
    return matrix


def token_report(
    y_true: Any,
    y_pred: Any,
    *,
    labels: Any = None,
    lengths: Any = None,
    sample_weight: Any = None,
    digits: int = 3,
    output_dict: bool = False,
    zero_division: Any = 0.0,
) -> str | dict[str, Any]:
    """Report precision, recall and F1 of each label over all real steps.

    Parameters
    ----------
    y_true : array of shape (n, T), list or object array of n label sequences
    y_pred : array of shape (n, T), list or object array of n label sequences
        A 2-D array may be longer than the sequences in `y_true`; the rest is padding.
        Steps that `y_true` does not label (None or NaN) count nowhere.
    labels : array-like, default=None
        The labels that are reported; None: all that occur.
    lengths : array-like of shape (n,), integer, default=None
        Real steps of each sequence where `y_true` is padded; None: all.
    sample_weight : array-like of shape (n,), or per step in the form of `y_true`, default=None
        The weight of each sequence's steps, or of each step.
    digits : int, default=3
        Decimals of the text.
    output_dict : bool, default=False
        Whether to return numbers in place of a text.
    zero_division : 0.0, 1.0 or nan, default=0.0
        What stands where a label neither occurs nor is predicted.

    Returns
    -------
    str, or dict of label to dict
        As `sklearn.metrics.classification_report` has them.

    Raises
    ------
    ValueError
        If the numbers of sequences or of steps do not fit.

    Examples
    --------
    >>> from rnnkit.metrics import token_report
    >>> report = token_report([["A", "B"], ["A"]], [["A", "A"], ["A"]], output_dict=True)
    >>> report["A"]["recall"], report["B"]["recall"]
    (1.0, 0.0)
    """
    true, pred, weights = steps_with_labels(y_true, y_pred, lengths, sample_weight)
    report: str | dict[str, Any] = classification_report(
        true,
        pred,
        labels=labels,
        sample_weight=weights,
        digits=digits,
        output_dict=output_dict,
        zero_division=zero_division,
    )
    return report

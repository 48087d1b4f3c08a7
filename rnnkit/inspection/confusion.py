"""Which labels of steps are taken for which, over sequences of any length."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.metrics import ConfusionMatrixDisplay

from rnnkit.inspection.axes import axes_to_draw_on
from rnnkit.metrics import token_confusion_matrix
from rnnkit.metrics.reading import steps_with_labels
from rnnkit.sequences.ids import refuse_other_ids

__all__ = ["TokenConfusionDisplay"]


class TokenConfusionDisplay(ConfusionMatrixDisplay):
    """The confusion matrix of the labels of steps; padding and steps without a label do not count.

    scikit-learn's `ConfusionMatrixDisplay` for nested labels: its `plot` draws.

    Parameters
    ----------
    confusion_matrix : ndarray of shape (K, K)
        True labels are rows, predicted ones columns.
    display_labels : array-like of shape (K,), default=None
        What the labels are called; None: 0 to K - 1.

    Attributes
    ----------
    im_ : matplotlib AxesImage
    text_ : ndarray of shape (K, K), or None
        The numbers as written.
    ax_ : matplotlib Axes
    figure_ : matplotlib Figure

    Examples
    --------
    >>> from rnnkit.inspection import TokenConfusionDisplay
    >>> display = TokenConfusionDisplay.from_predictions(
    ...     [["A", "B"], ["A"]], [["A", "A"], ["B"]]
    ... )
    >>> display.confusion_matrix
    array([[1, 1],
           [1, 0]])
    """

    def __init__(self, confusion_matrix: np.ndarray, *, display_labels: Any = None) -> None:
        super().__init__(confusion_matrix, display_labels=display_labels)

    @classmethod
    def from_estimator(
        cls,
        estimator: Any,
        X: Any,
        y: Any,
        *,
        lengths: Any = None,
        **options: Any,
    ) -> TokenConfusionDisplay:
        """Predict the labels of steps and draw how they are confused.

        Parameters
        ----------
        estimator : estimator
            A fitted tagger, or a Pipeline or search that ends in one.
        X : array-like, data frame, list of arrays or Sequences
            As `estimator.predict` takes it.
        y : array of shape (N, T), list or object array of N label sequences
            The true labels.
        lengths : array-like of shape (N,), default=None
            Steps of every sequence of a dense X.
        **options : dict
            As `from_predictions` takes them.

        Returns
        -------
        TokenConfusionDisplay

        Raises
        ------
        ValueError, TypeError
            If X or y is not as in `fit`.
        MissingExtraError
            If matplotlib is not installed.
        """
        refuse_other_ids(X, y, "y")
        if lengths is None:
            return cls.from_predictions(y, estimator.predict(X), **options)
        predicted = estimator.predict(X, lengths=lengths)
        return cls.from_predictions(y, predicted, lengths=lengths, **options)

    @classmethod
    def from_predictions(
        cls,
        y_true: Any,
        y_pred: Any,
        *,
        labels: Any = None,
        lengths: Any = None,
        sample_weight: Any = None,
        normalize: str | None = None,
        display_labels: Any = None,
        ax: Any = None,
        **plot_kw: Any,
    ) -> TokenConfusionDisplay:
        """Draw how predicted labels of steps are confused.

        Parameters
        ----------
        y_true, y_pred : array of shape (N, T), list or object array of N label sequences
            As `rnnkit.metrics.token_confusion_matrix` takes them.
        labels : array-like of shape (K,), default=None
            The labels of rows and columns; None: all that occur, sorted.
        lengths : array-like of shape (N,), default=None
            Real steps of each sequence where `y_true` is padded; None: all.
        sample_weight : array-like of shape (N,), or per step, default=None
            The weight of each sequence's steps, or of each step.
        normalize : {"true", "pred", "all"} or None, default=None
            Divide by the sums of rows, of columns or of everything.
        display_labels : array-like of shape (K,), default=None
            What the labels are called; None: by themselves.
        ax : matplotlib Axes, default=None
            Where to draw; None makes a figure.
        **plot_kw : dict
            Handed on to `plot`: `include_values`, `xticks_rotation`, `values_format`, `cmap`,
            `colorbar`, `im_kw`, `text_kw`.

        Returns
        -------
        TokenConfusionDisplay

        Raises
        ------
        ValueError
            If the numbers of sequences or of steps do not fit.
        MissingExtraError
            If matplotlib is not installed.
        """
        matrix = token_confusion_matrix(
            y_true,
            y_pred,
            labels=labels,
            lengths=lengths,
            sample_weight=sample_weight,
            normalize=normalize,
        )
        if display_labels is None:
            display_labels = labels
        if display_labels is None:
            true, pred, _ = steps_with_labels(y_true, y_pred, lengths, None)
            display_labels = np.union1d(true, pred)
        display = cls(matrix, display_labels=display_labels)
        ax = axes_to_draw_on(ax, display)
        display.plot(ax=ax, **plot_kw)
        return display

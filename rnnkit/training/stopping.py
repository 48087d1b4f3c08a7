"""When to stop: progress by `tol` within `n_iter_no_change` epochs, and the best weights kept."""

from __future__ import annotations

import math

import numpy as np

__all__ = ["Progress"]


class Progress:
    """Follow a quantity that should grow, by scikit-learn's rule for `MLPClassifier`.

    Parameters
    ----------
    tol : float
        Smallest growth over the best value so far that counts as progress.
    n_iter_no_change : int
        Progress has stalled after more than this many epochs in a row without it.

    Attributes
    ----------
    best : float
        The largest value so far, -inf before the first.
    best_weights : ndarray of shape (n_parameters,) or None
        Copy of the parameters at the largest value, if they were given.
    """

    def __init__(self, tol: float, n_iter_no_change: int) -> None:
        self.tol = tol
        self.n_iter_no_change = n_iter_no_change
        self.best = -math.inf
        self.best_weights: np.ndarray | None = None
        self._n_without = 0

    def update(self, value: float, weights: np.ndarray | None = None) -> bool:
        """Note an epoch's value; return whether progress has stalled.

        `weights` are copied when the value is the best so far.
        """
        if value < self.best + self.tol:
            self._n_without += 1
        else:
            self._n_without = 0
        if value > self.best:
            self.best = value
            if weights is not None:
                self.best_weights = weights.copy()
        return self._n_without > self.n_iter_no_change

    def reset_patience(self) -> None:
        """Start counting epochs without progress anew."""
        self._n_without = 0

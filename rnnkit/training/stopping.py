"""When to stop: progress by `tol` within `n_iter_no_change` epochs, and the best weights kept."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

from rnnkit.backends.interface import Array

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
    best_epoch : int or None
        The epoch of the largest value; None before the first.
    best_weights : array of shape (n_parameters,) or None
        Copy of the parameters at the largest value, if they were given.
    """

    def __init__(self, tol: float, n_iter_no_change: int) -> None:
        self.tol = tol
        self.n_iter_no_change = n_iter_no_change
        self.best = -math.inf
        self.best_epoch: int | None = None
        self.best_weights: Array | None = None
        self._n_without = 0

    def update(self, value: float, epoch: int, weights: Array | None = None) -> bool:
        """Note an epoch's value; return whether progress has stalled.

        `weights` are copied when the value is the best so far.
        """
        if value < self.best + self.tol:
            self._n_without += 1
        else:
            self._n_without = 0
        if value > self.best:
            self.best = value
            self.best_epoch = epoch
            if weights is not None:
                self.best_weights = weights.copy()
        return self._n_without > self.n_iter_no_change

    def reset_patience(self) -> None:
        """Start counting epochs without progress anew."""
        self._n_without = 0

    def state(self, keep: Callable[[Array], Any]) -> dict[str, Any]:
        """Return what was followed so far as a dict; `keep` copies an array."""
        weights = None if self.best_weights is None else keep(self.best_weights)
        return {
            "best": self.best,
            "best_epoch": self.best_epoch,
            "best_weights": weights,
            "n_without": self._n_without,
        }

    def restore(self, state: Mapping[str, Any], bring: Callable[[Any], Array]) -> None:
        """Go back to a state that `state` gave; `bring` takes an array to the backend."""
        weights = state["best_weights"]
        self.best = state["best"]
        self.best_epoch = state["best_epoch"]
        self.best_weights = None if weights is None else bring(weights)
        self._n_without = state["n_without"]

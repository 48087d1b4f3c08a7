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
    n_updates_no_change : int, default=0
        And after at least this many updates without it, where an epoch has few.
    min_updates : int, default=0
        And after at least this many updates in all.
    relative : bool, default=False
        Whether `tol` is in the unit of the first value's size, which a loss of any unit has.

    Attributes
    ----------
    best : float
        The largest value so far, -inf before the first.
    best_epoch : int or None
        The epoch of the largest value; None before the first.
    best_weights : array of shape (n_parameters,) or None
        Copy of the parameters at the largest value, if they were given.
    """

    def __init__(
        self,
        tol: float,
        n_iter_no_change: int,
        *,
        n_updates_no_change: int = 0,
        min_updates: int = 0,
        relative: bool = False,
    ) -> None:
        self.tol = tol
        self.n_iter_no_change = n_iter_no_change
        self.n_updates_no_change = n_updates_no_change
        self.min_updates = min_updates
        self._unit: float | None = None if relative else 1.0
        self._n_updates_at_progress = 0
        self.best = -math.inf
        self.best_epoch: int | None = None
        self.best_weights: Array | None = None
        self._n_without = 0

    def update(
        self,
        value: float,
        epoch: int,
        weights: Array | None = None,
        *,
        n_updates: int | None = None,
    ) -> bool:
        """Note an epoch's value; return whether progress has stalled.

        `weights` are copied when the value is the best so far. `n_updates` is the number of
        updates since the training began; None where there are none to count.
        """
        if self._unit is None:
            self._unit = abs(value)
        if value < self.best + self.tol * self._unit:
            self._n_without += 1
        else:
            self._n_without = 0
            self._n_updates_at_progress = n_updates or 0
        if value > self.best:
            self.best = value
            self.best_epoch = epoch
            if weights is not None:
                self.best_weights = weights.copy()
        if self._n_without <= self.n_iter_no_change:
            return False
        if n_updates is None:
            return True
        without = n_updates - self._n_updates_at_progress
        return n_updates >= self.min_updates and without >= self.n_updates_no_change

    def reset_patience(self, n_updates: int = 0) -> None:
        """Start counting epochs, and updates from so many on, without progress anew."""
        self._n_without = 0
        self._n_updates_at_progress = n_updates

    def state(self, keep: Callable[[Array], Any]) -> dict[str, Any]:
        """Return what was followed so far as a dict; `keep` copies an array."""
        weights = None if self.best_weights is None else keep(self.best_weights)
        return {
            "best": self.best,
            "best_epoch": self.best_epoch,
            "best_weights": weights,
            "n_without": self._n_without,
            "n_updates_at_progress": self._n_updates_at_progress,
            "unit": self._unit,
        }

    def restore(self, state: Mapping[str, Any], bring: Callable[[Any], Array]) -> None:
        """Go back to a state that `state` gave; `bring` takes an array to the backend."""
        weights = state["best_weights"]
        self.best = state["best"]
        self.best_epoch = state["best_epoch"]
        self.best_weights = None if weights is None else bring(weights)
        self._n_without = state["n_without"]
        self._n_updates_at_progress = state["n_updates_at_progress"]
        self._unit = state["unit"]

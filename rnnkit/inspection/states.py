"""The hidden states of a recurrent layer over the steps of a sequence.

Letters: T steps, H hidden units, D directions.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from rnnkit.inspection.axes import axes_to_draw_on, heat_map, label_steps
from rnnkit.inspection.looking import look_at

__all__ = ["HiddenStateDisplay"]


class HiddenStateDisplay:
    """What a recurrent layer holds after every step of one sequence: units against steps.

    Use `from_estimator`.

    Parameters
    ----------
    states : ndarray of shape (T, D·H)
        The states after each step; those of the reverse direction come last.
    step_labels : list of str, default=None
        What each step is.

    Attributes
    ----------
    ax_ : matplotlib Axes
    figure_ : matplotlib Figure
    image_ : matplotlib AxesImage
    order_ : ndarray of shape (D·H,), intp
        The units from the bottom row to the top one.

    Examples
    --------
    >>> import numpy as np
    >>> from rnnkit import LSTMClassifier
    >>> from rnnkit.inspection import HiddenStateDisplay
    >>> X = np.sin(np.arange(120.0)).reshape(20, 6, 1)
    >>> y = X[:, 0, 0] > 0
    >>> classifier = LSTMClassifier(4, max_iter=3, learning_rate="linear", random_state=0).fit(X, y)
    >>> HiddenStateDisplay.from_estimator(classifier, X).states.shape
    (6, 4)
    """

    def __init__(self, states: np.ndarray, *, step_labels: Sequence[str] | None = None) -> None:
        self.states = states
        self.step_labels = step_labels

    @classmethod
    def from_estimator(
        cls,
        estimator: Any,
        X: Any,
        *,
        index: int = 0,
        layer: int = -1,
        lengths: Any = None,
        sort_units: bool = False,
        ax: Any = None,
        **imshow_kw: Any,
    ) -> HiddenStateDisplay:
        """Compute the hidden states of a fitted estimator on one sequence and draw them.

        Parameters
        ----------
        estimator : estimator
            A fitted recurrent estimator, or a Pipeline or search that ends in one.
        X : array-like, data frame, list of arrays or Sequences
            As `estimator.predict` takes it.
        index : int, default=0
            Which sequence of X.
        layer : int, default=-1
            Which recurrent layer, counted from 0; -1 is the last.
        lengths : array-like of shape (N,), default=None
            Steps of every sequence of a dense X.
        sort_units : bool, default=False
            As in `plot`.
        ax : matplotlib Axes, default=None
            Where to draw; None makes a figure.
        **imshow_kw : dict
            Handed on to `imshow`.

        Returns
        -------
        HiddenStateDisplay

        Raises
        ------
        ValueError, TypeError
            If X is not as in `fit`, or there is no such sequence or layer.
        MissingExtraError
            If matplotlib is not installed.
        """
        look = look_at(estimator, X, index, lengths)
        states = look.apply(lambda bound, plan, x: bound.hidden_states(plan, x, layer))
        display = cls(states, step_labels=look.words)
        return display.plot(ax, sort_units=sort_units, **imshow_kw)

    def plot(
        self, ax: Any = None, *, sort_units: bool = False, **imshow_kw: Any
    ) -> HiddenStateDisplay:
        """Draw the states, red above and blue below zero.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Where to draw; None makes a figure.
        sort_units : bool, default=False
            Whether units that move alike stand side by side: by their place along the first
            principal direction of the states.
        **imshow_kw : dict
            Handed on to `imshow`.

        Returns
        -------
        HiddenStateDisplay
            This object.

        Raises
        ------
        MissingExtraError
            If matplotlib is not installed.
        """
        self.ax_ = axes_to_draw_on(ax, self)
        self.figure_ = self.ax_.figure
        self.order_ = _order(self.states) if sort_units else np.arange(self.states.shape[1])
        self.image_ = heat_map(self.ax_, self.states.T[self.order_], signed=True, **imshow_kw)
        self.figure_.colorbar(self.image_, ax=self.ax_, label="hidden state")
        self.ax_.set_ylabel("unit, sorted" if sort_units else "unit")
        label_steps(self.ax_, self.step_labels, len(self.states))
        return self


def _order(states: np.ndarray) -> np.ndarray:
    """Return the units in the order of their loadings on the first principal direction."""
    centred = states - states.mean(axis=0)
    loadings = np.linalg.svd(centred, full_matrices=False)[2][0]
    return np.argsort(loadings, kind="stable")

"""Which label a conditional random field expects after which.

Letters: K labels.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from rnnkit.inspection.axes import axes_to_draw_on, turn
from rnnkit.inspection.looking import fitted_network
from rnnkit.network import CRF
from rnnkit.network.transitions import rules_of

__all__ = ["TransitionDisplay"]

BEGIN, END = "(begin)", "(end)"


class TransitionDisplay:
    """The scores with which one label follows another in a tagger with ``output="crf"``.

    Use `from_estimator`.

    Parameters
    ----------
    transitions : ndarray of shape (K, K)
        The score of the column's label right after the row's; -inf where that is forbidden.
    start, end : ndarray of shape (K,)
        The scores of the labels at the beginning and the end of a sequence.
    labels : sequence of K labels
        What they are called.

    Attributes
    ----------
    ax_ : matplotlib Axes
    figure_ : matplotlib Figure
    image_ : matplotlib AxesImage
    text_ : ndarray of shape (K + 1, K + 1)
        The numbers as written, None where they are not.

    Examples
    --------
    >>> from rnnkit import GRUSequenceTagger
    >>> from rnnkit.inspection import TransitionDisplay
    >>> X = [[1.0, -1, 1, 1, -1], [-1.0, 1, -1, 1]] * 10
    >>> y = [list("BIBBI"), list("OBIB")] * 10
    >>> tagger = GRUSequenceTagger(
    ...     4, output="crf", forbidden_transitions=[("O", "I")], max_iter=60, random_state=0
    ... ).fit(X, y)
    >>> display = TransitionDisplay.from_estimator(tagger)
    >>> float(display.transitions[2, 1])
    -inf
    """

    def __init__(
        self, transitions: np.ndarray, start: np.ndarray, end: np.ndarray, labels: Sequence[Any]
    ) -> None:
        self.transitions = transitions
        self.start = start
        self.end = end
        self.labels = labels

    @classmethod
    def from_estimator(
        cls,
        estimator: Any,
        X: Any = None,
        *,
        values: bool | None = None,
        ax: Any = None,
        **imshow_kw: Any,
    ) -> TransitionDisplay:
        """Draw the transitions of a fitted tagger.

        Parameters
        ----------
        estimator : estimator
            A tagger fitted with ``output="crf"``, or a Pipeline or search that ends in one.
        X : array-like, default=None
            Not looked at: transitions are the same for every sequence.
        values : bool, default=None
            As in `plot`.
        ax : matplotlib Axes, default=None
            Where to draw; None makes a figure.
        **imshow_kw : dict
            Handed on to `imshow`.

        Returns
        -------
        TransitionDisplay

        Raises
        ------
        ValueError, TypeError
            If the estimator is no tagger with a conditional random field.
        MissingExtraError
            If matplotlib is not installed.
        """
        fitted, _ = fitted_network(estimator)
        network = fitted.network_
        output = network.output
        if not isinstance(output, CRF):
            raise ValueError(
                "TransitionDisplay needs a sequence tagger fitted with output='crf', got a "
                f"{type(fitted).__name__} without one"
            )
        rules = rules_of(output.forbidden, output.n_classes)
        names = ("crf.transitions", "crf.start", "crf.end")
        between, start, end = (network.parameters[name] + rule for name, rule in zip(names, rules))
        display = cls(between, start, end, fitted._codec.classes.tolist())
        return display.plot(ax, values=values, **imshow_kw)

    def plot(
        self, ax: Any = None, *, values: bool | None = None, **imshow_kw: Any
    ) -> TransitionDisplay:
        """Draw the scores: red where a label is expected, blue where not; forbidden ones hatched.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Where to draw; None makes a figure.
        values : bool, default=None
            Whether scores are written too; None: if there are at most ten labels.
        **imshow_kw : dict
            Handed on to `imshow`.

        Returns
        -------
        TransitionDisplay
            This object.

        Raises
        ------
        MissingExtraError
            If matplotlib is not installed.
        """
        n = len(self.labels)
        side = min(12.0, 2.5 + 0.45 * n)
        self.ax_ = axes_to_draw_on(ax, self, (side + 1.0, side))
        self.figure_ = self.ax_.figure
        scores = np.full((n + 1, n + 1), np.nan)
        scores[0, :n], scores[1:, :n], scores[1:, n] = self.start, self.transitions, self.end
        finite = np.isfinite(scores)
        largest = float(np.abs(scores[finite]).max(initial=0)) or 1.0
        shown = np.where(finite, scores, np.nan)
        options = {"cmap": "RdBu_r", "vmin": -largest, "vmax": largest, **imshow_kw}
        self.image_ = self.ax_.imshow(shown, **options)
        self.figure_.colorbar(self.image_, ax=self.ax_, label="score")
        self.text_ = np.full(scores.shape, None, dtype=object)
        written = n <= 10 if values is None else values
        self._mark(scores, finite, largest, written=written)
        labels = [str(label) for label in self.labels]
        self.ax_.set_xticks(range(n + 1), [*labels, END], **turn([*labels, END]))
        self.ax_.set_yticks(range(n + 1), [BEGIN, *labels])
        self.ax_.set(xlabel="label", ylabel="label before")
        return self

    def _mark(
        self, scores: np.ndarray, finite: np.ndarray, largest: float, *, written: bool
    ) -> None:
        """Write the scores, and hatch what is forbidden."""
        from matplotlib.patches import Rectangle

        digits = 1 if largest >= 1 else 2
        for row, column in np.ndindex(scores.shape):
            score = scores[row, column]
            if finite[row, column] and written:
                colour = "white" if abs(score) > 0.6 * largest else "black"
                self.text_[row, column] = self.ax_.text(
                    column, row, f"{score:.{digits}f}", ha="center", va="center", color=colour
                )
            elif score == -np.inf:
                corner = (column - 0.5, row - 0.5)
                patch = Rectangle(corner, 1, 1, fc="#e6e6e6", ec="#999999", hatch="////", lw=0)
                self.ax_.add_patch(patch)

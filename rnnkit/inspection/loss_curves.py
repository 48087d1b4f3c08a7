"""Loss and score of a fit, epoch by epoch."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from rnnkit.inspection.axes import axes_to_draw_on, colours
from rnnkit.inspection.looking import fitted_network

__all__ = ["LossCurveDisplay"]


class LossCurveDisplay:
    """The losses of training and validation, and the validation scores, of every epoch.

    Use `from_estimator`.

    Parameters
    ----------
    losses : sequence of float
        The mean training loss of each epoch.
    validation_losses : sequence of float, default=None
        The validation loss after each epoch.
    validation_scores : sequence of float, default=None
        The validation score after each epoch.
    best_epoch : int, default=None
        The epoch, from 1, whose weights are the best.
    name : str, default=None
        What a legend calls the fit.

    Attributes
    ----------
    ax_ : matplotlib Axes
        Of the losses.
    score_ax_ : matplotlib Axes or None
        Of the scores, on the right-hand side of the same axes.
    figure_ : matplotlib Figure
    lines_ : list of matplotlib Line2D

    Examples
    --------
    >>> import numpy as np
    >>> from rnnkit import LSTMClassifier
    >>> from rnnkit.inspection import LossCurveDisplay
    >>> X = np.sin(np.arange(240.0)).reshape(40, 6, 1)
    >>> y = X[:, 0, 0] > 0
    >>> classifier = LSTMClassifier(
    ...     4, early_stopping=True, max_iter=20, learning_rate="linear", random_state=0
    ... ).fit(X, y)
    >>> display = LossCurveDisplay.from_estimator(classifier)
    >>> len(display.losses) == len(display.validation_losses) == classifier.n_iter_
    True
    """

    def __init__(
        self,
        losses: Sequence[float],
        *,
        validation_losses: Sequence[float] | None = None,
        validation_scores: Sequence[float] | None = None,
        best_epoch: int | None = None,
        name: str | None = None,
    ) -> None:
        self.losses = losses
        self.validation_losses = validation_losses
        self.validation_scores = validation_scores
        self.best_epoch = best_epoch
        self.name = name

    @classmethod
    def from_estimator(
        cls,
        estimator: Any,
        X: Any = None,
        *,
        name: str | None = None,
        scores: bool = True,
        ax: Any = None,
        **line_kw: Any,
    ) -> LossCurveDisplay:
        """Draw the curves that a fitted estimator remembers.

        Parameters
        ----------
        estimator : estimator
            A fitted recurrent estimator, or a Pipeline or search that ends in one.
        X : array-like, default=None
            Not looked at: the curves were written down in `fit`.
        name : str, default=None
            What a legend calls the fit, where several share axes.
        scores : bool, default=True
            As in `plot`.
        ax : matplotlib Axes, default=None
            Where to draw; None makes a figure.
        **line_kw : dict
            Handed on to the lines.

        Returns
        -------
        LossCurveDisplay

        Raises
        ------
        TypeError
            If there is no recurrent estimator.
        MissingExtraError
            If matplotlib is not installed.
        """
        fitted, _ = fitted_network(estimator)
        display = cls(
            fitted.loss_curve_,
            validation_losses=fitted.validation_loss_curve_ or None,
            validation_scores=fitted.validation_scores_ or None,
            best_epoch=fitted.best_epoch_,
            name=name,
        )
        return display.plot(ax, scores=scores, **line_kw)

    def plot(self, ax: Any = None, *, scores: bool = True, **line_kw: Any) -> LossCurveDisplay:
        """Draw the curves; a dotted line marks the best epoch.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Where to draw; None makes a figure.
        scores : bool, default=True
            Whether the validation scores are drawn too, if there are any, on an axis of their own.
        **line_kw : dict
            Handed on to the lines.

        Returns
        -------
        LossCurveDisplay
            This object.

        Raises
        ------
        MissingExtraError
            If matplotlib is not installed.
        """
        self.ax_ = axes_to_draw_on(ax, self)
        self.figure_ = self.ax_.figure
        self.score_ax_ = None
        self.lines_: list[Any] = []
        prefix = f"{self.name}: " if self.name else ""
        blue, orange, green = colours(3)

        def draw(on: Any, curve: Sequence[float], label: str, **options: Any) -> None:
            own = {} if self.name else options  # fits that share axes take the next colours
            epochs = np.arange(1, len(curve) + 1)
            self.lines_ += on.plot(epochs, curve, label=prefix + label, **{**own, **line_kw})

        draw(self.ax_, self.losses, "training loss", color=blue)
        if self.validation_losses is not None:
            draw(self.ax_, self.validation_losses, "validation loss", color=orange)
        if scores and self.validation_scores is not None:
            self.score_ax_ = self.ax_.twinx()
            draw(self.score_ax_, self.validation_scores, "validation score", color=green, ls="--")
            self.score_ax_.set_ylabel("score")
        if self.best_epoch is not None:
            line = self.ax_.axvline(self.best_epoch, color="0.4", ls=":", lw=1, zorder=0)
            line.set_label(f"{prefix}best epoch, {self.best_epoch}")
            self.lines_.append(line)
        self.ax_.set(xlabel="epoch", ylabel="loss")
        self.ax_.xaxis.get_major_locator().set_params(integer=True)
        handles, _ = self.ax_.get_legend_handles_labels()
        if self.score_ax_ is not None:
            handles = handles + self.score_ax_.get_legend_handles_labels()[0]
        above = {"loc": "lower center", "bbox_to_anchor": (0.5, 1.0), "ncols": 2, "frameon": False}
        self.ax_.legend(handles=handles, **above)
        return self

"""Which steps and features of a sequence an answer hangs on.

Letters: T steps, F columns of a step, K outputs, Q quantiles.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from rnnkit.estimators.codecs import Indicators, LabelLists, Labels
from rnnkit.inspection.axes import axes_to_draw_on, heat_map, label_steps
from rnnkit.inspection.gradients import by_columns, gradient_by_inputs, slope_of_value
from rnnkit.inspection.looking import Look, column_names, look_at, place_of

__all__ = ["SaliencyDisplay"]

METHODS = ("gradient", "gradient_times_input")


class SaliencyDisplay:
    """The gradient of an answer by every feature of every step of one sequence.

    Use `from_estimator`.

    Parameters
    ----------
    saliency : ndarray of shape (T, F)
        A number for every step and column.
    feature_names : list of str, default=None
        What the columns are called; None: their positions.
    step_labels : list of str, default=None
        What each step is.
    target_name : str, default=None
        What the gradient is of.
    method : {"gradient", "gradient_times_input"}, default="gradient"
        What the numbers are.

    Attributes
    ----------
    ax_ : matplotlib Axes
    figure_ : matplotlib Figure
    image_ : matplotlib AxesImage

    Notes
    -----
    Of labels it is the raw score that the gradient is taken of (before the softmax, which
    flattens where an answer is certain: Simonyan, Vedaldi & Zisserman 2014); of numbers the
    predicted value, in the unit of y. Columns of ids have no gradient; theirs is the one by the
    vectors that are looked up: its length with "gradient", its product with the vector with
    "gradient_times_input". Of columns that spell a token the first stands for all.

    Examples
    --------
    >>> import numpy as np
    >>> from rnnkit import GRURegressor
    >>> from rnnkit.inspection import SaliencyDisplay
    >>> X = np.random.RandomState(0).randn(200, 5, 2)
    >>> y = X[:, 3, 0]
    >>> regressor = GRURegressor(16, max_iter=40, learning_rate_init=0.02, random_state=0)
    >>> display = SaliencyDisplay.from_estimator(regressor.fit(X, y), X)
    >>> [int(i) for i in np.unravel_index(np.abs(display.saliency).argmax(), (5, 2))]
    [3, 0]
    """

    def __init__(
        self,
        saliency: np.ndarray,
        *,
        feature_names: Sequence[str] | None = None,
        step_labels: Sequence[str] | None = None,
        target_name: str | None = None,
        method: str = "gradient",
    ) -> None:
        self.saliency = saliency
        self.feature_names = feature_names
        self.step_labels = step_labels
        self.target_name = target_name
        self.method = method

    @classmethod
    def from_estimator(
        cls,
        estimator: Any,
        X: Any,
        *,
        index: int = 0,
        target: Any = None,
        step: int | None = None,
        method: str = "gradient",
        lengths: Any = None,
        ax: Any = None,
        **imshow_kw: Any,
    ) -> SaliencyDisplay:
        """Compute the gradient for a fitted estimator on one sequence and draw it.

        Parameters
        ----------
        estimator : estimator
            A fitted recurrent estimator, or a Pipeline or search that ends in one, whose other
            steps transform X: columns are those that the network takes.
        X : array-like, data frame, list of arrays or Sequences
            As `estimator.predict` takes it.
        index : int, default=0
            Which sequence of X.
        target : label or int, default=None
            What the gradient is of: a label, or the position of one of several outputs (of K
            numbers with Q quantiles each, of all K·Q). None: the label with the largest raw score
            (of every step; of a labeller, of those that give one); the first number, its quantile
            nearest to the median.
        step : int, default=None
            Where there is an answer per step, the step whose answer is meant, counted from 0 or,
            negative, from the end; None: the sum over all steps.
        method : {"gradient", "gradient_times_input"}, default="gradient"
            Whether the gradient is multiplied by the feature.
        lengths : array-like of shape (N,), default=None
            Steps of every sequence of a dense X.
        ax : matplotlib Axes, default=None
            Where to draw; None makes a figure.
        **imshow_kw : dict
            Handed on to `imshow`.

        Returns
        -------
        SaliencyDisplay

        Raises
        ------
        ValueError, TypeError
            If X is not as in `fit`, or there is no such sequence, target, step or method.
        MissingExtraError
            If matplotlib is not installed.
        """
        if method not in METHODS:
            raise ValueError(f"method must be one of {METHODS}, got {method!r}")
        look = look_at(estimator, X, index, lengths)
        fitted = look.estimator
        network = fitted.network_
        column, name = _target(fitted, target)
        row = _row(network, look, step)

        def slope(scores: np.ndarray) -> np.ndarray:
            if column is None:
                slopes = np.zeros_like(scores)
                slopes[np.arange(len(scores)), scores.argmax(axis=1)] = 1.0
                slopes[:, fitted._codec.width :] = 0.0  # a labeller's blank is no label
            else:
                slopes = slope_of_value(network.output, scores, column)
            if row is not None:
                slopes[np.arange(len(slopes)) != row] = 0.0
            return slopes

        features, gradient = gradient_by_inputs(
            network, fitted.device, look.inputs(), look.n_steps, slope
        )
        reader = fitted._reader
        if method == "gradient":
            saliency = by_columns(network, reader, gradient, _lengths_of_rows)
        else:
            saliency = by_columns(network, reader, gradient * features, _sums_of_rows)
        if row is not None:
            name = f"{name}, step {row}"
        display = cls(
            saliency,
            feature_names=column_names(fitted),
            step_labels=look.words,
            target_name=name,
            method=method,
        )
        return display.plot(ax, **imshow_kw)

    def plot(self, ax: Any = None, **imshow_kw: Any) -> SaliencyDisplay:
        """Draw the gradient: red where more of a feature means more of the answer, blue where less.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Where to draw; None makes a figure.
        **imshow_kw : dict
            Handed on to `imshow`.

        Returns
        -------
        SaliencyDisplay
            This object.

        Raises
        ------
        MissingExtraError
            If matplotlib is not installed.
        """
        n_steps, n_columns = self.saliency.shape
        self.ax_ = axes_to_draw_on(ax, self, (6.4, min(4.8, 1.8 + 0.3 * n_columns)))
        self.figure_ = self.ax_.figure
        names = self.feature_names or [str(column) for column in range(n_columns)]
        self.image_ = heat_map(self.ax_, self.saliency.T, signed=True, **imshow_kw)
        spoken = "gradient" if self.method == "gradient" else "gradient × input"
        self.figure_.colorbar(self.image_, ax=self.ax_, label=spoken)
        if n_columns <= 30:
            self.ax_.set_yticks(range(n_columns), names)
        else:
            self.ax_.set_ylabel("feature")
        label_steps(self.ax_, self.step_labels, n_steps)
        if self.target_name:
            self.ax_.set_title(f"{spoken} of {self.target_name}", fontsize="medium")
        return self


def _lengths_of_rows(rows: np.ndarray) -> np.ndarray:
    return np.asarray(np.sqrt((rows**2).sum(axis=1)))


def _sums_of_rows(rows: np.ndarray) -> np.ndarray:
    return np.asarray(rows.sum(axis=1))


def _target(fitted: Any, target: Any) -> tuple[int | None, str]:
    """Return the column of the raw scores that is meant, None for the largest, and its name."""
    codec, output = fitted._codec, fitted.network_.output
    if isinstance(codec, (Labels, LabelLists)):
        if target is None:
            return None, "the label predicted"
        labels = codec.classes.tolist()
        if target not in labels:
            raise ValueError(f"target must be one of the labels {labels[:10]}, got {target!r}")
        return labels.index(target), f"label {target!r}"
    n = output.width
    if target is None:
        return (None, "the label predicted") if isinstance(codec, Indicators) else _first(output)
    place = place_of(target, n, "target")
    return place, f"output {place}"


def _first(output: Any) -> tuple[int, str]:
    """Return the first number, of several quantiles the one nearest to the median."""
    if hasattr(output, "quantiles"):
        middle = output.columns()[1]
        return middle, f"the quantile {output.quantiles[middle]:g}"
    return 0, "the prediction" if output.width == 1 else "output 0"


def _row(network: Any, look: Look, step: Any) -> int | None:
    """Return the row of the raw scores that is meant, None for all."""
    if step is None:
        return None
    if not network.per_step:
        raise ValueError(f"step must be None where a sequence has one answer, got {step!r}")
    return place_of(step, look.n_steps, "step")

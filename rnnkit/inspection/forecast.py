"""Predicted numbers over time, with fans where there are several quantiles.

Letters: N sequences, T steps, M steps predicted, K outputs, Q quantiles.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from rnnkit.inspection.axes import axes_to_draw_on
from rnnkit.inspection.looking import fitted_network, place_of, sequences_of
from rnnkit.network import Quantiles
from rnnkit.sequences import Sequences
from rnnkit.sequences.ids import refuse_other_ids

__all__ = ["ForecastDisplay"]


class ForecastDisplay:
    """The history of one sequence and what is predicted: a line, within bands of quantiles.

    Use `from_estimator`, or `from_predictions` for numbers from anywhere.

    Parameters
    ----------
    steps : ndarray of shape (M,)
        The steps that the predictions are about.
    predictions : ndarray of shape (M,) or (M, Q)
        A number for each, or one for each quantile.
    quantiles : sequence of Q float, default=None
        Which; None: the predictions are no quantiles.
    history : ndarray of shape (T,), default=None
        The numbers at the steps 0 to T - 1.
    actual : ndarray of shape (M,), default=None
        What came true.

    Attributes
    ----------
    ax_ : matplotlib Axes
    figure_ : matplotlib Figure
    line_ : matplotlib Line2D
        The prediction, or the quantile nearest to the median.
    bands_ : list of matplotlib artists
        From the widest to the narrowest.

    Examples
    --------
    >>> import numpy as np
    >>> from rnnkit import GRURegressor
    >>> from rnnkit.inspection import ForecastDisplay
    >>> wave = np.sin(np.arange(300) / 4).reshape(10, 30)
    >>> X, y = wave[:, :24], wave[:, 24:]
    >>> regressor = GRURegressor(
    ...     8, loss="quantile", quantile=[0.1, 0.5, 0.9], max_iter=5, learning_rate="linear"
    ... ).fit(X, y)
    >>> display = ForecastDisplay.from_estimator(regressor, X, y, index=3)
    >>> display.predictions.shape, [int(step) for step in display.steps]
    ((6, 3), [24, 25, 26, 27, 28, 29])
    """

    def __init__(
        self,
        steps: np.ndarray,
        predictions: np.ndarray,
        *,
        quantiles: Sequence[float] | None = None,
        history: np.ndarray | None = None,
        actual: np.ndarray | None = None,
    ) -> None:
        self.steps = steps
        self.predictions = predictions
        self.quantiles = quantiles
        self.history = history
        self.actual = actual

    @classmethod
    def from_estimator(
        cls,
        estimator: Any,
        X: Any,
        y: Any = None,
        *,
        index: int = 0,
        n_steps: int | None = None,
        shift: int = 0,
        output: int = 0,
        feature: int | None = 0,
        lengths: Any = None,
        n_history: int | None = None,
        ax: Any = None,
        **line_kw: Any,
    ) -> ForecastDisplay:
        """Predict one sequence with a fitted regressor and draw it.

        Parameters
        ----------
        estimator : estimator
            A fitted regressor, or a Pipeline or search that ends in one. Of one that answers per
            sequence the K outputs are the K steps after its end.
        X : array-like, data frame, list of arrays or Sequences
            As `estimator.predict` takes it.
        y : array-like, default=None
            What came true: of every sequence the K targets, or those of every step; with
            `n_steps` the numbers (N, n_steps) after its end.
        index : int, default=0
            Which sequence of X.
        n_steps : int, default=None
            Forecast so many steps in closed loop (`forecast`); None: `predict`.
        shift : int, default=0
            Where there is an answer per step: how many steps later is what it predicts. 1 for a
            network trained with ``y[t] = X[t + 1]``.
        output : int, default=0
            Where there is an answer per step: which of its K outputs.
        feature : int, default=0
            The column of X that is drawn as history; None: none is.
        lengths : array-like of shape (N,), default=None
            Steps of every sequence of a dense X.
        n_history : int, default=None
            How many of the last steps of the history are drawn; None: all.
        ax : matplotlib Axes, default=None
            Where to draw; None makes a figure.
        **line_kw : dict
            Handed on to the line of predictions.

        Returns
        -------
        ForecastDisplay

        Raises
        ------
        ValueError, TypeError
            If X is not as in `fit`, there is no such sequence, output or feature, or the estimator
            predicts no numbers.
        MissingExtraError
            If matplotlib is not installed.
        """
        refuse_other_ids(X, y, "y")
        fitted, inner = fitted_network(estimator, X)
        codec, network = fitted._codec, fitted.network_
        if codec.kind != "numbers":
            raise ValueError(f"ForecastDisplay needs a regressor, got {type(fitted).__name__}")
        sequences = sequences_of(fitted, inner, lengths)
        place = place_of(index, len(sequences))
        length = int(sequences.lengths[place])
        options = {} if lengths is None else {"lengths": lengths}
        quantiles = network.output.quantiles if isinstance(network.output, Quantiles) else None
        if n_steps is None:
            found = estimator.predict(X, **options)
        else:
            if not hasattr(estimator, "forecast"):
                raise ValueError(
                    "n_steps needs an estimator with the method forecast, such as "
                    f"LSTMSequenceRegressor, got {type(estimator).__name__}"
                )
            found = estimator.forecast(X, n_steps, **options)
        values = np.asarray(found[place])
        per_step = network.targets_per_step or n_steps is not None
        if per_step:
            after = network.targets_per_step and n_steps is None
            values = values[:length] if after else values
            steps = np.arange(len(values)) + (shift if after else length)
            values = _column(values, output, codec.is_vector)
        else:
            values = values if codec.is_vector else values[None]
            steps = length + np.arange(len(values))
        actual = None
        if y is not None:
            y = y.to_numpy() if hasattr(y, "to_numpy") else y  # rows, not names of columns
            actual = np.asarray(y[place], dtype=float)
            if per_step:
                actual = _column(actual[: len(values)], output, actual.ndim == 2)
            actual = np.atleast_1d(actual)
            if actual.shape != steps.shape:
                raise ValueError(
                    f"y[{place}] must have the {len(steps)} numbers predicted, got {len(actual)}"
                )
        history = None if feature is None else _history(fitted, X, lengths, place, feature)
        display = cls(steps, values, quantiles=quantiles, history=history, actual=actual)
        return display.plot(ax, n_history=n_history, **line_kw)

    @classmethod
    def from_predictions(
        cls,
        predictions: Any,
        *,
        quantiles: Sequence[float] | None = None,
        history: Any = None,
        actual: Any = None,
        n_history: int | None = None,
        ax: Any = None,
        **line_kw: Any,
    ) -> ForecastDisplay:
        """Draw predictions of the steps after the end of a history.

        Parameters
        ----------
        predictions : array-like of shape (M,) or (M, Q)
            A number for each step, or one for each quantile.
        quantiles : sequence of Q float, default=None
            Which; needed where predictions have two dimensions.
        history : array-like of shape (T,), default=None
            The numbers before.
        actual : array-like of shape (M,), default=None
            What came true.
        n_history : int, default=None
            How many of the last steps of the history are drawn; None: all.
        ax : matplotlib Axes, default=None
            Where to draw; None makes a figure.
        **line_kw : dict
            Handed on to the line of predictions.

        Returns
        -------
        ForecastDisplay

        Raises
        ------
        ValueError
            If shapes do not fit.
        MissingExtraError
            If matplotlib is not installed.
        """
        values = np.asarray(predictions, dtype=float)
        expected = 1 if quantiles is None else 2
        if values.ndim != expected or (quantiles is not None and values.shape[1] != len(quantiles)):
            raise ValueError(
                "predictions must have shape (M,), or (M, Q) with Q quantiles, got "
                f"{values.shape} with quantiles={quantiles!r}"
            )
        past = None if history is None else np.asarray(history, dtype=float)
        steps = (0 if past is None else len(past)) + np.arange(len(values))
        true = None if actual is None else np.asarray(actual, dtype=float)
        if true is not None and true.shape != steps.shape:
            raise ValueError(f"actual must have shape {steps.shape}, got {true.shape}")
        display = cls(steps, values, quantiles=quantiles, history=past, actual=true)
        return display.plot(ax, n_history=n_history, **line_kw)

    def plot(
        self, ax: Any = None, *, n_history: int | None = None, **line_kw: Any
    ) -> ForecastDisplay:
        """Draw the history, the prediction and the bands between pairs of quantiles.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Where to draw; None makes a figure.
        n_history : int, default=None
            How many of the last steps of the history are drawn; None: all.
        **line_kw : dict
            Handed on to the line of predictions.

        Returns
        -------
        ForecastDisplay
            This object.

        Raises
        ------
        MissingExtraError
            If matplotlib is not installed.
        """
        self.ax_ = axes_to_draw_on(ax, self)
        self.figure_ = self.ax_.figure
        if self.history is not None:
            first = 0 if n_history is None else max(0, len(self.history) - n_history)
            shown = np.arange(first, len(self.history))
            self.ax_.plot(shown, self.history[first:], color="0.3", label="history")
        marker = "o" if len(self.steps) == 1 else None
        line, label = self.predictions, "prediction"
        self.bands_: list[Any] = []
        if self.quantiles is not None:
            line, label = self._draw_bands(self.quantiles)
        options = {"color": "C0", "label": label, "marker": marker, **line_kw}
        (self.line_,) = self.ax_.plot(self.steps, line, **options)
        if self.actual is not None:
            style = {"color": "C3", "ls": "--", "marker": "x" if marker else None}
            self.ax_.plot(self.steps, self.actual, label="actual", **style)
        self.ax_.set(xlabel="step")
        self.ax_.legend()
        return self

    def _draw_bands(self, quantiles: Sequence[float]) -> tuple[np.ndarray, str]:
        """Draw a band for each pair of quantiles from the outside in; return the middle one."""
        order = sorted(range(len(quantiles)), key=quantiles.__getitem__)
        middle = min(order, key=lambda column: abs(quantiles[column] - 0.5))
        place = order.index(middle)
        n_bands = max(place, len(order) - 1 - place)
        for number in range(n_bands):
            low = order[min(number, place)]
            high = order[max(len(order) - 1 - number, place)]
            span = (quantiles[low], quantiles[high])
            even = abs(span[0] + span[1] - 1.0) < 1e-9
            name = f"{100 * (span[1] - span[0]):g} %" if even else f"{span[0]:g} to {span[1]:g}"
            ends = (self.predictions[:, low], self.predictions[:, high])
            if len(self.steps) == 1:
                band = self.ax_.vlines(self.steps, *ends, color="C0", alpha=0.3, lw=4, label=name)
            else:
                options = {"color": "C0", "alpha": 0.2, "lw": 0, "label": name}
                band = self.ax_.fill_between(self.steps, *ends, **options)
            self.bands_.append(band)
        value = quantiles[middle]
        return self.predictions[:, middle], "median" if value == 0.5 else f"quantile {value:g}"


def _column(values: np.ndarray, output: Any, is_vector: bool) -> np.ndarray:
    """Return one output (M,) or (M, Q) of answers per step."""
    if not is_vector:
        if output != 0:
            raise ValueError(f"output must be 0 where there is one number per step, got {output!r}")
        return values
    n = values.shape[1]
    return values[:, place_of(output, n, "output")]


def _history(fitted: Any, X: Any, lengths: Any, place: int, feature: Any) -> np.ndarray:
    """Return a column of one sequence of X as users gave it, in the unit of y as a rule."""
    try:
        sequences = Sequences.from_any(X, lengths, fitted._reader.step_features, "X")
    except (TypeError, ValueError) as error:
        raise ValueError(
            "X holds no sequences of numbers that could be drawn as history; pass feature=None"
        ) from error
    steps: np.ndarray = sequences[place]
    return steps[:, place_of(feature, steps.shape[1], "feature")]

"""Turns values into their changes over a number of steps, and changes into values again.

Letters: n sequences, T steps, F features of a step.
"""

from __future__ import annotations

from numbers import Integral
from typing import Any

import numpy as np
from sklearn.utils.validation import check_is_fitted

from rnnkit.preprocessing.stepwise import StepTransformer
from rnnkit.sequences import Sequences
from rnnkit.sequences.ids import refuse_other_ids

__all__ = ["Difference"]

STARTS = ("zero", "keep", "drop")


class Difference(StepTransformer):
    """Take from every value the one `lag` steps before: d_t = x_t - x_{t-lag}.

    A trend becomes a level, a season of `lag` steps disappears (Box & Jenkins 1970). One sequence
    never reaches into another. Two in a pipeline, of lags 1 and 12, do both.

    Parameters
    ----------
    lag : int, default=1
        How many steps lie between the two values.
    start : {"zero", "keep", "drop"}, default="zero"
        What the first `lag` steps become, before which there is nothing: zero; what they are; or
        they are left out, and the sequence is shorter.
    step_features : int, default=1
        Features F of a step where X is 2-D.

    Attributes
    ----------
    n_features_in_ : int
        Columns of a 2-D X, F for the other forms.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        The columns' names, where X is a frame, a list of frames, or `Sequences` of one.

    Notes
    -----
    The inverse is exact but for rounding, and exact for whole numbers; it sums in float64. Where
    a value is NaN, so are its differences. With "drop" a sequence of no more than `lag` steps is
    refused.

    Examples
    --------
    >>> import numpy as np
    >>> from rnnkit.preprocessing import Difference
    >>> x = np.array([1.0, 2.0, 4.0, 7.0])
    >>> difference = Difference()
    >>> difference.fit_transform([x])
    [array([0., 1., 2., 3.])]
    >>> difference.inverse_transform([np.array([0.0, 1.0, 2.0, 3.0])], initial=[x[:1]])
    [array([1., 2., 4., 7.])]
    """

    def __init__(self, lag: int = 1, *, start: str = "zero", step_features: int = 1) -> None:
        self.lag = lag
        self.start = start
        self.step_features = step_features

    def _settings(self) -> tuple[Any, ...]:
        if isinstance(self.lag, bool) or not isinstance(self.lag, Integral):
            raise TypeError(f"lag must be an integer, got {self.lag!r}")
        if self.lag < 1:
            raise ValueError(f"lag must be at least 1, got {self.lag!r}")
        if self.start not in STARTS:
            raise ValueError(f"start must be one of {STARTS}, got {self.start!r}")
        return int(self.lag), self.start

    def _transformed(self, steps: Sequences) -> tuple[np.ndarray, np.ndarray]:
        lag, start, _ = self._fitted
        if start == "drop" and steps.lengths.min() <= lag:
            i = int(np.argmax(steps.lengths <= lag))
            raise ValueError(
                f"X: sequence {i} has {steps.lengths[i]} steps; differences of lag={lag} need more"
            )
        positions = np.arange(len(steps.values)) - np.repeat(steps.offsets[:-1], steps.lengths)
        rows = np.flatnonzero(positions >= lag)
        values = steps.values.copy() if start == "keep" else np.zeros_like(steps.values)
        values[rows] = steps.values[rows] - steps.values[rows - lag]
        if start != "drop":
            return values, steps.offsets
        return values[rows], steps.offsets - lag * np.arange(len(steps.offsets))

    def _steps_after(self, n_steps: int) -> int:
        lag, start, _ = self._fitted
        return n_steps - lag if start == "drop" else n_steps

    def _steps_before(self, n_steps: int) -> int:
        lag, start, _ = self._fitted
        return n_steps + lag if start == "drop" else n_steps

    def inverse_transform(self, X: Any, initial: Any = None, lengths: Any = None) -> Any:
        """Sum differences up to values.

        Parameters
        ----------
        X : array-like, frame, list or Sequences
            What `transform` returned, or a forecast of it.
        initial : array-like of shape (n, lag, F), list or Sequences, default=None
            Where `start` is "zero" or "drop": the first `lag` steps of each sequence, which the
            differences do not know. To go on from the end of a series, with "drop": its last
            `lag` steps.
        lengths : array-like of shape (n,), default=None
            Real steps of each sequence where X is a padded array.

        Returns
        -------
        ndarray, list, object array or Sequences
            In the form of X; with "drop" `initial` and then the values, so `lag` steps longer.

        Raises
        ------
        NotFittedError
            If `fit` was not called.
        TypeError, ValueError
            If X is not accepted, or `initial` is missing, not needed, or of another shape.
        """
        check_is_fitted(self, "_fitted")
        lag, start, step_features = self._fitted
        steps = Sequences.from_any(X, lengths, step_features, allow_nan=True)
        if steps.n_features != self._n_step_features:
            raise ValueError(
                f"X has {steps.n_features} features, but Difference is expecting "
                f"{self._n_step_features} features as input"
            )
        refuse_other_ids(X, initial, "initial")
        heads = self._heads(initial, steps)
        sequences = []
        for i, x in enumerate(steps):
            if start == "keep":
                whole = x
            elif start == "zero":
                whole = np.concatenate([heads[i], x[lag:]])
            else:
                whole = np.concatenate([heads[i], x])
            sequences.append(_summed(whole, lag).astype(steps.dtype))
        offsets = np.concatenate([[0], np.cumsum([len(x) for x in sequences])])
        return self._give(X, np.concatenate(sequences), offsets, self._steps_before)

    def get_feature_names_out(self, input_features: Any = None) -> np.ndarray:
        """Name the columns of the result as those of X.

        Parameters
        ----------
        input_features : array-like of str, default=None
            Names of the columns of X; None: those seen in `fit`, or x0, x1, ...

        Returns
        -------
        ndarray of shape (n_columns,), object
            Without the first `lag` steps of 2-D X with "drop".

        Raises
        ------
        NotFittedError
            If `fit` was not called.
        """
        names = self._step_names(input_features)
        lag, start, _ = self._fitted
        columns: np.ndarray = names.ravel()
        if start == "drop" and self._fitted_on_rows:
            columns = names[lag:].ravel()
        return columns

    def _heads(self, initial: Any, steps: Sequences) -> list[np.ndarray]:
        """Return the first steps of each sequence in float64; ValueError if they do not fit."""
        lag, start, step_features = self._fitted
        if start == "keep":
            if initial is not None:
                raise ValueError('initial is known with start="keep": leave it out')
            return []
        if initial is None:
            raise ValueError(
                f'inverse_transform with start="{start}" needs initial: the first {lag} steps of '
                "each sequence"
            )
        heads = Sequences.from_any(initial, None, step_features, allow_nan=True)
        if len(heads) != len(steps) or heads.n_features != steps.n_features:
            raise ValueError(
                f"initial holds {len(heads)} sequences of {heads.n_features} features, but X "
                f"{len(steps)} of {steps.n_features}"
            )
        needed = np.full(len(steps), lag)
        if start == "zero":
            needed = np.minimum(needed, steps.lengths)
        if not np.array_equal(heads.lengths, needed):
            i = int(np.argmax(heads.lengths != needed))
            raise ValueError(
                f"initial: sequence {i} has {heads.lengths[i]} steps, but needs {needed[i]}"
            )
        return [np.asarray(head, dtype=np.float64) for head in heads]


def _summed(x: np.ndarray, lag: int) -> np.ndarray:
    """Return the sums of every lag-th step, from each of the first `lag` steps on, in float64."""
    missing = -len(x) % lag
    padded = np.concatenate([x, np.zeros((missing, x.shape[1]))]).astype(np.float64)
    sums = padded.reshape(-1, lag, x.shape[1]).cumsum(axis=0)
    whole: np.ndarray = sums.reshape(-1, x.shape[1])[: len(x)]
    return whole

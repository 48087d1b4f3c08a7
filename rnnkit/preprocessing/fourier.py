"""Says where in a day, a week or another period a step lies, by waves.

Letters: n sequences, T steps, F features of a step.
"""

from __future__ import annotations

from numbers import Integral, Real
from typing import Any

import numpy as np

from rnnkit.preprocessing.stepwise import StepTransformer
from rnnkit.sequences import Sequences

__all__ = ["FourierTime"]


class FourierTime(StepTransformer):
    """Append waves of known periods: sin(2πjt/p) and cos(2πjt/p), for j = 1, ..., n_terms.

    A network that is told the hour need not count steps to know it. The waves of a period and its
    harmonics can be put together into any season (harmonic regression, Young, Pedregal & Tych
    1999).

    Parameters
    ----------
    period : float or sequence of float, default=24.0
        The periods p, in steps, or in the unit of `time`.
    n_terms : int or sequence of int, default=1
        How many harmonics, for every period or for each.
    time : int or str, default=None
        The feature that holds the time t, by position or by name; None: t is the position in the
        sequence, 0, 1, ... Windows cut from one series begin anywhere: give them a time.
    keep_time : bool, default=False
        Whether the feature `time` stays beside the waves.
    step_features : int, default=1
        Features F of a step where X is 2-D.

    Attributes
    ----------
    n_features_in_ : int
        Columns of a 2-D X, F for the other forms.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        The columns' names, where X is a frame, a list of frames, or `Sequences` of one.

    Examples
    --------
    >>> import numpy as np
    >>> from rnnkit.preprocessing import FourierTime
    >>> X = [np.array([[5.0], [6.0], [7.0]])]
    >>> np.round(FourierTime(4).fit_transform(X)[0], 3) + 0.0
    array([[ 5.,  0.,  1.],
           [ 6.,  1.,  0.],
           [ 7.,  0., -1.]])
    """

    def __init__(
        self,
        period: Any = 24.0,
        n_terms: Any = 1,
        *,
        time: int | str | None = None,
        keep_time: bool = False,
        step_features: int = 1,
    ) -> None:
        self.period = period
        self.n_terms = n_terms
        self.time = time
        self.keep_time = keep_time
        self.step_features = step_features

    def _settings(self) -> tuple[Any, ...]:
        return (self._waves(),)

    def _learn(self, X: Any, steps: Sequences, settings: tuple[Any, ...]) -> tuple[Any, ...]:
        column = self._time_column(steps)
        if column is not None:
            _times(steps, column)
        return *settings, column, bool(self.keep_time)

    def _transformed(self, steps: Sequences) -> tuple[np.ndarray, np.ndarray]:
        waves, column, keep_time, _ = self._fitted
        values = steps.values
        if column is None:
            starts = np.repeat(steps.offsets[:-1], steps.lengths)
            t = (np.arange(len(values)) - starts).astype(np.float64)
        else:
            t = _times(steps, column)
            if not keep_time:
                values = np.delete(values, column, axis=1)
        angles = 2 * np.pi * np.array([np.mod(t * j / p, 1.0) for p, j in waves])
        both = np.stack([np.sin(angles), np.cos(angles)], axis=1).reshape(-1, len(t)).T
        return np.hstack([values, both.astype(values.dtype)]), steps.offsets

    def get_feature_names_out(self, input_features: Any = None) -> np.ndarray:
        """Name the columns of the result: those of 2-D X, otherwise those of a step.

        Parameters
        ----------
        input_features : array-like of str, default=None
            Names of the columns of X; None: those seen in `fit`, or x0, x1, ...

        Returns
        -------
        ndarray of shape (n_columns,), object
            Those appended are called "sin1_24", "cos1_24" for the first harmonic of period 24; in
            2-D X with the step's number in front.

        Raises
        ------
        NotFittedError
            If `fit` was not called.
        """
        names = self._step_names(input_features)
        waves, column, keep_time, _ = self._fitted
        if column is not None and not keep_time:
            names = np.delete(names, column, axis=1)
        added = [f"{wave}{j}_{p:g}" for p, j in waves for wave in ("sin", "cos")]
        rows = [
            [*row, *(f"step{t}_{name}" if self._fitted_on_rows else name for name in added)]
            for t, row in enumerate(names)
        ]
        return np.array(rows, dtype=object).ravel()

    def _waves(self) -> tuple[tuple[float, int], ...]:
        """Return the period and the number of every harmonic; raise where a parameter is wrong."""
        periods = _listed(self.period)
        for p in periods:
            if isinstance(p, (bool, np.bool_)) or not isinstance(p, Real):
                raise TypeError(f"period must be a number or a list of numbers, got {p!r}")
            if not 0 < float(p) < np.inf:
                raise ValueError(f"period must be positive and finite, got {p!r}")
        terms = _listed(self.n_terms)
        if not periods or len(terms) not in (1, len(periods)):
            raise ValueError(
                f"n_terms must be one number or one for each of {len(periods)} periods, got "
                f"{self.n_terms!r}"
            )
        for n in terms:
            if isinstance(n, bool) or not isinstance(n, Integral):
                raise TypeError(f"n_terms must be an integer or a list of integers, got {n!r}")
            if n < 1:
                raise ValueError(f"n_terms must be at least 1, got {n!r}")
        if len(terms) == 1:
            terms = terms * len(periods)
        for p, n in zip(periods, terms):
            if self.time is None and 2 * n > p:
                raise ValueError(
                    f"n_terms={n} needs a period of at least {2 * n} steps, got period={p:g}: "
                    "faster waves look like slower ones"
                )
        return tuple((float(p), j) for p, n in zip(periods, terms) for j in range(1, int(n) + 1))

    def _time_column(self, steps: Sequences) -> int | None:
        time, n_features = self.time, steps.n_features
        if not isinstance(self.keep_time, (bool, np.bool_)):
            raise TypeError(f"keep_time must be True or False, got {self.keep_time!r}")
        if time is None:
            return None
        if isinstance(time, str):
            names = getattr(self, "feature_names_in_", None)
            if names is None and steps.columns is not None:
                names = steps.columns
            if names is None or time not in list(names)[:n_features]:
                known = "X has no names" if names is None else f"X has {list(names)[:n_features]}"
                raise ValueError(f"time must name a feature of X, got {time!r}; {known}")
            return list(names).index(time)
        if isinstance(time, bool) or not isinstance(time, Integral):
            raise TypeError(f"time must be an integer, a name or None, got {time!r}")
        if not -n_features <= time < n_features:
            raise ValueError(
                f"time must be the position of one of {n_features} features, got {time}"
            )
        return int(time) % n_features

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = self.time is None  # a time may not be missing
        return tags


def _listed(value: Any) -> list[Any]:
    return list(value) if isinstance(value, (list, tuple, np.ndarray)) else [value]


def _times(steps: Sequences, column: int) -> np.ndarray:
    """Return the time of every step in float64; ValueError where one is missing."""
    t = steps.values[:, column].astype(np.float64)
    finite = np.isfinite(t)
    if not finite.all():
        row = int(np.argmin(finite))
        i = int(np.searchsorted(steps.offsets, row, side="right")) - 1
        raise ValueError(
            "X must hold the time of every step, but contains NaN or infinity there: "
            f"sequence {i}, step {row - steps.offsets[i]}"
        )
    return t

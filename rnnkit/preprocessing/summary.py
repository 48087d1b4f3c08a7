"""Turns a sequence into one row of numbers that say what it looks like, for models of rows.

Letters: n sequences, T steps, F features of a step, S segments, k statistics.
"""

from __future__ import annotations

from collections.abc import Sequence
from numbers import Integral
from typing import Any

import numpy as np
from sklearn.utils.validation import _check_feature_names_in, check_is_fitted

from rnnkit.preprocessing.stepwise import StepReader
from rnnkit.sequences import Sequences

__all__ = ["SequenceSummary"]

STATISTICS = ("mean", "std", "min", "max", "first", "last")


class SequenceSummary(StepReader):
    """Describe each sequence by a few numbers: what a linear model needs to stand beside a network.

    Every feature of a step gives its mean, standard deviation, least, largest and last value, and
    its mean in each of a few segments, which lie one after the other; the last column is the number
    of steps.

    Parameters
    ----------
    statistics : sequence of str, default=("mean", "std", "min", "max", "last")
        Any of "mean", "std", "min", "max", "first" and "last", each once; the columns' order.
    n_segments : int, default=5
        Segments S of whose steps the means are taken; 0: none.
    count_steps : bool, default=True
        Whether the number of steps is a column.
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
    Segment j of a sequence of T steps is the steps from ⌊jT/S⌋ to before ⌈(j+1)T/S⌉: where S does
    not divide T, neighbours share a step, and a sequence of fewer steps than S has some of them in
    several. The deviation is that of the steps themselves, √(Σ (x - mean)² / T), 0 where all are
    equal. Steps that are NaN count for no statistic but "first" and "last"; a statistic of nothing
    is NaN, which `sklearn.impute.SimpleImputer` fills.

    Token ids have no mean: `sklearn.feature_extraction.text.CountVectorizer` counts them.

    Examples
    --------
    >>> import numpy as np
    >>> from rnnkit.preprocessing import SequenceSummary
    >>> X = [np.array([1.0, 2.0, 6.0]), np.array([4.0])]
    >>> summary = SequenceSummary(("mean", "last"), n_segments=2)
    >>> summary.fit_transform(X)
    array([[3. , 6. , 1.5, 4. , 3. ],
           [4. , 4. , 4. , 4. , 1. ]])
    >>> summary.get_feature_names_out().tolist()
    ['x0_mean', 'x0_last', 'x0_segment0', 'x0_segment1', 'steps']

    Beside a network, both weighed by what they predict of sequences left out (Wolpert 1992):

    >>> from sklearn.ensemble import StackingClassifier
    >>> from sklearn.linear_model import LogisticRegression
    >>> from sklearn.pipeline import make_pipeline
    >>> from sklearn.preprocessing import StandardScaler
    >>> from rnnkit import GRUClassifier
    >>> linear = make_pipeline(SequenceSummary(), StandardScaler(), LogisticRegression())
    >>> network = GRUClassifier(8, max_iter=20, learning_rate="linear", random_state=0)
    >>> both = StackingClassifier([("network", network), ("linear", linear)], cv=2)
    >>> X = [np.arange(float(n)) for n in (3, 4, 5, 6, 7, 8)]
    >>> both.fit(X, ["short"] * 3 + ["long"] * 3).predict([np.arange(9.0)]).tolist()
    ['long']
    """

    def __init__(
        self,
        statistics: Sequence[str] = ("mean", "std", "min", "max", "last"),
        *,
        n_segments: int = 5,
        count_steps: bool = True,
        step_features: int = 1,
    ) -> None:
        self.statistics = statistics
        self.n_segments = n_segments
        self.count_steps = count_steps
        self.step_features = step_features

    def transform(self, X: Any, lengths: Any = None) -> np.ndarray:
        """Describe the sequences.

        Parameters
        ----------
        X : array-like, frame, list or Sequences
            Any of the four forms of input; NaN may be in it.
        lengths : array-like of shape (n,), integer, or "nan", default=None
            As in `fit`; steps beyond count for nothing.

        Returns
        -------
        ndarray of shape (n, (k + S)·F + 1), or without the last column
            Of the dtype of X, summed in float64: for each statistic, then for each segment, all
            features. A row is the same bits alone as in any X.

        Raises
        ------
        NotFittedError
            If `fit` was not called.
        TypeError, ValueError
            If X is not accepted or has another number of features.
        """
        check_is_fitted(self, "_fitted")
        steps = self._read(X, lengths, reset=False)
        names, n_segments, count_steps, _ = self._fitted
        found = _Statistics(steps)
        parts = [getattr(found, name)() for name in names]
        parts += [found.mean(j, n_segments) for j in range(n_segments)]
        if count_steps:
            parts.append(steps.lengths[:, None])
        return np.concatenate(parts, axis=1, dtype=steps.dtype)

    def get_feature_names_out(self, input_features: Any = None) -> np.ndarray:
        """Name the columns of the result.

        Parameters
        ----------
        input_features : array-like of str, default=None
            Names of the columns of X; None: those seen in `fit`, or x0, x1, ... One name of several
            features is that of a column of sequences: c_x0, c_x1, ...

        Returns
        -------
        ndarray of shape (n_columns,), object
            As c_mean, c_segment0 and steps. The columns of a 2-D X are steps: there the features of
            a step are called x0, x1, ...

        Raises
        ------
        NotFittedError
            If `fit` was not called.
        """
        check_is_fitted(self, "_fitted")
        features = [f"x{j}" for j in range(self._n_step_features)]
        if input_features is not None and len(input_features) == 1 < len(features):
            features = [f"{input_features[0]}_{feature}" for feature in features]
        elif not self._fitted_on_rows:
            features = _check_feature_names_in(self, input_features)
        else:
            _check_feature_names_in(self, input_features)
        names, n_segments, count_steps, _ = self._fitted
        endings = [*names, *(f"segment{j}" for j in range(n_segments))]
        columns = [f"{feature}_{ending}" for ending in endings for feature in features]
        return np.array(columns + ["steps"] * count_steps, dtype=object)

    @property
    def _gives_rows(self) -> bool:
        return True

    def _settings(self) -> tuple[Any, ...]:
        if isinstance(self.statistics, str) or not isinstance(self.statistics, Sequence):
            raise TypeError(f"statistics must be a list of names, got {self.statistics!r}")
        for i, name in enumerate(self.statistics):
            if not isinstance(name, str) or name not in STATISTICS:
                raise ValueError(f"statistics[{i}] must be one of {STATISTICS}, got {name!r}")
            if name in self.statistics[:i]:
                raise ValueError(f"statistics must name each once, got {name!r} twice")
        if isinstance(self.n_segments, bool) or not isinstance(self.n_segments, Integral):
            raise TypeError(f"n_segments must be an integer, got {self.n_segments!r}")
        if self.n_segments < 0:
            raise ValueError(f"n_segments must be at least 0, got {self.n_segments!r}")
        if not isinstance(self.count_steps, bool | np.bool_):
            raise TypeError(f"count_steps must be True or False, got {self.count_steps!r}")
        if not (len(self.statistics) or self.n_segments or self.count_steps):
            raise ValueError("nothing is left: name a statistic, or ask for segments or the steps")
        return tuple(self.statistics), int(self.n_segments), bool(self.count_steps)


class _Statistics:
    """What there is to say about the steps of each sequence, (n, F) in float64.

    Numbers are divided by the largest of their sequence before they are summed or squared, so that
    neither overflows.
    """

    def __init__(self, steps: Sequences) -> None:
        self.values = steps.values.astype(np.float64)
        self.lengths, self.starts = steps.lengths, steps.offsets[:-1]
        self.known = ~np.isnan(self.values)
        largest = self._reduced(np.fmax, np.abs(self.values))
        self.unit = np.where(largest > 0, largest, 1.0)  # 1 where all is 0, or NaN
        self.scaled = self.values / self._each(self.unit)

    def mean(self, j: int = 0, n: int = 1) -> np.ndarray:
        """Return the mean of segment j of n."""
        part = j, n
        mean = self._mean(self.scaled, *part) * self.unit
        # Of equal numbers it is that number, whatever sums are rounded to.
        clipped: np.ndarray = np.clip(mean, self.min(*part), self.max(*part))
        return clipped

    def std(self) -> np.ndarray:
        # Each divided by itself: a difference of two finite numbers may be infinite.
        away = self.scaled - self._each(self.mean() / self.unit)
        deviation: np.ndarray = np.sqrt(self._mean(away**2)) * self.unit
        return deviation

    def min(self, j: int = 0, n: int = 1) -> np.ndarray:
        return self._reduced(np.fmin, self.values, j, n)

    def max(self, j: int = 0, n: int = 1) -> np.ndarray:
        return self._reduced(np.fmax, self.values, j, n)

    def first(self) -> np.ndarray:
        steps: np.ndarray = self.values[self.starts]
        return steps

    def last(self) -> np.ndarray:
        steps: np.ndarray = self.values[self.starts + self.lengths - 1]
        return steps

    def _mean(self, values: np.ndarray, j: int = 0, n: int = 1) -> np.ndarray:
        """Return the mean of what is not NaN in segment j of n; NaN where that is nothing."""
        count = self._reduced(np.add, self.known.astype(np.float64), j, n)
        total = self._reduced(np.add, np.where(self.known, values, 0.0), j, n)
        mean: np.ndarray = np.divide(total, count, out=np.full_like(total, np.nan), where=count > 0)
        return mean

    def _each(self, of_sequences: np.ndarray) -> np.ndarray:
        """Return the row of its sequence for every step."""
        return np.repeat(of_sequences, self.lengths, axis=0)

    def _reduced(self, ufunc: np.ufunc, values: np.ndarray, j: int = 0, n: int = 1) -> np.ndarray:
        """Return all steps of segment j of n of each sequence taken together by `ufunc`."""
        begin = self.starts + j * self.lengths // n
        end = self.starts - (-(j + 1) * self.lengths // n)
        padded = np.concatenate([values, values[:1]])  # so that the last end is a place, too
        found = ufunc.reduceat(padded, np.column_stack([begin, end]).ravel(), axis=0)
        wanted: np.ndarray = found[::2]  # the others are of what lies between the segments
        return wanted

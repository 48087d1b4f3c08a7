"""Fills gaps within sequences, and says where they were and for how long.

Letters: n sequences, T steps, ΣT steps of all sequences, F features of a step.
"""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np

from rnnkit.preprocessing.stepwise import StepTransformer
from rnnkit.sequences import Sequences

__all__ = ["SequenceImputer"]

STRATEGIES = ("ffill", "mean", "interpolate")


class SequenceImputer(StepTransformer):
    """Fill missing values of sequences from the sequence itself.

    NaN, None and `pandas.NA` are missing. Nothing goes from one sequence into another but the
    means of the training data, nor from the padding of a dense X that comes with `lengths`.

    Parameters
    ----------
    strategy : {"ffill", "mean", "interpolate"}, default="ffill"
        What fills a gap: the last value that was observed; the mean of the feature in the
        training data; or a straight line, over steps, between the values on both sides. A
        feature that was not observed yet ("ffill"), or nowhere in the sequence, gets the mean.
        Only one side observed, "interpolate" holds its value. It looks ahead, which a live
        stream cannot; the others do not.
    add_indicator : bool, default=False
        Whether to append F features that are 1 where a value was missing, else 0.
    add_elapsed : bool, default=False
        Whether to append F features that count the steps since a value was observed: 0 where it
        is, k at the k-th step of a gap, from the beginning of a sequence as if it had been
        observed right before.
    step_features : int, default=1
        Features F of a step where X is 2-D.

    Attributes
    ----------
    statistics_ : ndarray of shape (F,), float64
        The mean of the observed values of each feature in `fit`; 0 where there was none.
    n_features_in_ : int
        Columns of a 2-D X, F for the other forms.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        The columns' names, where X is a frame, a list of frames, or `Sequences` of one.

    Notes
    -----
    Values that were observed are never changed, and their dtype is that of X: float32 stays. `fit`
    warns of a feature that was observed nowhere. The
    indicator and the time since an observation are what GRU-D (Che, Purushotham, Cho, Sontag & Liu
    2018) is given beside the values. Appended features come in the order of the F features,
    indicators first. In 2-D X each step keeps its own columns together.

    Examples
    --------
    >>> import numpy as np
    >>> from rnnkit.preprocessing import SequenceImputer
    >>> X = [np.array([1.0, np.nan, np.nan, 4.0]), np.array([np.nan, 4.0])]
    >>> SequenceImputer().fit_transform(X)
    [array([1., 1., 1., 4.]), array([3., 4.])]
    >>> SequenceImputer("interpolate").fit_transform(X)[0]
    array([1., 2., 3., 4.])
    >>> SequenceImputer(add_indicator=True, add_elapsed=True).fit_transform(X)[1]
    array([[3., 1., 1.],
           [4., 0., 0.]])
    """

    def __init__(
        self,
        strategy: str = "ffill",
        *,
        add_indicator: bool = False,
        add_elapsed: bool = False,
        step_features: int = 1,
    ) -> None:
        self.strategy = strategy
        self.add_indicator = add_indicator
        self.add_elapsed = add_elapsed
        self.step_features = step_features

    def _settings(self) -> tuple[Any, ...]:
        self._check_parameters()
        return self.strategy, self.add_indicator, self.add_elapsed

    def _learn(self, X: Any, steps: Sequences, settings: tuple[Any, ...]) -> tuple[Any, ...]:
        observed = ~np.isnan(steps.values)
        counts = observed.sum(axis=0)
        self.statistics_ = _means(np.where(observed, steps.values, 0), np.maximum(counts, 1))
        if not counts.all():
            never = np.flatnonzero(counts == 0).tolist()
            warnings.warn(
                f"X has no value of the features {never} of a step: they are filled with 0",
                UserWarning,
                stacklevel=5,
            )
        return settings

    def _transformed(self, steps: Sequences) -> tuple[np.ndarray, np.ndarray]:
        strategy, add_indicator, add_elapsed, _ = self._fitted
        values, starts = steps.values, np.repeat(steps.offsets[:-1], steps.lengths)[:, None]
        missing = np.isnan(values)
        before = _last_observed(missing)
        before[before < starts] = -1
        parts = [_filled(values, missing, before, steps, strategy, self.statistics_)]
        if add_indicator:
            parts.append(missing.astype(values.dtype))
        if add_elapsed:
            rows = np.arange(len(values))[:, None]
            parts.append((rows - np.where(before < 0, starts - 1, before)).astype(values.dtype))
        return np.hstack(parts), steps.offsets

    def get_feature_names_out(self, input_features: Any = None) -> np.ndarray:
        """Name the columns of the result: those of 2-D X, otherwise those of a step.

        Parameters
        ----------
        input_features : array-like of str, default=None
            Names of the columns of X; None: those seen in `fit`, or x0, x1, ...

        Returns
        -------
        ndarray of shape (n_columns,), object
            The names of X's columns; those appended begin with `missingindicator_` and
            `elapsed_`.

        Raises
        ------
        NotFittedError
            If `fit` was not called.
        """
        steps = self._step_names(input_features)
        _, add_indicator, add_elapsed, _ = self._fitted
        parts = [steps]
        if add_indicator:
            parts.append("missingindicator_" + steps)
        if add_elapsed:
            parts.append("elapsed_" + steps)
        columns: np.ndarray = np.hstack(parts).ravel()
        return columns

    def _check_parameters(self) -> None:
        if self.strategy not in STRATEGIES:
            raise ValueError(f"strategy must be one of {STRATEGIES}, got {self.strategy!r}")
        for name in ("add_indicator", "add_elapsed"):
            if not isinstance(getattr(self, name), (bool, np.bool_)):
                raise TypeError(f"{name} must be True or False, got {getattr(self, name)!r}")


def _means(values: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """Return the sums of the columns over their counts, finite as the values are."""
    with np.errstate(over="ignore"):
        means: np.ndarray = values.sum(axis=0, dtype=np.float64) / counts
    large = ~np.isfinite(means)
    if large.any():  # the sum overflowed, not the mean
        columns = values[:, large]
        with np.errstate(over="ignore"):
            shares = (columns / counts[large]).sum(axis=0)
        means[large] = np.clip(shares, columns.min(axis=0), columns.max(axis=0))
    return means


def _last_observed(missing: np.ndarray) -> np.ndarray:
    """Return the row, up to each, where each feature was last observed; -1 if nowhere."""
    rows = np.where(missing, -1, np.arange(len(missing))[:, None])
    latest: np.ndarray = np.maximum.accumulate(rows, axis=0)
    return latest


def _filled(
    values: np.ndarray,
    missing: np.ndarray,
    before: np.ndarray,
    steps: Sequences,
    strategy: str,
    means: np.ndarray,
) -> np.ndarray:
    """Return the values (ΣT, F) with the missing ones filled."""
    filled = values.copy()
    row, column = np.nonzero(missing)
    filled[row, column] = means[column]
    if strategy == "mean":
        return filled
    last = before[row, column]
    if strategy == "ffill":
        held = last >= 0
        filled[row[held], column[held]] = values[last[held], column[held]]
        return filled
    n_rows = len(values)
    after = n_rows - 1 - _last_observed(missing[::-1])[::-1]  # n_rows where there is none
    ends = np.repeat(steps.offsets[1:], steps.lengths)
    following = after[row, column]
    following[following >= ends[row]] = -1
    last = np.where(last < 0, following, last)
    following = np.where(following < 0, last, following)
    known = last >= 0
    row, column, last, following = (a[known] for a in (row, column, last, following))
    share = (row - last) / np.maximum(following - last, 1)
    first, second = values[last, column], values[following, column]
    filled[row, column] = np.where(last == following, first, first * (1.0 - share) + second * share)
    return filled

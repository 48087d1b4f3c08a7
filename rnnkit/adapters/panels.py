"""Collections of series as other libraries hold them, and what learns and answers them."""

from __future__ import annotations

from itertools import count
from typing import Any, ClassVar

import numpy as np
from sklearn.base import is_classifier, is_regressor

from rnnkit.adapters.wrapped import fresh
from rnnkit.estimators import LSTMClassifier, LSTMRegressor
from rnnkit.sequences import Sequences

__all__ = ["PanelClassifier", "PanelLearner", "PanelRegressor", "read_panel"]


def read_panel(X: Any) -> Sequences:
    """Read a collection of series; what is missing stays NaN.

    Parameters
    ----------
    X : ndarray of shape (n, channels, T), list of arrays (channels, T_i), list of frames, or frame
        A frame in a list has a row for each time and a column for each channel. One frame has two
        levels of index, the series and its time, and a column for each channel; or it is nested: a
        row for each series, whose entries are the channels' values.

    Returns
    -------
    Sequences
        Those of a frame with two levels in the order in which they first appear, with their ids.
    """
    if isinstance(X, list) and all(hasattr(x, "columns") for x in X):
        return Sequences.from_list([_steps(x) for x in X], allow_nan=True)
    if not hasattr(X, "columns"):
        return Sequences.from_channel_first(X, allow_nan=True)
    if X.index.nlevels == 1:
        rows = zip(*(X.iloc[:, channel] for channel in range(X.shape[1])))
        return Sequences.from_list(list(map(_nested, count(), rows)), allow_nan=True)
    return _of_two_levels(X)


def _nested(i: int, channels: tuple[Any, ...]) -> np.ndarray:
    """Return the steps (T, channels) of one row of a nested frame."""
    lengths = [len(channel) for channel in channels]
    if len(set(lengths)) > 1:
        other = next(n for n in lengths if n != lengths[0])
        raise ValueError(
            f"X, series {i}: its channels have {lengths[0]} and {other} time points, must have as "
            "many"
        )
    return np.column_stack(channels)


def _of_two_levels(X: Any) -> Sequences:
    codes, ids = X.index.droplevel(-1).factorize()
    steps = _steps(X)
    if np.any(codes[1:] < codes[:-1]):  # the steps of a series need not stand together
        order = np.argsort(codes, kind="stable")
        steps, codes = steps[order], codes[order]
    offsets = np.concatenate([[0], np.cumsum(np.bincount(codes, minlength=len(ids)))])
    return Sequences.from_any(Sequences(steps, offsets, ids.tolist()), allow_nan=True)


def _steps(frame: Any) -> np.ndarray:
    """Return the rows of a frame as steps (T, channels)."""
    steps: np.ndarray = frame.to_numpy()
    return steps


class PanelLearner:
    """What a classifier or regressor of another library is before that library's base class."""

    _default: ClassVar[type]  # the estimator where none is given
    _is_kind: ClassVar[Any]  # whether an estimator is one of `_kind`
    _kind: ClassVar[str]
    estimator_: Any

    def __init__(self, estimator: Any = None, random_state: Any = None) -> None:
        self.estimator = estimator
        self.random_state = random_state
        super().__init__()

    def _fit(self, X: Any, y: np.ndarray) -> Any:
        inner = fresh(self.estimator, self._default, self._is_kind, self._kind, self.random_state)
        self.estimator_ = inner.fit(read_panel(X), y)
        return self

    def _predict(self, X: Any) -> np.ndarray:
        predictions: np.ndarray = self.estimator_.predict(read_panel(X))
        return predictions


class PanelClassifier(PanelLearner):
    """What classifies series."""

    _default = LSTMClassifier
    _is_kind = staticmethod(is_classifier)
    _kind = "classifier"

    def _predict_proba(self, X: Any) -> np.ndarray:
        probabilities: np.ndarray = self.estimator_.predict_proba(read_panel(X))
        return probabilities


class PanelRegressor(PanelLearner):
    """What predicts numbers of series."""

    _default = LSTMRegressor
    _is_kind = staticmethod(is_regressor)
    _kind = "regressor"

"""Windows that slide over long series, and what comes after each of them."""

from __future__ import annotations

from numbers import Integral
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator, TransformerMixin

from rnnkit.documentation import Documented
from rnnkit.parameter_names import ChecksNames
from rnnkit.preprocessing.naming import check_feature_names
from rnnkit.preprocessing.watching import CallbackSupportMixin, watched, whole
from rnnkit.sequences import Form, Sequences
from rnnkit.sequences.ids import refuse_other_ids

__all__ = ["SlidingWindows"]


class SlidingWindows(
    Documented, ChecksNames, CallbackSupportMixin, TransformerMixin, BaseEstimator
):
    """Cut long series into windows of equal length, with the values that follow as targets.

    Window k of a series covers its steps ``k * step`` to ``k * step + window - 1``. Windows
    never cross from one series into the next; a series too short for one gives none. The
    columns of a frame are the features of one series. The windows are one array, which has no
    ids: `groups` tells whose they are.

    Parameters
    ----------
    window : int, default=10
        Steps of a window.
    horizon : int, default=1
        Steps after a window that its target covers; used by `pairs`.
    step : int, default=1
        Steps from the start of one window to the start of the next.

    Attributes
    ----------
    feature_names_in_ : ndarray of shape (F,)
        Names of the features, where the X of `fit` was a frame, a list of frames, or
        `Sequences` of one.

    Examples
    --------
    >>> import numpy as np
    >>> from rnnkit.preprocessing import SlidingWindows
    >>> X, y = SlidingWindows(window=3, horizon=1, step=2).pairs(np.arange(8.0))
    >>> X[:, :, 0]
    array([[0., 1., 2.],
           [2., 3., 4.],
           [4., 5., 6.]])
    >>> y
    array([3., 5., 7.])
    """

    def __init__(self, window: int = 10, horizon: int = 1, step: int = 1) -> None:
        self.window = window
        self.horizon = horizon
        self.step = step

    @watched
    @whole
    def fit(self, X: Any, y: Any = None) -> SlidingWindows:
        """Check the parameters; there is nothing to learn but the names of a frame's columns.

        Parameters
        ----------
        X : array-like, series or frame of shape (T,) or (T, F), or list or Sequences of such
        y : ignored

        Returns
        -------
        SlidingWindows
            This object.

        Raises
        ------
        TypeError, ValueError
            If a parameter is not a positive integer.
        """
        self._check_parameters()
        check_feature_names(self, X, Form.of(X), reset=True)
        return self

    def transform(self, X: Any) -> np.ndarray:
        """Return all windows, those at the very end included.

        Parameters
        ----------
        X : array-like, series or frame of shape (T,) or (T, F), or list or Sequences of such

        Returns
        -------
        ndarray of shape (n_windows, window, F)

        Raises
        ------
        TypeError, ValueError
            If a parameter or X is not accepted, or no series is as long as a window.
        """
        self._check_parameters()
        series = self._series_of(X)
        windows = [_cut(x, self.window, self.step) for x in series]
        if not sum(map(len, windows)):
            raise ValueError(_too_short(series, f"window={self.window}"))
        return np.concatenate(windows)

    def pairs(self, X: Any, y: Any = None) -> tuple[np.ndarray, np.ndarray]:
        """Return the windows that have a whole horizon after them, and those horizons.

        Parameters
        ----------
        X : array-like, series or frame of shape (T,) or (T, F), or list or Sequences of such
        y : array-like, series or frame of shape (T,) or (T, K), list or Sequences, default=None
            The series to predict, step by step beside X; None: X itself.

        Returns
        -------
        X : ndarray of shape (n_windows, window, F)
        y : ndarray of shape (n_windows,) or (n_windows, horizon * K)
            The values of `y` at the `horizon` steps after each window, step by step; one
            dimension if there is one value.

        Raises
        ------
        TypeError, ValueError
            If a parameter, X or y is not accepted, their lengths differ, or no series is as
            long as a window and a horizon.
        """
        self._check_parameters()
        series = self._series_of(X)
        refuse_other_ids(X, y, "y")
        targets = series if y is None else _series(y, "y")
        _check_equal_lengths(series, targets)
        windows = [_cut(x[: -self.horizon], self.window, self.step) for x in series]
        if not sum(map(len, windows)):
            raise ValueError(_too_short(series, f"window={self.window} + horizon={self.horizon}"))
        horizons = [_cut(t[self.window :], self.horizon, self.step) for t in targets]
        following = np.concatenate(horizons)
        following = following.reshape(len(following), -1)
        return np.concatenate(windows), following[:, 0] if following.shape[1] == 1 else following

    def groups(self, X: Any, pairs: bool = True) -> np.ndarray:
        """Return the id, or else the index, of the series of each window, for group splitters.

        Parameters
        ----------
        X : array-like, series or frame of shape (T,) or (T, F), or list or Sequences of such
        pairs : bool, default=True
            Whether for the windows of `pairs`, or else for those of `transform`.

        Returns
        -------
        ndarray of shape (n_windows,)
            Of `X.ids`, where X is `Sequences` that have some, else intp.

        Raises
        ------
        TypeError, ValueError
            If a parameter or X is not accepted.
        """
        self._check_parameters()
        lengths = np.array([len(x) for x in self._series_of(X)])
        room = lengths - self.window - (self.horizon if pairs else 0)
        ids = X.ids if isinstance(X, Sequences) else None
        names: np.ndarray = np.arange(len(lengths)) if ids is None else ids
        return np.repeat(names, np.maximum(room // self.step + 1, 0))

    def _check_parameters(self) -> None:
        for name in ("window", "horizon", "step"):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, Integral):
                raise TypeError(f"{name} must be an integer, got {value!r}")
            if value < 1:
                raise ValueError(f"{name} must be at least 1, got {value!r}")

    def _series_of(self, X: Any) -> list[np.ndarray]:
        """Return the series of X, whose columns have the names that `fit` learnt, if any."""
        series = _series(X, "X")
        if hasattr(self, "feature_names_in_"):
            check_feature_names(self, X, Form.of(X), reset=False)
        return series

    def __sklearn_is_fitted__(self) -> bool:
        return True

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.requires_fit = False
        tags.input_tags.one_d_array = True
        return tags


def _series(X: Any, name: str) -> list[np.ndarray]:
    """Return the series (T_i, F): one for anything of one or two dimensions, else each."""
    if _is_one_series(X):
        X = [np.asarray(X) if isinstance(X, (list, tuple)) else X]
    return Sequences.from_any(X, name=name).to_list()


def _is_one_series(X: Any) -> bool:
    """Whether X is a table of steps, whatever its dtype, or a row of entries that are no series."""
    if isinstance(X, (list, tuple)):
        return len(X) > 0 and not _is_series(X[0])
    if isinstance(X, Sequences) or not hasattr(X, "__array__"):
        return False
    array = X if isinstance(getattr(X, "shape", None), tuple) else np.asarray(X)
    if len(array.shape) == 1:
        items = np.asarray(X)
        return items.dtype != object or len(items) == 0 or not _is_series(items[0])
    return len(array.shape) == 2


def _is_series(entry: Any) -> bool:
    """Whether an entry of a list or object array is a series of its own."""
    is_text = isinstance(entry, (str, bytes))
    return hasattr(entry, "__len__") and not is_text and getattr(entry, "ndim", 1) > 0


def _check_equal_lengths(series: list[np.ndarray], targets: list[np.ndarray]) -> None:
    if len(series) != len(targets):
        raise ValueError(
            f"X and y have inconsistent numbers of series: [{len(series)}, {len(targets)}]"
        )
    for i, (x, target) in enumerate(zip(series, targets)):
        if len(x) != len(target):
            raise ValueError(f"series {i} has {len(x)} steps in X but {len(target)} in y")


def _cut(x: np.ndarray, window: int, step: int) -> np.ndarray:
    """Return the windows of one series as a view (n, window, F)."""
    if len(x) < window:
        return np.empty((0, window, x.shape[1]), dtype=x.dtype)
    views = np.lib.stride_tricks.sliding_window_view(x, window, axis=0)[::step]
    return views.transpose(0, 2, 1)


def _too_short(series: list[np.ndarray], needed: str) -> str:
    longest = max(map(len, series))
    return f"no series is as long as {needed}; the longest has {longest} steps"

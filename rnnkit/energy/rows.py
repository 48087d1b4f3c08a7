"""What the networks here share: how rows of units are read, and who is told of a fit.

Letters: n rows, F features of a row, which are visible units.
"""

from __future__ import annotations

from numbers import Integral
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.utils.validation import validate_data

from rnnkit.documentation import Documented
from rnnkit.estimators.telling import tell
from rnnkit.parameter_names import ChecksNames
from rnnkit.preprocessing.watching import CallbackSupportMixin
from rnnkit.sequences import Form

__all__ = ["RowEstimator", "check_counts", "read_sizes"]


class RowEstimator(Documented, ChecksNames, CallbackSupportMixin, BaseEstimator):
    """Base of an estimator whose X is one row of units for each sample."""

    binarize: Any

    def _read_rows(self, X: Any, *, reset: bool) -> np.ndarray:
        """Return X as float32 or float64 (n, F); set or check its columns.

        Raises
        ------
        TypeError, ValueError
            If X is sparse, holds sequences, or is no table of finite numbers.
        """
        if _holds_sequences(X):
            raise ValueError(
                f"X of {type(self).__name__} must be one row of numbers for each sample, got "
                "sequences: make a vector of each before, with rnnkit.RecurrentFeatures or the "
                "codes of an autoencoder"
            )
        rows: np.ndarray = validate_data(
            self, X, reset=reset, dtype=(np.float64, np.float32), order="C"
        )
        return rows

    def _fitted_threshold(self) -> float | None:
        """Return `binarize` as the first fit had it; files of old tell what is constructed."""
        threshold: float | None = getattr(self, "_binarize", self.binarize)
        return threshold

    def _read_units(self, X: Any, *, reset: bool) -> np.ndarray:
        """Return X as the probabilities that visible units are on, (n, F).

        With a threshold `binarize` they are 0 or 1. Without one they are taken as they are, and
        where a fit finds them outside [0, 1] it warns. The threshold is that of the first fit.
        """
        rows = self._read_rows(X, reset=reset)
        if reset:
            self._binarize = self.binarize
        binarize = self._fitted_threshold()
        if binarize is not None:
            return (rows > binarize).astype(rows.dtype)
        if reset and (rows.min() < 0 or rows.max() > 1):
            tell(
                f"X of {type(self).__name__} has values from {rows.min():.3g} to "
                f"{rows.max():.3g}, but they are read as probabilities that a unit is 1: scale "
                "them before, with MinMaxScaler, or set binarize",
                UserWarning,
                subject="values that are no probabilities",
            )
        return rows

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        if tags.transformer_tags is not None:
            tags.transformer_tags.preserves_dtype = ["float64", "float32"]
        return tags


def check_counts(**counts: Any) -> None:
    """Raise ValueError if one of the arguments is no integer of at least 1."""
    for name, value in counts.items():
        if isinstance(value, bool) or not isinstance(value, Integral) or value < 1:
            raise ValueError(f"{name} must be an integer of at least 1, got {value!r}")


def read_sizes(hidden_layer_sizes: Any) -> list[int]:
    """Return the units of each hidden layer; ValueError unless all are integers of at least 1."""
    given = hidden_layer_sizes
    sizes: list[Any] = [given] if isinstance(given, Integral) else list(given)
    counts = [isinstance(size, Integral) and not isinstance(size, bool) for size in sizes]
    if not sizes or not all(counts) or min(sizes) < 1:
        raise ValueError(
            "hidden_layer_sizes must be an integer of at least 1, or one for each layer, got "
            f"{given!r:.100}"
        )
    return [int(size) for size in sizes]


def _holds_sequences(X: Any) -> bool:
    """Whether X has steps within samples, or samples of several lengths."""
    if X is None or isinstance(X, str):
        return False
    form = Form.of(X)
    if form.kind in ("rows", "array", "sequences"):
        return form.kind != "rows"
    dimensions = {np.ndim(x) if hasattr(x, "shape") else _depth(x) for x in X}
    if max(dimensions, default=0) > 1:
        return True
    return dimensions == {1} and len({len(x) for x in X}) > 1


def _depth(x: Any) -> int:
    """Return how deep lists are nested, looking at the first entry of each."""
    if not isinstance(x, (list, tuple)):
        return 0
    return 1 + (_depth(x[0]) if x else 0)

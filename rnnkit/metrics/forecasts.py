"""Scores of forecasts of one series: errors in the unit of the plainest forecast, and in per cent.

Letters: T steps of the past, S steps ahead, K channels.
"""

from __future__ import annotations

from numbers import Integral
from typing import Any

import numpy as np

from rnnkit.metrics.reading import as_float64
from rnnkit.sequences.reading import refuse_masked

__all__ = ["mean_absolute_scaled_error", "symmetric_percentage_error"]


def mean_absolute_scaled_error(y_true: Any, y_pred: Any, y_train: Any, *, period: int = 1) -> float:
    """Return the mean absolute error, in units of that of repeating the last season in the past.

    ``mean |y - p| / mean |y_t - y_{t - period}|``, the second mean over `y_train` (Hyndman &
    Koehler 2006); the mean over channels where there are several. 1 is what the past's naive
    forecast, one season ahead, was off by.

    Parameters
    ----------
    y_true, y_pred : array-like of shape (S,) or (S, K)
        What came true, where NaN is not known and does not count, and what was forecast.
    y_train : array-like of shape (T,) or (T, K)
        The series before, longer than a season; steps that are NaN do not count.
    period : int, default=1
        Steps of a season; 1 repeats the last value.

    Returns
    -------
    float
        Infinite if the past repeats itself exactly and the forecast is off; NaN if the forecast
        of a step that came true is NaN.

    Raises
    ------
    ValueError, TypeError
        If shapes do not fit, nothing came true, or the past has no two numbers a season apart.

    Examples
    --------
    >>> from rnnkit.metrics import mean_absolute_scaled_error
    >>> mean_absolute_scaled_error([6.0, 7.0], [5.0, 5.0], [1.0, 2.0, 4.0, 5.0])
    1.125
    """
    true, pred = _pair(y_true, y_pred)
    train = _numbers(y_train, "y_train")
    if isinstance(period, bool) or not isinstance(period, Integral) or period < 1:
        raise ValueError(f"period must be an integer of at least 1, got {period!r}")
    if train.shape[1] != true.shape[1] or len(train) <= period:
        raise ValueError(
            f"y_train must have more than period={period} steps of {true.shape[1]} channels, got "
            f"shape {train.shape}"
        )
    true, pred, train = _summable(true, pred, train)
    changes = np.abs(train[period:] - train[:-period])
    if np.isnan(changes).all(axis=0).any():
        raise ValueError(
            f"y_train must hold two numbers that are period={period} steps apart in every channel"
        )
    unit = np.nanmean(changes, axis=0)
    error = np.mean(np.abs(true - pred), axis=0, where=~np.isnan(true))
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = np.where(error == 0, 0.0, error / unit)
    return float(ratio.mean())


def symmetric_percentage_error(y_true: Any, y_pred: Any) -> float:
    """Return the mean absolute error in per cent of the mean of value and forecast (sMAPE).

    ``mean 200 |y - p| / (|y| + |p|)``, from 0 to 200, as in the M4 competition (Makridakis et al.
    2020); 0 where both are zero.

    Parameters
    ----------
    y_true, y_pred : array-like of shape (S,) or (S, K)
        What came true, where NaN is not known and does not count, and what was forecast.

    Returns
    -------
    float
        NaN if the forecast of a step that came true is NaN or infinite.

    Raises
    ------
    ValueError, TypeError
        If shapes do not fit, or nothing came true.

    Examples
    --------
    >>> from rnnkit.metrics import symmetric_percentage_error
    >>> symmetric_percentage_error([1.0, 0.0], [3.0, 0.0])
    50.0
    """
    true, pred = _summable(*_pair(y_true, y_pred))
    size = np.abs(true) + np.abs(pred)
    with np.errstate(invalid="ignore"):
        shares = np.divide(np.abs(true - pred), size, out=np.zeros_like(size), where=size != 0)
    return float(np.mean(200 * shares, where=~np.isnan(true)))


def _summable(*series: np.ndarray) -> list[np.ndarray]:
    """Return series in a common unit, a power of two, in which their sums are finite."""
    largest = max(float(np.max(np.abs(s), where=np.isfinite(s), initial=0.0)) for s in series)
    shift = max(int(np.frexp(largest)[1]) - 960, 0)
    return [np.ldexp(s, -shift) if shift else s for s in series]


def _pair(y_true: Any, y_pred: Any) -> tuple[np.ndarray, np.ndarray]:
    true, pred = _numbers(y_true, "y_true"), _numbers(y_pred, "y_pred")
    if true.shape != pred.shape:
        raise ValueError(f"y_pred must have the shape of y_true, {true.shape}, got {pred.shape}")
    if np.isnan(true).all(axis=0).any():
        raise ValueError("y_true must hold at least one number of every channel")
    return true, pred


def _numbers(y: Any, name: str) -> np.ndarray:
    """Return a series as float64 (S, K)."""
    refuse_masked(y, name)
    try:
        values = as_float64(np.asarray(y), name)
    except (TypeError, ValueError) as error:
        raise TypeError(f"{name} must hold numbers: {error}") from None
    if values.ndim not in (1, 2) or not values.size:
        raise ValueError(f"{name} must be a series of shape (S,) or (S, K), got {values.shape}")
    return values.reshape(len(values), -1)

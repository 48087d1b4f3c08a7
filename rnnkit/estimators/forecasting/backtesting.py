"""What a forecaster would have said in the past: fitted up to some points, and scored there.

Letters: N series, T steps, K channels, S steps ahead.
"""

from __future__ import annotations

from collections.abc import Iterable
from numbers import Integral
from typing import Any

import numpy as np
from sklearn.base import clone
from sklearn.model_selection import TimeSeriesSplit

from rnnkit.estimators.forecasting.reading import read_levels, read_steps
from rnnkit.estimators.forecasting.series import read_series
from rnnkit.metrics import (
    interval_coverage,
    interval_score,
    mean_absolute_scaled_error,
    symmetric_percentage_error,
)

__all__ = ["Backtests"]


class Backtests:
    """The side of a forecaster that looks back."""

    def backtest(
        self,
        y: Any,
        X: Any = None,
        fh: Any = None,
        splits: Any = 3,
        *,
        past_covariates: Any = None,
        static_covariates: Any = None,
        coverage: float = 0.8,
        refit: bool = True,
    ) -> dict[str, Any]:
        """Fit a clone up to several points of one series, and compare what it says with the rest.

        Parameters
        ----------
        y : array (T,) or (T, K), series or frame
            One series.
        X : as in `fit`, default=None
            At the steps of y.
        fh : int or array of int, default=None
            Steps ahead that are compared; None: those that `splits` tests, or the horizon of the
            forecaster, which must then be given. Not beside a splitter.
        splits : int, splitter or iterable of (train, test), default=3
            How many points: ``TimeSeriesSplit(splits, test_size=max(fh))``. A splitter of
            scikit-learn or sktime gives positions; those to train on follow each other, and those
            to test come after them.
        past_covariates, static_covariates
            As in `fit`, at the steps of y.
        coverage : float, default=0.8
            Of the intervals that are scored.
        refit : bool, default=True
            Whether a clone is fitted at every point; otherwise at the first alone, and later ones
            only `update` it.

        Returns
        -------
        dict
            For each point "cutoff" (the last position that was seen), "mase", "smape",
            "coverage" and "interval_score" as arrays; "forecasts" and "intervals" as lists in the
            form of y.

        Raises
        ------
        TypeError, ValueError
            If an argument is not as described. The forecaster itself is never changed.
        """
        if len(read_levels(coverage, "coverage")) != 1 or np.ndim(coverage):
            raise ValueError(f"coverage must be one number in (0, 1), got {coverage!r}")
        values, form = read_series(y)
        if form.kind != "one":
            raise ValueError(f"backtest takes one series, got {len(values)}")
        true, n = values[0], len(values[0])
        result: dict[str, Any] = {
            name: []
            for name in (
                "cutoff", "mase", "smape", "coverage", "interval_score", "forecasts", "intervals",
            )
        }  # fmt: skip
        fitted: Any = None
        seen = 0
        for train, test in _pairs(self, y, n, fh, splits):
            first, end = int(train[0]), int(train[-1]) + 1
            steps = test - end + 1
            goes_on = fitted is not None and not refit and first == result["first"]
            if goes_on and end >= seen and steps.max() <= fitted.horizon_:
                if end > seen:
                    fitted.update(
                        _rows(y, seen, end),
                        _rows(X, seen, end),
                        past_covariates=_rows(past_covariates, seen, end),
                    )
            else:
                fitted = clone(self).fit(
                    _rows(y, first, end),
                    _rows(X, first, end),
                    fh=steps,
                    past_covariates=_rows(past_covariates, first, end),
                    static_covariates=static_covariates,
                )
                result["first"] = first
            seen = end
            ahead = int(steps.max()) if fitted.strategy_ == "recursive" else fitted.horizon_
            future = _rows(X, end, end + ahead)
            forecast = fitted.predict(steps, future)
            interval = fitted.predict_interval(steps, coverage, future)
            numbers = np.asarray(forecast, np.float64).reshape(len(steps), -1)
            ends = np.asarray(interval, np.float64).reshape(len(steps), -1, 2)
            came, before = true[test], true[first:end]
            period = fitted.treatment_["period"]
            scores = {
                "cutoff": end - 1,
                "mase": mean_absolute_scaled_error(came, numbers, before, period=period),
                "smape": symmetric_percentage_error(came, numbers),
                "coverage": interval_coverage(came, ends[:, :, 0], ends[:, :, 1]),
                "interval_score": interval_score(
                    came, ends[:, :, 0], ends[:, :, 1], alpha=1 - coverage
                ),
                "forecasts": forecast,
                "intervals": interval,
            }
            for name, value in scores.items():
                result[name].append(value)
        result.pop("first")
        lists = ("forecasts", "intervals")
        return {name: v if name in lists else np.array(v) for name, v in result.items()}


def _pairs(
    forecaster: Any, y: Any, n: int, fh: Any, splits: Any
) -> list[tuple[np.ndarray, np.ndarray]]:
    """Return which positions are learnt and which are tested, at every point.

    Raises
    ------
    TypeError, ValueError
        If there are none, or those to learn from do not lie before those to test.
    """
    steps = read_steps(fh)
    if isinstance(splits, Integral) and not isinstance(splits, bool):
        if steps is None:
            if forecaster.horizon is None:
                raise ValueError("fh must be given where horizon=None and splits is a number")
            steps = np.arange(1, forecaster.horizon + 1)
        last, n_points = int(steps.max()), int(splits)
        if n_points < 1:
            raise ValueError(f"splits must be at least 1, got {splits}")
        if n_points * last >= n:
            raise ValueError(
                f"splits={splits} points with {last} steps after each need more than "
                f"{n_points * last} steps of y, got {n}"
            )
        if n_points == 1:  # which scikit-learn's splitter does not make
            return [(np.arange(n - last), n - last - 1 + steps)]
        whole = TimeSeriesSplit(n_points, test_size=last).split(np.empty(n))
        return [(train, train[-1] + steps) for train, _ in whole]
    if steps is not None:
        raise ValueError("fh must be None beside a splitter, which says what is tested")
    is_text = isinstance(splits, (str, bytes))  # which has a split of its own
    given = splits.split(y) if hasattr(splits, "split") and not is_text else splits
    wrong = f"splits must be a number, a splitter or pairs of positions, got {splits!r}"
    if is_text or not isinstance(given, Iterable):
        raise TypeError(wrong)
    pairs = [_positions(pair, wrong) for pair in given]
    for train, test in pairs:
        good = len(train) and len(test) and (np.diff(train) == 1).all() and train[0] >= 0
        if not good or test.min() <= train[-1] or test.max() >= n:
            raise ValueError(
                "splits must give positions to learn from that follow each other, and later ones "
                f"to test, of {n} steps"
            )
    if not pairs:
        raise ValueError("splits must give at least one pair of positions, got none")
    return pairs


def _positions(pair: Any, wrong: str) -> tuple[np.ndarray, np.ndarray]:
    """Return what is learnt and what is tested as arrays of integers; `wrong` is the error text."""
    try:
        train, test = (np.asarray(side) for side in pair)
    except (TypeError, ValueError):
        raise TypeError(wrong) from None
    if any(side.ndim != 1 or (side.size and side.dtype.kind not in "iu") for side in (train, test)):
        raise TypeError(wrong)
    return train.astype(np.intp), test.astype(np.intp)


def _rows(data: Any, start: int, end: int) -> Any:
    """Return steps of a series, frame or array; None of None."""
    if data is None:
        return None
    if hasattr(data, "iloc"):
        return data.iloc[start:end]
    return data[start:end]

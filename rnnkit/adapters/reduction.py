"""Forecasts by regressors of windows, or by a sequence regressor in closed loop.

The names of the strategies are sktime's (`make_reduction`); Ben Taieb, Bontempi, Atiya & Sorjamaa
2012 compare them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from sklearn.base import clone, is_regressor

from rnnkit.adapters.wrapped import fresh
from rnnkit.estimators import LSTMRegressor
from rnnkit.estimators.forecasting.profile import spread_of
from rnnkit.preprocessing import SlidingWindows
from rnnkit.sequences import Sequences

__all__ = ["STRATEGIES", "Reduction", "forecasts", "fresh_forecaster", "goes_on_by_itself"]

STRATEGIES = ("recursive", "direct", "multioutput")
DEFAULT_WINDOW = 10


def goes_on_by_itself(estimator: Any) -> bool:
    """Whether an estimator is a sequence regressor, which forecasts in closed loop."""
    return hasattr(estimator, "forecast") and not isinstance(estimator, type)


def forecasts(estimator: Any) -> bool:
    """Whether forecasts can be made by an estimator: of windows, or in closed loop."""
    return bool(goes_on_by_itself(estimator) or is_regressor(estimator))


def fresh_forecaster(estimator: Any, random_state: Any) -> Any:
    """Return an unfitted copy of what makes forecasts, seeded; see `fresh`."""
    kind = "regressor or sequence regressor"
    return fresh(estimator, LSTMRegressor, forecasts, kind, random_state)


@dataclass(frozen=True)
class _Scale:
    """Mean and deviation of the columns of a series."""

    mean: np.ndarray
    deviation: np.ndarray

    @classmethod
    def of(cls, values: np.ndarray, is_used: bool) -> _Scale:
        """Return that of values (T, V); that which changes nothing, if it is not used."""
        if not is_used:
            return cls(np.zeros(values.shape[1]), np.ones(values.shape[1]))
        deviation = spread_of(values)
        return cls(values.mean(axis=0), np.where(deviation > 0, deviation, 1.0))

    def apply(self, values: np.ndarray) -> np.ndarray:
        """Return values with mean 0 and deviation 1."""
        scaled: np.ndarray = (values - self.mean) / self.deviation
        return scaled

    def undo(self, values: np.ndarray) -> np.ndarray:
        """Return values in their own unit."""
        own: np.ndarray = values * self.deviation + self.mean
        return own


class Reduction:
    """What forecasts a series of V columns at some steps ahead.

    Parameters
    ----------
    estimator : estimator
        Unfitted: a regressor, of windows; or a sequence regressor, of all that went before.
    window : int or None
        Steps of a window; None: 10. A sequence regressor has none.
    strategy : {"recursive", "direct", "multioutput"}
        Of windows: one regressor of the next step, fed with its own forecasts; one for each
        step; or one whose outputs are all steps.
    steps : list of int
        Steps ahead, from 1, in increasing order. Of "recursive" the largest is enough, and
        others may be asked for later.
    scale : bool
        Whether series are standardized by what `fit` gets.
    """

    def __init__(
        self, estimator: Any, window: int | None, strategy: str, steps: list[int], scale: bool
    ) -> None:
        if strategy not in STRATEGIES:
            raise ValueError(f"strategy must be one of {list(STRATEGIES)}, got {strategy!r}")
        self.closed_loop = goes_on_by_itself(estimator)
        if self.closed_loop and (window is not None or strategy != "recursive"):
            raise ValueError(
                f"{type(estimator).__name__} forecasts in closed loop from all steps before; it "
                "takes no window and strategy='recursive', "
                f"got window={window!r} and strategy={strategy!r}"
            )
        self.estimator = estimator
        self.window = DEFAULT_WINDOW if window is None else window
        self.strategy = strategy
        self.steps = [1] if strategy == "recursive" else list(steps)
        self.scale = scale

    def fit(self, y: np.ndarray, x: np.ndarray | None = None) -> Reduction:
        """Learn from a series.

        Parameters
        ----------
        y : ndarray of shape (T, V)
        x : ndarray of shape (T, E), default=None
            What is known beforehand of each step, beside it. A window has it for the step that is
            forecast from each of its steps: x[s + h] stands beside y[s].
        """
        self.y_scale = _Scale.of(y, self.scale)
        self.x_scale = None if x is None else _Scale.of(x, self.scale)
        y, x = self._scaled(y, x)
        if self.closed_loop:
            one = Sequences.from_list([y[:-1]])
            target = y[1:, 0] if y.shape[1] == 1 else y[1:]
            self.fitted = [clone(self.estimator).fit(one, [target])]
            return self
        groups = [[step] for step in self.steps] if self.strategy == "direct" else [self.steps]
        self.fitted = [self._fit_one(y, x, steps) for steps in groups]
        return self

    def _fit_one(self, y: np.ndarray, x: np.ndarray | None, steps: list[int]) -> Any:
        cut = SlidingWindows(self.window, horizon=max(steps))
        windows, following = cut.pairs(_beside(y, x, steps), y)
        following = following.reshape(len(following), max(steps), y.shape[1])
        targets = following[:, [step - 1 for step in steps]].reshape(len(following), -1)
        if targets.shape[1] == 1:
            targets = targets[:, 0]
        return clone(self.estimator).fit(Sequences.from_array(windows), targets)

    def forecast(self, y: np.ndarray, steps: list[int], x: np.ndarray | None = None) -> np.ndarray:
        """Forecast what follows a series.

        Parameters
        ----------
        y : ndarray of shape (T, V)
            All of it, or at least a window.
        steps : list of int
            Steps ahead, in increasing order; those of the constructor, but of "recursive".
        x : ndarray of shape (T + largest step, E), default=None
            If `fit` had some.

        Returns
        -------
        ndarray of shape (len(steps), V)
        """
        y, x = self._scaled(y, x)
        if self.closed_loop:
            all_steps = self.fitted[0].forecast(Sequences.from_list([y]), n_steps=max(steps))
            ahead = all_steps.reshape(max(steps), y.shape[1])[[step - 1 for step in steps]]
            return self.y_scale.undo(ahead)
        if len(y) < self.window:
            raise ValueError(
                f"a forecast needs a window of {self.window} steps, the series has {len(y)}"
            )
        x = None if x is None else x[len(y) - self.window :]
        y = y[-self.window :]
        if self.strategy == "recursive":
            return self.y_scale.undo(self._fed_back(y, x, steps))
        if self.strategy == "direct":
            ahead = [self._answer(m, y, x, [step]) for m, step in zip(self.fitted, self.steps)]
        else:
            ahead = [self._answer(self.fitted[0], y, x, self.steps)]
        return self.y_scale.undo(np.concatenate(ahead))

    def _fed_back(self, y: np.ndarray, x: np.ndarray | None, steps: list[int]) -> np.ndarray:
        ahead = []
        for _ in range(max(steps)):
            ahead.append(self._answer(self.fitted[0], y, x, [1]))
            y = np.concatenate([y[1:], ahead[-1]])
            x = None if x is None else x[1:]
        return np.concatenate(ahead)[[step - 1 for step in steps]]

    def _answer(
        self, model: Any, y: np.ndarray, x: np.ndarray | None, steps: list[int]
    ) -> np.ndarray:
        """Return what one regressor says of the steps that follow y, (len(steps), V)."""
        answer: np.ndarray = model.predict(Sequences.from_list([_beside(y, x, steps)]))
        return answer.reshape(len(steps), y.shape[1])

    def _scaled(self, y: np.ndarray, x: np.ndarray | None) -> tuple[np.ndarray, np.ndarray | None]:
        scaled = None if x is None or self.x_scale is None else self.x_scale.apply(x)
        return self.y_scale.apply(y), scaled


def _beside(y: np.ndarray, x: np.ndarray | None, steps: list[int]) -> np.ndarray:
    """Return y with x of so many steps later beside it, 0 where x is not that long."""
    if x is None:
        return y
    columns = [y]
    for step in steps:
        later = np.zeros((len(y), x.shape[1]))
        known = x[step : step + len(y)]
        later[: len(known)] = known
        columns.append(later)
    return np.concatenate(columns, axis=1)

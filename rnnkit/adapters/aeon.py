"""rnnkit's estimators as classifiers, regressors and forecasters of aeon."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np

from rnnkit.adapters.panels import PanelClassifier, PanelRegressor
from rnnkit.adapters.reduction import Reduction, fresh_forecaster, goes_on_by_itself
from rnnkit.adapters.wrapped import accepts_missing, missing_library
from rnnkit.estimators import LSTMClassifier, LSTMRegressor
from rnnkit.exceptions import MissingExtraError

try:
    from aeon.classification import BaseClassifier
    from aeon.forecasting.base import (
        BaseForecaster,
        DirectForecastingMixin,
        IterativeForecastingMixin,
    )
    from aeon.regression import BaseRegressor
except ImportError as error:
    if not missing_library(error, "aeon"):
        raise
    raise MissingExtraError("aeon", "aeon", "rnnkit.adapters.aeon") from None

__all__ = ["RecurrentClassifier", "RecurrentForecaster", "RecurrentRegressor"]


class _TakesWhatIsInside:
    """Tags that depend on the estimator inside."""

    estimator: Any

    def get_tags(self) -> dict[str, Any]:
        """Return the tags of aeon; whether values may be missing is the estimator's to say.

        Returns
        -------
        dict
        """
        tags: dict[str, Any] = super().get_tags()  # type: ignore[misc]
        return {**tags, "capability:missing_values": accepts_missing(self.estimator)}


class RecurrentClassifier(_TakesWhatIsInside, PanelClassifier, BaseClassifier):
    """A classifier of rnnkit as one of aeon.

    It takes what aeon's classifiers take: arrays (cases, channels, time points), lists of arrays
    (channels, time points), of one or more channels and of equal or unequal length.

    Parameters
    ----------
    estimator : classifier, default=None
        `rnnkit.LSTMClassifier` or its like, or a pipeline or search around one; a copy is fitted.
        None: an `LSTMClassifier` with its default parameters. Values may be missing if it takes
        them, such as a pipeline that begins with `rnnkit.preprocessing.SequenceImputer`.
    random_state : int, RandomState instance or None, default=None
        An integer goes into every `random_state` of the copy; None leaves them as they are.

    Attributes
    ----------
    estimator_ : classifier
        The fitted copy; `rnnkit.save` writes it to a file.
    classes_ : ndarray of shape (K,)
    n_classes_ : int
    is_fitted : bool
    metadata_ : dict
        What aeon found in the X of `fit`.

    Raises
    ------
    TypeError
        In `fit`, if `estimator` is no classifier.

    Examples
    --------
    >>> import numpy as np
    >>> from rnnkit import GRUClassifier
    >>> from rnnkit.adapters.aeon import RecurrentClassifier
    >>> X = np.random.RandomState(0).normal(size=(40, 2, 12))  # cases, channels, time points
    >>> y = np.where(X[:, 0].sum(axis=1) > 0, "up", "down")
    >>> classifier = RecurrentClassifier(GRUClassifier(8, learning_rate_init=0.05), random_state=0)
    >>> classifier.fit(X, y).score(X, y)
    1.0
    """

    _tags: ClassVar[dict[str, Any]] = {
        "capability:multivariate": True,
        "capability:unequal_length": True,
        "capability:missing_values": False,
        "X_inner_type": ["np-list", "numpy3D"],
        "algorithm_type": "deeplearning",
    }

    @classmethod
    def _get_test_params(cls, parameter_set: str = "default") -> Any:
        return {"estimator": LSTMClassifier(4, max_iter=2)}


class RecurrentRegressor(_TakesWhatIsInside, PanelRegressor, BaseRegressor):
    """A regressor of rnnkit as one of aeon.

    It takes what aeon's regressors take: arrays (cases, channels, time points), lists of arrays
    (channels, time points), of one or more channels and of equal or unequal length.

    Parameters
    ----------
    estimator : regressor, default=None
        `rnnkit.LSTMRegressor` or its like, or a pipeline or search around one; a copy is fitted.
        None: an `LSTMRegressor` with its default parameters. Values may be missing if it takes
        them, such as a pipeline that begins with `rnnkit.preprocessing.SequenceImputer`.
    random_state : int, RandomState instance or None, default=None
        An integer goes into every `random_state` of the copy; None leaves them as they are.

    Attributes
    ----------
    estimator_ : regressor
        The fitted copy; `rnnkit.save` writes it to a file.
    is_fitted : bool
    metadata_ : dict
        What aeon found in the X of `fit`.

    Raises
    ------
    TypeError
        In `fit`, if `estimator` is no regressor.

    Examples
    --------
    >>> import numpy as np
    >>> from rnnkit import GRURegressor
    >>> from rnnkit.adapters.aeon import RecurrentRegressor
    >>> X = [np.full((1, 4 + i % 3), i / 20.0) for i in range(40)]  # channels, time points
    >>> y = np.arange(40) / 20.0
    >>> regressor = RecurrentRegressor(GRURegressor(8, learning_rate_init=0.02), random_state=0)
    >>> regressor.fit(X, y).score(X, y) > 0.9
    True
    """

    _tags: ClassVar[dict[str, Any]] = {
        "capability:multivariate": True,
        "capability:unequal_length": True,
        "capability:missing_values": False,
        "X_inner_type": ["np-list", "numpy3D"],
        "algorithm_type": "deeplearning",
    }

    @classmethod
    def _get_test_params(cls, parameter_set: str = "default") -> Any:
        return {"estimator": LSTMRegressor(4, max_iter=2)}


class RecurrentForecaster(BaseForecaster, DirectForecastingMixin, IterativeForecastingMixin):
    """A regressor of rnnkit as a forecaster of aeon, for one series of one channel.

    A regressor learns the value `horizon` steps after each window of the series: aeon's
    `direct_forecast` fits one for each step, its `iterative_forecast` feeds one of the next step
    with its own forecasts. A sequence regressor learns the next value after everything before,
    and forecasts in closed loop.

    Parameters
    ----------
    estimator : regressor or sequence regressor, default=None
        `rnnkit.LSTMRegressor` or its like, or a pipeline or search around one; or
        `rnnkit.LSTMSequenceRegressor` or its like. None: an `LSTMRegressor` with its default
        parameters.
    window : int, default=None
        Steps of a window; None: 10. A sequence regressor takes none.
    horizon : int, default=1
        Steps ahead.
    scale : bool, default=True
        Whether the series is standardized with the mean and the deviation of that of `fit`;
        forecasts are in its own unit.
    random_state : int, RandomState instance or None, default=None
        An integer goes into every `random_state` of the copies; None leaves them as they are.

    Attributes
    ----------
    estimators_ : list of regressor
        The fitted copy.
    is_fitted : bool
    metadata_ : dict
        What aeon found in the y of `fit`.

    Raises
    ------
    TypeError, ValueError
        In `fit`, if `estimator` is no regressor, a parameter is not allowed, or the series is not
        as long as a window and the horizon.

    Examples
    --------
    >>> import numpy as np
    >>> from rnnkit import GRURegressor
    >>> from rnnkit.adapters.aeon import RecurrentForecaster
    >>> y = np.sin(np.arange(100) / 3)
    >>> forecaster = RecurrentForecaster(GRURegressor(8, learning_rate_init=0.02), random_state=0)
    >>> ahead = forecaster.iterative_forecast(y, prediction_horizon=5)
    >>> bool(np.abs(ahead - np.sin(np.arange(100, 105) / 3)).max() < 0.2)
    True
    """

    def __init__(
        self,
        estimator: Any = None,
        window: int | None = None,
        horizon: int = 1,
        scale: bool = True,
        random_state: Any = None,
    ) -> None:
        self.estimator = estimator
        self.window = window
        self.scale = scale
        self.random_state = random_state
        super().__init__(horizon=horizon, axis=1)

    def _fit(self, y: np.ndarray, exog: Any = None) -> RecurrentForecaster:
        inner = fresh_forecaster(self.estimator, self.random_state)
        strategy = "recursive" if goes_on_by_itself(inner) else "direct"
        self._reduction = Reduction(inner, self.window, strategy, [self.horizon], self.scale)
        self._reduction.fit(np.asarray(y, dtype=np.float64).T)
        self.estimators_ = self._reduction.fitted
        return self

    def _predict(self, y: np.ndarray, exog: Any = None) -> float:
        ahead = self._reduction.forecast(np.asarray(y, dtype=np.float64).T, [self.horizon])
        return float(ahead[0, 0])

    @classmethod
    def _get_test_params(cls, parameter_set: str = "default") -> Any:
        return {"estimator": LSTMRegressor(4, max_iter=2), "window": 4}

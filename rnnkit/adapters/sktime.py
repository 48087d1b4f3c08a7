"""rnnkit's estimators as classifiers, regressors and forecasters of sktime."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np

from rnnkit.adapters.panels import PanelClassifier, PanelLearner, PanelRegressor
from rnnkit.adapters.reduction import STRATEGIES, Reduction, fresh_forecaster, goes_on_by_itself
from rnnkit.adapters.wrapped import accepts_missing, missing_library
from rnnkit.estimators import LSTMClassifier, LSTMRegressor, LSTMSequenceRegressor
from rnnkit.exceptions import MissingExtraError

try:
    import pandas as pd
    from sktime.classification.base import BaseClassifier
    from sktime.forecasting.base import BaseForecaster, ForecastingHorizon
    from sktime.regression.base import BaseRegressor
except ImportError as error:
    if not missing_library(error, "sktime"):
        raise
    raise MissingExtraError("sktime", "sktime", "rnnkit.adapters.sktime") from None

__all__ = ["RecurrentClassifier", "RecurrentForecaster", "RecurrentRegressor"]

OURS = {"authors": "the rnnkit developers", "maintainers": "the rnnkit developers"}

# Read as they are; sktime turns what is none of them into the first, which holds any lengths.
PANELS = ["pd-multiindex", "numpy3D", "nested_univ", "df-list"]


class _TellsOfMissing(PanelLearner):
    """The tag that depends on the estimator inside."""

    def __init__(self, estimator: Any = None, random_state: Any = None) -> None:
        super().__init__(estimator, random_state)
        tagged: Any = self
        tagged.set_tags(**{"capability:missing_values": accepts_missing(estimator)})


class RecurrentClassifier(_TellsOfMissing, PanelClassifier, BaseClassifier):
    """A classifier of rnnkit as one of sktime.

    It takes what sktime's classifiers take: frames with two levels of index, nested frames,
    arrays (instances, variables, time points) and the other panel types; of one or more variables
    and of equal or unequal length.

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
    fit_time_ : int
        Duration of `fit`, in milliseconds.

    Raises
    ------
    TypeError
        In `fit`, if `estimator` is no classifier.

    Examples
    --------
    >>> import numpy as np
    >>> from rnnkit import GRUClassifier
    >>> from rnnkit.adapters.sktime import RecurrentClassifier
    >>> X = np.random.RandomState(0).normal(size=(40, 2, 12))  # instances, variables, time points
    >>> y = np.where(X[:, 0].sum(axis=1) > 0, "up", "down")
    >>> classifier = RecurrentClassifier(GRUClassifier(8, learning_rate_init=0.05), random_state=0)
    >>> float(classifier.fit(X, y).score(X, y))
    1.0
    """

    _tags: ClassVar[dict[str, Any]] = {
        **OURS,
        "X_inner_mtype": PANELS,
        "y_inner_mtype": "numpy1D",
        "capability:multivariate": True,
        "capability:unequal_length": True,
        "capability:predict_proba": True,
        "capability:random_state": True,
        "property:randomness": "derandomized",
    }

    @classmethod
    def get_test_params(cls, parameter_set: str = "default") -> Any:
        """Return parameters with which sktime's checks are quick.

        Parameters
        ----------
        parameter_set : str, default="default"
            There is one.

        Returns
        -------
        list of dict
        """
        return [
            {"estimator": LSTMClassifier(4, max_iter=2, random_state=0)},
            {"estimator": LSTMClassifier(3, bidirectional=True, max_iter=1), "random_state": 1},
        ]


class RecurrentRegressor(_TellsOfMissing, PanelRegressor, BaseRegressor):
    """A regressor of rnnkit as one of sktime.

    It takes what sktime's regressors take: frames with two levels of index, nested frames, arrays
    (instances, variables, time points) and the other panel types; of one or more variables and
    of equal or unequal length. One network predicts all columns of y.

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
    fit_time_ : int
        Duration of `fit`, in milliseconds.

    Raises
    ------
    TypeError
        In `fit`, if `estimator` is no regressor.

    Examples
    --------
    >>> import pandas as pd
    >>> from rnnkit import GRURegressor
    >>> from rnnkit.adapters.sktime import RecurrentRegressor
    >>> panel = pd.DataFrame(
    ...     {"value": [i / 20 for i in range(40) for t in range(4 + i % 3)]},
    ...     index=pd.MultiIndex.from_tuples([(i, t) for i in range(40) for t in range(4 + i % 3)]),
    ... )
    >>> y = pd.Series([i / 20 for i in range(40)])
    >>> regressor = RecurrentRegressor(GRURegressor(8, learning_rate_init=0.02), random_state=0)
    >>> regressor.fit(panel, y).score(panel, y) > 0.9
    True
    """

    _tags: ClassVar[dict[str, Any]] = {
        **OURS,
        "X_inner_mtype": PANELS,
        "y_inner_mtype": "numpy2D",
        "capability:multivariate": True,
        "capability:unequal_length": True,
        "capability:multioutput": True,
        "capability:random_state": True,
        "property:randomness": "derandomized",
    }

    def _fit(self, X: Any, y: np.ndarray) -> RecurrentRegressor:
        super()._fit(X, y[:, 0] if y.shape[1] == 1 else y)
        return self

    def _predict(self, X: Any) -> np.ndarray:
        predictions = super()._predict(X)
        return predictions[:, None] if predictions.ndim == 1 else predictions

    @classmethod
    def get_test_params(cls, parameter_set: str = "default") -> Any:
        """Return parameters with which sktime's checks are quick.

        Parameters
        ----------
        parameter_set : str, default="default"
            There is one.

        Returns
        -------
        list of dict
        """
        return [
            {"estimator": LSTMRegressor(4, max_iter=2, random_state=0)},
            {"estimator": LSTMRegressor(3, loss="huber", max_iter=1), "random_state": 1},
        ]


class RecurrentForecaster(BaseForecaster):
    """A regressor of rnnkit as a forecaster of sktime.

    A regressor learns what follows the windows of a series, of one or more variables; exogenous
    values of the steps to forecast stand beside a window's. A sequence regressor learns the next
    step after everything before, and forecasts in closed loop without exogenous values. A panel of
    series gets a network for each.

    Parameters
    ----------
    estimator : regressor or sequence regressor, default=None
        `rnnkit.LSTMRegressor` or its like, or a pipeline or search around one; or
        `rnnkit.LSTMSequenceRegressor` or its like. None: an `LSTMRegressor` with its default
        parameters.
    window : int, default=None
        Steps of a window; None: 10. A sequence regressor takes none.
    strategy : {"recursive", "direct", "multioutput"}, default="recursive"
        What a regressor learns: the next step, and forecasts are fed back; one network for each
        step of `fh`; or one network whose outputs are all steps of `fh`. The last two need `fh` in
        `fit`. Of a sequence regressor "recursive".
    scale : bool, default=True
        Whether the variables are standardized with mean and deviation of what `fit` gets; forecasts
        are in their own unit.
    random_state : int, RandomState instance or None, default=None
        An integer goes into every `random_state` of the copies; None leaves them as they are.

    Attributes
    ----------
    estimators_ : list of estimator
        The fitted copies: one, or one for each step where `strategy` is "direct".
    cutoff : pandas.Index
        The last step seen.

    Raises
    ------
    TypeError, ValueError
        In `fit`, if `estimator` is no regressor, a parameter is not allowed, or the series is not
        as long as a window and the largest step. In `predict`, if X lacks a step.

    Notes
    -----
    `update` appends the steps it gets. With ``update_params=True`` the networks are fitted anew to
    all of the series, else forecasts just start from its new end. Missing values, forecasts within
    the training data and prediction intervals are refused.

    Examples
    --------
    >>> import numpy as np
    >>> import pandas as pd
    >>> from rnnkit import GRURegressor
    >>> from rnnkit.adapters.sktime import RecurrentForecaster
    >>> months = pd.period_range("2015-01", periods=100, freq="M")
    >>> y = pd.Series(np.sin(np.arange(100) / 3), index=months)
    >>> forecaster = RecurrentForecaster(GRURegressor(8, learning_rate_init=0.02), random_state=0)
    >>> ahead = forecaster.fit(y, fh=[1, 2, 12]).predict()
    >>> [str(month) for month in ahead.index]
    ['2023-05', '2023-06', '2024-04']
    >>> bool(np.abs(ahead - np.sin(np.array([100, 101, 111]) / 3)).max() < 0.3)
    True
    """

    _tags: ClassVar[dict[str, Any]] = {
        **OURS,
        "y_inner_mtype": "pd.DataFrame",
        "X_inner_mtype": "pd.DataFrame",
        "capability:multivariate": True,
        "capability:exogenous": True,
        "capability:insample": False,
        "capability:non_contiguous_X": False,
        "capability:categorical_in_X": False,
        "capability:missing_values": False,
        "capability:pred_int": False,
        "capability:update": True,
        "capability:random_state": True,
        "property:randomness": "derandomized",
        "requires-fh-in-fit": False,
    }
    _config: ClassVar[dict[str, Any]] = {"remember_data": False}  # the series is kept here, once

    def __init__(
        self,
        estimator: Any = None,
        window: int | None = None,
        strategy: str = "recursive",
        scale: bool = True,
        random_state: Any = None,
    ) -> None:
        self.estimator = estimator
        self.window = window
        self.strategy = strategy
        self.scale = scale
        self.random_state = random_state
        super().__init__()
        self._y = self._X = None
        self.set_tags(
            **{
                "requires-fh-in-fit": strategy in STRATEGIES and strategy != "recursive",
                "capability:exogenous": not goes_on_by_itself(estimator),
            }
        )

    def _fit(self, y: Any, X: Any, fh: Any) -> RecurrentForecaster:
        self._steps = [1] if fh is None else _ahead(fh, self.cutoff)
        self._series, self._beside = y, X
        return self._learn()

    def _learn(self) -> RecurrentForecaster:
        inner = fresh_forecaster(self.estimator, self.random_state)
        reduction = Reduction(inner, self.window, self.strategy, self._steps, self.scale)
        beside = None if self._beside is None else _numbers(self._beside)
        self._reduction = reduction.fit(_numbers(self._series), beside)
        self.estimators_ = reduction.fitted
        return self

    def _predict(self, fh: Any, X: Any) -> Any:
        steps = _ahead(fh, self.cutoff)
        known = None
        if self._beside is not None:
            known = np.concatenate([_numbers(self._beside), self._known_ahead(X, max(steps))])
        ahead = self._reduction.forecast(_numbers(self._series), steps, known)
        index = fh.to_absolute_index(self.cutoff)
        return pd.DataFrame(ahead, index=index, columns=self._series.columns)

    def _known_ahead(self, X: Any, n_steps: int) -> np.ndarray:
        """Return the exogenous values of the steps to come, (n_steps, E)."""
        if X is None:
            raise ValueError("X must be given to predict as well, because fit had one")
        steps = ForecastingHorizon(np.arange(1, n_steps + 1), is_relative=True)
        index = steps.to_absolute_index(self.cutoff)
        lacks = index[~index.isin(X.index)]
        if len(lacks):
            raise ValueError(
                f"X must have every step up to the last that is forecast, it lacks {lacks[0]}"
            )
        return _numbers(X[self._beside.columns].loc[index])

    def _update(self, y: Any, X: Any = None, update_params: bool = True) -> RecurrentForecaster:
        self._series = _extended(self._series, y)
        if self._beside is not None:
            if X is None:
                raise ValueError("X must be given to update as well, because fit had one")
            self._beside = _extended(self._beside, X).loc[self._series.index]
        return self._learn() if update_params else self

    @classmethod
    def get_test_params(cls, parameter_set: str = "default") -> Any:
        """Return parameters with which sktime's checks are quick.

        Parameters
        ----------
        parameter_set : str, default="default"
            There is one.

        Returns
        -------
        list of dict
        """
        quick = {"max_iter": 1, "random_state": 0}
        return [
            {"estimator": LSTMRegressor(3, **quick), "window": 2},
            {"estimator": LSTMRegressor(3, **quick), "window": 2, "strategy": "direct"},
            {"estimator": LSTMRegressor(3, **quick), "window": 3, "strategy": "multioutput"},
            {"estimator": LSTMSequenceRegressor(3, **quick), "scale": False},
        ]


def _ahead(fh: Any, cutoff: Any) -> list[int]:
    """Return how many steps after the cutoff each step of a horizon is."""
    return [int(step) for step in fh.to_relative(cutoff)]


def _numbers(frame: Any) -> np.ndarray:
    return np.asarray(frame, dtype=np.float64)


def _extended(frame: Any, later: Any) -> Any:
    """Return rows with others behind them; of one index the later row counts."""
    return pd.concat([frame[~frame.index.isin(later.index)], later]).sort_index()

"""Forecasters: one series or many go on, with what is not the network's business taken out."""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import asdict
from typing import Any, ClassVar

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.utils import check_random_state
from sklearn.utils._param_validation import InvalidParameterError, validate_parameter_constraints

from rnnkit.documentation import Documented
from rnnkit.estimators.base import recurrent_estimator
from rnnkit.estimators.forecasting.backtesting import Backtests
from rnnkit.estimators.forecasting.errors import direct_errors, recursive_errors
from rnnkit.estimators.forecasting.index import calendar_of
from rnnkit.estimators.forecasting.members import Watched, train, worth
from rnnkit.estimators.forecasting.parameters import (
    FORECASTING,
    WITH_WRITING,
    WRITING,
    ForecasterParameters,
)
from rnnkit.estimators.forecasting.profile import Profile, Treatment, choose_treatment
from rnnkit.estimators.forecasting.reading import (
    names_of,
    read_importance,
    read_static,
    read_steps,
    units_of,
)
from rnnkit.estimators.forecasting.series import (
    SeriesForm,
    indices_of,
    read_covariates,
    read_series,
)
from rnnkit.estimators.forecasting.steps import cut, warm_up
from rnnkit.estimators.forecasting.updates import Updates
from rnnkit.estimators.parameters.documentation import TaskText
from rnnkit.estimators.parameters.field import entries_of, parameters
from rnnkit.estimators.parameters.network import GRUParameters, LSTMParameters, RNNParameters
from rnnkit.estimators.transaction import learning
from rnnkit.estimators.watching import CallbackSupport, fitting_inside
from rnnkit.parameter_names import ChecksNames
from rnnkit.sequences import Sequences
from rnnkit.sequences.ids import refuse_other_ids

__all__ = ["GRUForecaster", "LSTMForecaster", "RNNForecaster", "RecurrentForecaster"]

WINDOW = 16  # the smallest of "auto"
HORIZON = 10  # "auto" where there is no season


@parameters
class RecurrentForecaster(
    Documented,
    ChecksNames,
    CallbackSupport,
    Backtests,
    Updates,
    ForecasterParameters,
    BaseEstimator,
):
    """What forecasts series, whatever the cell."""

    _cell: ClassVar[str]
    _has_epochs: ClassVar[bool] = True
    _text: ClassVar[TaskText] = TaskText(
        remarks=(
            "A forecaster takes logarithms, season, trend and unit out of every series, lets "
            "networks say how what is left goes on, and puts everything back. Its words are those "
            "of sktime: `fit(y, X, fh)`, `predict(fh, X)`, `predict_quantiles`, "
            "`predict_interval`, `update`."
        ),
        notes=(
            "each step of a window answers with the next steps (Wen et al. 2017), as distances "
            "from where a smoothed level and trend lead to (Gardner & McKenzie 1985; networks "
            "beside exponential smoothing: Smyl 2020), or else from the last value, or from what "
            "other differences of zero lead to. A network learns nothing of the steps whose "
            "answers lie in the time that it leaves out; what it says there decides when it stops, "
            "how much of what the networks say beyond smoothing, or the mean change, counts "
            "(`weight_`, the slope of truth on answer, times one minus the inverse of its F "
            "statistic), and how wide intervals are. The whole series is kept, for `update`."
        ),
        example="""
>>> import numpy as np
>>> from rnnkit import {name}
>>> y = np.sin(np.arange(120) / 5) + 0.02 * np.arange(120)
>>> forecaster = {name}(8, n_estimators=2, max_iter=30, random_state=0).fit(y, fh=range(1, 7))
>>> forecaster.predict().shape, forecaster.predict_interval(coverage=0.8).shape
((6,), (6, 2))
""",
    )
    _attributes: ClassVar[tuple[str, ...]] = (
        "estimators_",
        "treatment_",
        "horizon_",
        "window_",
        "strategy_",
        "weight_",
        "n_channels_",
    )

    def fit(
        self,
        y: Any,
        X: Any = None,
        fh: Any = None,
        *,
        past_covariates: Any = None,
        static_covariates: Any = None,
        sample_weight: Any = None,
    ) -> Any:
        """Learn how one series, or many, go on.

        Callbacks see the epochs of all networks as those of one training, numbered through, which
        belong to this estimator. None of them is a fitted forecaster: `rnnkit.callbacks.Checkpoint`
        has nothing to keep and is refused.

        Parameters
        ----------
        y : array (T,) or (T, K), series or frame; or a list, 3-D array or Sequences of such
            One series, of one channel or of K that are forecast together; or N series of which
            one model is learnt. A pandas index must be in order and evenly spaced: of dates,
            periods, time differences or numbers.
        X : as y, with P columns, default=None
            Covariates at the steps of y that are known in advance: `predict` takes those of the
            steps that it forecasts.
        fh : int or array of int, default=None
            Steps ahead that `predict` answers if it is not told: 1 is the next. The largest is
            what "direct" learns up to. None: 1 to `horizon`.
        past_covariates : as y, with columns of their own, default=None
            Covariates that are known up to the present only. Not with strategy="recursive".
        static_covariates : array (P,) for one series, (N, P) for many, default=None
            What does not change within a series; see `static`.
        sample_weight : array (T,) for one series; (N,), or as y, for many; default=None
            How much each step, or all of a series, counts as what was to be forecast: in losses,
            in `weight_` and in the errors that intervals are made of. At 0 it is only read. A
            network that says several steps at once takes the mean over those. Season, trend and
            unit are those of all steps, and each network stops where its plain loss is best.

        Returns
        -------
        self

        Raises
        ------
        TypeError, ValueError
            If an argument is not as described, or a series is too short. The forecaster stays as
            it was.
        """
        self._check_parameters()
        with learning(self) as draft, self._watched(X, y) as watched:
            draft._fit(y, X, fh, past_covariates, static_covariates, sample_weight, watched)
        return self

    def _watched(self, X: Any, y: Any) -> Any:
        """Return the context in which callbacks reach the networks that are fitted."""
        if not getattr(self, "_skl_callbacks", None):
            return nullcontext(nullcontext)
        return fitting_inside(self, self.n_estimators, X, y, "fit-network")

    def _fit(
        self, y: Any, X: Any, fh: Any, past: Any, static: Any, weights: Any, watched: Watched
    ) -> None:
        values, form = read_series(y)
        lengths = [len(v) for v in values]
        beside = {
            "X": X, "past_covariates": past, "static_covariates": static, "sample_weight": weights,
        }  # fmt: skip
        self._columns = {
            name: names_of(given) for name, given in (("y", y), ("X", X), ("past_covariates", past))
        }
        if isinstance(y, Sequences):
            for name, given in beside.items():
                refuse_other_ids(y, given, name, "y", "y.ids")
        indices = indices_of(y, form.kind)
        known = None if X is None else read_covariates(X, "X", form, lengths, indices)
        if past is not None:
            past = read_covariates(past, "past_covariates", form, lengths, indices)
        if static is not None:
            static = read_static(static, form, len(values))
        if weights is not None:
            weights = read_importance(weights, form, lengths, indices)
        self._learn(values, form, known, past, static, weights, read_steps(fh), watched)

    def _learn(
        self,
        values: list[np.ndarray],
        form: SeriesForm,
        known: list[np.ndarray] | None,
        past: list[np.ndarray] | None,
        static: np.ndarray | None,
        weights: list[np.ndarray] | None,
        fh: np.ndarray | None,
        watched: Watched,
    ) -> None:
        """Train on what was read."""
        self._refuse_covariates(known, past, static)
        if weights is not None and not any(w.any() for w in weights):
            raise ValueError("sample_weight must hold a weight above 0, got zeros alone")
        if self.stabilize == "log" and any((v <= 0).any() for v in values):
            raise ValueError("stabilize='log' needs a y that is positive everywhere")
        calendar = calendar_of(form.indices[0])
        treatment = choose_treatment(
            values, self.stabilize, self.seasonality, self.difference, calendar
        )
        shortest = min(map(len, values))
        n_left = shortest - treatment.n_lost
        horizon = self.horizon
        if fh is not None:
            horizon = int(fh.max())
        elif horizon is None:
            usual = 2 * treatment.period if treatment.period > 1 else HORIZON
            horizon = max(1, min(usual, shortest // 4))
        window = self.window
        if window == "auto":
            window = max(2, min(max(2 * treatment.period, horizon, WINDOW), n_left // 2))
        self._require_steps(values, treatment, horizon, window)
        n_smoothed = horizon if self._smooths(treatment) else 0
        profiles = [Profile.fit(v, treatment, n_smoothed) for v in values]
        units = {
            "known": units_of(known), "past": units_of(past),
            "static": None if static is None else units_of([static]),
        }  # fmt: skip
        self._history, self._known, self._past, self._static = values, known, past, static
        self._units = units
        self._form, self._fh, self._importance = asdict(form), fh, weights
        parts = ["season", "level", "scale", "drift"] + ["smoothing", "wider"] * bool(n_smoothed)
        self._profiles = [{part: getattr(p, part) for part in parts} for p in profiles]
        self.treatment_ = asdict(treatment)
        self.strategy_, self.horizon_, self.window_ = self.strategy, horizon, int(window)
        n_said = 1 if self.strategy_ == "recursive" else horizon
        series = self._steps(None)
        writes = self.strategy_ == "encoder-decoder"
        windows = cut(series, n_said, self.window_, at_end=writes)
        rng = check_random_state(self.random_state)
        seeds = rng.randint(np.iinfo(np.int32).max, size=self.n_estimators).tolist()
        settings = self._settings(windows.inputs[0].shape[1], static)
        members = train(
            self._cell, self.strategy_, settings, seeds, windows, form.dtype, watched,
            is_correction=bool(n_smoothed),
        )  # fmt: skip
        self.estimators_ = [member.network for member in members]
        self._written = [member.written for member in members]
        self._n_seen = float(sum(len(s.z) - s.first for s in series))
        n_own = self._n_seen / ((n_said + 1) / 2 if treatment.lags or n_smoothed else 1)
        self.weight_ = worth(members, windows, form.dtype, n_own)
        if self.strategy_ == "recursive":
            self._errors, self._counts = recursive_errors(
                members, series, self.window_, horizon, form.dtype, self.weight_
            )
        else:
            self._errors, self._counts = direct_errors(members, windows, form.dtype, self.weight_)
        self.n_channels_ = values[0].shape[1]

    def _refuse_covariates(self, known: Any, past: Any, static: Any) -> None:
        """Raise ValueError if nothing reads some covariates, or those to be read are missing."""
        if known is not None and self.strategy == "encoder-decoder":
            raise ValueError(
                "X must be None with strategy='encoder-decoder', whose decoder reads nothing of "
                "the steps that it writes; use strategy='direct' or 'recursive'"
            )
        if past is not None and self.strategy == "recursive":
            raise ValueError(
                "past_covariates must be None with strategy='recursive', which would need "
                "them at the steps that it forecasts; use strategy='direct'"
            )
        if static is None and self.static == "state":
            raise ValueError("static='state' needs static_covariates")

    def _smooths(self, treatment: Treatment) -> bool:
        """Whether series go on from a smoothed level."""
        return (
            self.smoothing is not None
            and self.strategy != "recursive"
            and treatment.lags in ((), (1,))
        )

    def _settings(self, n_features: int, static: np.ndarray | None) -> dict[str, Any]:
        """Return the parameters of the networks."""
        settings = {
            name: getattr(self, name) for name in entries_of(type(self)) if name not in FORECASTING
        }
        if self.strategy == "encoder-decoder":
            del settings["loss"], settings["static"]  # both as they are by default
            return {**settings, **WRITING}
        if self.static == "state" and static is not None:
            settings["static_features"] = tuple(range(n_features - static.shape[1], n_features))
        return settings

    def _require_steps(
        self, values: list[np.ndarray], treatment: Treatment, horizon: int, window: int
    ) -> None:
        """Raise ValueError if a series is too short to leave out a part for each network."""
        least = treatment.n_lost + warm_up(window) + horizon + 1 + 2 * max(self.n_estimators, 3)
        if treatment.period > 1:
            least = max(least, 2 * treatment.period)
        for i, series in enumerate(values):
            if len(series) < least:
                raise ValueError(
                    f"series {i} of y has {len(series)} steps; horizon={horizon}, window={window}, "
                    f"a season of {treatment.period}, differences of {list(treatment.lags)} and "
                    f"n_estimators={self.n_estimators} need at least {least}"
                )

    def _check_parameters(self) -> None:
        allowed = {name: entry.allowed for name, (_, entry) in entries_of(type(self)).items()}
        name = type(self).__name__
        if self.strategy == "encoder-decoder":
            for other, possible in WITH_WRITING.items():
                value = getattr(self, other)
                if value not in possible:
                    raise InvalidParameterError(
                        f"The {other!r} parameter of {name} must be "
                        f"{' or '.join(map(repr, possible))} with strategy='encoder-decoder'. "
                        f"Got {value!r} instead."
                    )
        validate_parameter_constraints(allowed, self.get_params(deep=False), caller_name=name)
        lags = self.difference
        if isinstance(lags, (list, tuple)):
            good = all(isinstance(n, (int, np.integer)) and n > 0 for n in lags)
            if not good or not len(lags):
                raise InvalidParameterError(
                    f"The 'difference' parameter of {name} must be a list of integers of at least "
                    f"1, not empty. Got {lags!r} instead."
                )

    def __sklearn_is_fitted__(self) -> bool:
        return hasattr(self, "estimators_")


@recurrent_estimator
class RNNForecaster(RNNParameters, RecurrentForecaster):
    """Forecast one series, or many, with a simple (Elman) recurrent network."""


@recurrent_estimator
class LSTMForecaster(LSTMParameters, RecurrentForecaster):
    """Forecast one series, or many, with a long short-term memory network."""


@recurrent_estimator
class GRUForecaster(GRUParameters, RecurrentForecaster):
    """Forecast one series, or many, with gated recurrent units."""

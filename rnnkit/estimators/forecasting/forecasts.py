"""What a fitted forecaster answers: values, quantiles, intervals, a score of what came true.

Letters: N series, T steps, K channels, S steps ahead, Q quantiles or coverages.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.utils.validation import check_is_fitted

from rnnkit.estimators.forecasting.errors import quantiles_of
from rnnkit.estimators.forecasting.members import Member, answer, roll
from rnnkit.estimators.forecasting.profile import Profile, Treatment
from rnnkit.estimators.forecasting.reading import (
    in_units,
    read_levels,
    read_steps,
    refuse_other_names,
)
from rnnkit.estimators.forecasting.series import SeriesForm, read_covariates, read_series
from rnnkit.estimators.forecasting.steps import Steps
from rnnkit.estimators.targets import moderate
from rnnkit.estimators.transaction import at_this_moment
from rnnkit.metrics import mean_absolute_scaled_error

__all__ = ["Forecasts"]


class Forecasts:
    """The side of a forecaster that works once it is fitted."""

    treatment_: dict[str, Any]
    strategy_: str
    horizon_: int
    window_: int
    estimators_: list[Any]
    n_channels_: int
    weight_: float
    _form: dict[str, Any]
    _fh: np.ndarray | None
    _profiles: list[dict[str, Any]]
    _history: list[np.ndarray]
    _known: list[np.ndarray] | None
    _past: list[np.ndarray] | None
    _static: np.ndarray | None
    _units: dict[str, np.ndarray | None]
    _importance: list[np.ndarray] | None = None
    _written: list[np.ndarray | None] | None = None
    _columns: dict[str, list[str] | None] | None = None  # of a file of an earlier version
    _errors: np.ndarray
    _counts: np.ndarray | None = None
    _n_seen: float

    def predict(self, fh: Any = None, X: Any = None) -> Any:
        """Forecast the steps after the end of the series.

        Parameters
        ----------
        fh : int or array of int, default=None
            Which steps ahead, 1 the next; an integer is that step alone. None: those of `fit`, or
            else 1 to `horizon_`. No further than `horizon_`, except with strategy="recursive".
        X : as in `fit`, default=None
            Covariates at the steps 1 to `horizon_`, of "recursive" 1 to the last that is asked for.

        Returns
        -------
        ndarray of shape (S,) or (S, K), series or frame; or for many series a list or Sequences
            In the form of y. With pandas the index goes on from that of y.

        Raises
        ------
        NotFittedError
            If `fit` was not called.
        TypeError, ValueError
            If an argument is not as described.
        """
        check_is_fitted(self, "estimators_")
        fitted = at_this_moment(self)
        steps = fitted._asked(fh)
        values = fitted._values(steps, X)
        return SeriesForm(**fitted._form).restore(values, steps)

    def predict_quantiles(
        self, fh: Any = None, quantiles: Any = (0.1, 0.5, 0.9), X: Any = None
    ) -> Any:
        """Forecast quantiles of the steps after the end of the series; they never cross.

        They are the forecast plus quantiles of the errors that each network made so many steps
        ahead in the part of the series that it left out (cross-conformal prediction, Vovk 2015),
        and wider where these are few: errors of differences s steps ahead overlap, only a share
        1 / s of them is of its own, and as many degrees of freedom has the t distribution by which
        they are widened.

        Parameters
        ----------
        fh : int or array of int, default=None
            As in `predict`; no further than `horizon_`.
        quantiles : float or list of float, default=(0.1, 0.5, 0.9)
            Which, in (0, 1).
        X : as in `fit`, default=None
            As in `predict`.

        Returns
        -------
        ndarray of shape (S, Q), (S, K, Q) or frame; or for many series a list
            With pandas the columns are pairs (name of the channel, quantile).

        Raises
        ------
        NotFittedError
            If `fit` was not called.
        TypeError, ValueError
            If an argument is not as described.
        """
        check_is_fitted(self, "estimators_")
        levels = read_levels(quantiles, "quantiles")
        columns = [(float(q),) for q in levels]
        return at_this_moment(self)._quantiles(fh, levels, X, columns)

    def predict_interval(self, fh: Any = None, coverage: Any = 0.9, X: Any = None) -> Any:
        """Forecast intervals that hold what comes with a given probability.

        Parameters
        ----------
        fh : int or array of int, default=None
            As in `predict`; no further than `horizon_`.
        coverage : float or list of float, default=0.9
            Their probabilities, in (0, 1): the ends are the quantiles (1 - coverage) / 2 and
            (1 + coverage) / 2 of `predict_quantiles`.
        X : as in `fit`, default=None
            As in `predict`.

        Returns
        -------
        ndarray of shape (S, 2·Q), (S, K, 2·Q) or frame; or for many series a list
            Lower and upper end for each of Q coverages. With pandas the columns are (name of the
            channel, coverage, "lower" or "upper").

        Raises
        ------
        NotFittedError
            If `fit` was not called.
        TypeError, ValueError
            If an argument is not as described.
        """
        check_is_fitted(self, "estimators_")
        shares = read_levels(coverage, "coverage")
        levels = np.stack([(1 - shares) / 2, (1 + shares) / 2], axis=1).ravel()
        columns = [(float(c), end) for c in shares for end in ("lower", "upper")]
        return at_this_moment(self)._quantiles(fh, levels, X, columns)

    def _quantiles(self, fh: Any, levels: np.ndarray, X: Any, columns: Any) -> Any:
        steps = self._asked(fh)
        if steps.max() > self.horizon_:
            raise ValueError(
                f"fh must not exceed horizon_={self.horizon_}, up to which errors are known, got "
                f"{steps.max()}"
            )
        paths = self._paths(steps, X)
        spread = quantiles_of(
            self._errors[:, : steps.max()],
            np.append(levels, 0.5),
            self._n_seen,
            self.weight_,
            adds_up=len(self.treatment_["lags"]) > 0 or "smoothing" in self._profiles[0],
            counts=None if self._counts is None else self._counts[:, : steps.max()],
        )
        values = []
        for profile, z, history in zip(self._fitted_profiles(), paths, self._history):
            own = spread[:, :, :-1]
            if profile.wider is not None:
                middle = spread[:, :, -1:]
                own = middle + (own - middle) * profile.wider[: steps.max(), :, None]
            ends = np.stack(
                [profile.invert(z + part, len(history)) for part in np.moveaxis(own, 2, 0)],
                axis=2,
            )
            values.append(ends[steps - 1])
        return SeriesForm(**self._form).restore(values, steps, columns)

    def _asked(self, fh: Any) -> np.ndarray:
        steps = read_steps(fh)
        if steps is None:
            steps = self._fh if self._fh is not None else np.arange(1, self.horizon_ + 1)
        if self.strategy_ != "recursive" and steps.max() > self.horizon_:
            raise ValueError(
                f"fh must not exceed horizon_={self.horizon_}, up to which "
                f"strategy={self.strategy_!r} was fitted, got {steps.max()}; fit with a larger fh "
                "or use strategy='recursive'"
            )
        return steps

    def _values(self, steps: np.ndarray, X: Any) -> list[np.ndarray]:
        """Return the forecast of each series, (S, K)."""
        paths = self._paths(steps, X)
        return [
            profile.invert(z, len(history))[steps - 1]
            for profile, z, history in zip(self._fitted_profiles(), paths, self._history)
        ]

    def _paths(self, steps: np.ndarray, X: Any) -> list[np.ndarray]:
        """Return how each series goes on up to the last step, without season and unit, (S, K)."""
        n_steps = int(steps.max())
        n_needed = n_steps if self.strategy_ == "recursive" else self.horizon_
        dtype = self._form["dtype"]
        series = self._steps(self._read_future(X, n_needed))
        if self.strategy_ == "recursive":
            return roll(self._members(), series, self.window_, n_steps, dtype, self.weight_)
        inputs = [s.inputs()[-self.window_ :] for s in series]
        said = answer(self._members(), inputs, dtype, self.weight_)
        paths = []
        for s, given in zip(series, said):
            base = s.base(self.horizon_, np.array([len(s.z) - 1]))[0]
            paths.append((base + given[-1].reshape(base.shape))[:n_steps])
        return paths

    def _read_future(self, X: Any, n_steps: int) -> list[np.ndarray] | None:
        if (X is None) != (self._known is None):
            had = "none" if self._known is None else "some"
            raise ValueError(f"X must be as in fit, which had {had}")
        if X is None or self._known is None:
            return None
        form = SeriesForm(**self._form)
        form.refuse_other_ids(X, "X")
        self._require_names(X, "X")
        labels = form.future(np.arange(1, n_steps + 1))
        future = read_covariates(X, "X", form, [n_steps] * len(self._history), labels)
        for new, old in zip(future, self._known):
            if new.shape[1] != old.shape[1]:
                raise ValueError(
                    f"X must have {old.shape[1]} columns as in fit, got {new.shape[1]}"
                )
        return future

    def _require_names(self, given: Any, name: str) -> None:
        """Raise ValueError if columns have other names than in `fit`, where these are known."""
        if self._columns is not None:
            refuse_other_names(self._columns[name], given, name, type(self).__name__)

    def _members(self) -> list[Member]:
        written = self._written or [None] * len(self.estimators_)
        corrects = "smoothing" in self._profiles[0]
        pairs = zip(self.estimators_, written)
        return [Member(network, part, corrects) for network, part in pairs]

    def _fitted_profiles(self) -> list[Profile]:
        treatment = Treatment(**self.treatment_)
        return [Profile(treatment, **fitted) for fitted in self._profiles]

    def _steps(self, future: list[np.ndarray] | None) -> list[Steps]:
        """Return every series as networks see it, with the covariates of its future."""
        treatment = Treatment(**self.treatment_)
        ahead = 1 if self.strategy_ == "recursive" else self.horizon_
        weights = self._importance
        if weights is not None:
            ends = np.cumsum([len(w) for w in weights])[:-1]
            weights = np.split(moderate(np.concatenate(weights)), ends)
        found = []
        for i, (profile, values) in enumerate(zip(self._fitted_profiles(), self._history)):
            known = None
            if self._known is not None:
                known = self._known[i]
                if future is not None:
                    known = np.concatenate([known, future[i]])
                known = in_units(known, self._units["known"])
            past = None if self._past is None else in_units(self._past[i], self._units["past"])
            static = None
            if self._static is not None:
                static = in_units(self._static[i], self._units["static"])
            z = profile.apply(values)
            found.append(
                Steps(
                    z,
                    treatment.lags,
                    ahead,
                    known,
                    past,
                    static,
                    profile.drift,
                    None if weights is None else weights[i],
                    profile.smoothing,
                )
            )
        return found

    def score(self, y: Any, X: Any = None, fh: Any = None) -> float:
        """Return minus the mean absolute scaled error of the forecast: 0 is best, more is better.

        The unit is the error of repeating the last season in the series so far (see
        `rnnkit.metrics.mean_absolute_scaled_error`).

        Parameters
        ----------
        y : as in `fit`
            What came true, directly after the end of every series, or at the steps of `fh`.
        X : as in `fit`, default=None
            As in `predict`.
        fh : int or array of int, default=None
            Which steps ahead y holds; None: from the next on.

        Returns
        -------
        float
            The mean over series and channels.

        Raises
        ------
        NotFittedError
            If `fit` was not called.
        TypeError, ValueError
            If an argument is not as described.
        """
        check_is_fitted(self, "estimators_")
        fitted = at_this_moment(self)
        own = SeriesForm(**fitted._form)
        own.refuse_other_ids(y, "y")
        fitted._require_names(y, "y")
        true, form = read_series(y, described=False)
        if form.kind != own.kind or len(true) != len(fitted._history):
            raise ValueError("y must come in the form that it had in fit, as many series of it")
        given = read_steps(fh)
        steps = np.arange(1, len(true[0]) + 1) if given is None else given
        if any(len(values) != len(steps) for values in true):
            raise ValueError(f"y must have {len(steps)} steps of every series")
        own.refuse_other_steps(y, steps)
        values = fitted._values(fitted._asked(steps), X)
        period = fitted.treatment_["period"]
        errors = [
            mean_absolute_scaled_error(*three, period=period)
            for three in zip(true, values, fitted._history)
        ]
        return -float(np.mean(errors))

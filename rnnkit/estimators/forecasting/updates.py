"""What came true after `fit`: it must go on where the series ended, and is kept with them."""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import asdict
from typing import Any

import numpy as np
from sklearn.utils.validation import check_is_fitted

from rnnkit.estimators.forecasting.forecasts import Forecasts
from rnnkit.estimators.forecasting.profile import differences
from rnnkit.estimators.forecasting.reading import in_units, read_importance
from rnnkit.estimators.forecasting.series import (
    SeriesForm,
    indices_of,
    read_covariates,
    read_series,
)
from rnnkit.estimators.transaction import learning
from rnnkit.sequences.numbers import cast

__all__ = ["Updates"]


class Updates(Forecasts):
    """The side of a forecaster that goes on with its series."""

    _check_parameters: Any
    _learn: Any
    _watched: Any

    def update(
        self,
        y: Any,
        X: Any = None,
        *,
        past_covariates: Any = None,
        sample_weight: Any = None,
        refit: bool = False,
    ) -> Any:
        """Take in what came true since; forecasts go on from there.

        Parameters
        ----------
        y : as in `fit`
            The steps after the last known one, of every series; with an index that goes on.
        X : as in `fit`, default=None
            Covariates at these steps, if `fit` had some.
        past_covariates : as in `fit`, default=None
            The same of those that are known up to the present.
        sample_weight : as in `fit`, default=None
            How much these steps count when everything is learnt anew, if `fit` had some; None: as
            much as the last step of each series.
        refit : bool, default=False
            Whether everything is learnt anew from the whole series. Otherwise networks, season,
            unit and intervals stay as they are.

        Returns
        -------
        self

        Raises
        ------
        NotFittedError
            If `fit` was not called.
        TypeError, ValueError
            If an argument is not as described. The forecaster stays as it was.
        """
        check_is_fitted(self, "estimators_")
        if refit:
            self._check_parameters()
        watching = self._watched(X, y) if refit else nullcontext(nullcontext)
        with learning(self) as draft, watching as watched:
            draft._update(y, X, past_covariates, sample_weight, refit)
            if refit:
                draft._learn(
                    draft._history,
                    SeriesForm(**draft._form),
                    draft._known,
                    draft._past,
                    draft._static,
                    draft._importance,
                    draft._fh,
                    watched,
                )
            else:
                draft._require_readable()
        return self

    def _update(self, y: Any, X: Any, past: Any, weights: Any, refit: bool) -> None:
        form = SeriesForm(**self._form)
        for name, given in {
            "y": y, "X": X, "past_covariates": past, "sample_weight": weights,
        }.items():  # fmt: skip
            form.refuse_other_ids(given, name)
        self._require_names(y, "y")
        values, new = read_series(y, described=False)
        later = form.later(y, new)
        for old, added in zip(self._history, values):
            if added.shape[1] != old.shape[1]:
                raise ValueError(f"y must have {old.shape[1]} channels, got {added.shape[1]}")
            if self.treatment_["log"] and not refit and (added <= 0).any():
                raise ValueError(
                    "y must be positive: logarithms are forecast; refit=True chooses anew"
                )
        lengths, indices = [len(v) for v in values], indices_of(y, form.kind)
        self._known = self._longer(self._known, X, "X", form, lengths, indices)
        self._past = self._longer(self._past, past, "past_covariates", form, lengths, indices)
        self._importance = self._later_importance(weights, form, lengths, indices)
        self._history = [
            np.concatenate([old, cast(added, form.dtype, form.called("y", i))])
            for i, (old, added) in enumerate(zip(self._history, values))
        ]
        self._form = asdict(later)

    def _require_readable(self) -> None:
        """Raise ValueError if a network cannot read a series in the units of `fit`."""
        dtype = self._form["dtype"]
        known = zip(self._fitted_profiles(), self._history)
        with np.errstate(over="ignore", invalid="ignore"):
            series = {"y": [differences(p.apply(v), p.treatment.lags) for p, v in known]}
            for name, part, values in [
                ("X", "known", self._known),
                ("past_covariates", "past", self._past),
            ]:
                series[name] = [in_units(v, self._units[part]) for v in values or []]
            for name, arrays in series.items():
                for i, array in enumerate(arrays):
                    if not np.isfinite(array.astype(dtype)).all():
                        called = SeriesForm(**self._form).called(name, i)
                        raise ValueError(
                            f"{called} has steps that are too large for {dtype} in the units of "
                            "fit; refit=True finds new ones"
                        )

    def _later_importance(
        self, given: Any, form: SeriesForm, lengths: list[int], indices: list[Any]
    ) -> list[np.ndarray] | None:
        """Return how much the steps so far count, and later ones."""
        had = self._importance
        if had is None:
            if given is not None:
                raise ValueError("sample_weight must be None as in fit")
            return None
        if given is None:
            added = [np.repeat(old[-1:], n) for old, n in zip(had, lengths)]
        else:
            added = read_importance(given, form, lengths, indices)
        return [np.concatenate([old, new]) for old, new in zip(had, added)]

    def _longer(
        self,
        had: list[np.ndarray] | None,
        given: Any,
        name: str,
        form: SeriesForm,
        lengths: list[int],
        indices: list[Any],
    ) -> list[np.ndarray] | None:
        """Return covariates with those of later steps."""
        if (given is None) != (had is None):
            what = "none" if had is None else "some"
            raise ValueError(f"{name} must be as in fit, which had {what}")
        if had is None:
            return None
        self._require_names(given, name)
        added = read_covariates(given, name, form, lengths, indices)
        for old, new in zip(had, added):
            if old.shape[1] != new.shape[1]:
                raise ValueError(f"{name} must have {old.shape[1]} columns, got {new.shape[1]}")
        return [np.concatenate([old, new]) for old, new in zip(had, added)]

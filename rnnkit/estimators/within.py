"""What is fitted within Pipelines, searches and other meta-estimators."""

from __future__ import annotations

from typing import Any

from sklearn.frozen import FrozenEstimator
from sklearn.pipeline import Pipeline
from sklearn.utils.validation import check_is_fitted

from rnnkit.estimators.fitted import FittedEstimator

__all__ = ["fitted_within"]


def fitted_within(estimator: Any) -> tuple[Any, list[Pipeline]]:
    """Return the innermost estimator, and the transformers that X passes on the way to it.

    Parameters
    ----------
    estimator : estimator
        A fitted one, or what holds one: a Pipeline that ends in it, whose other steps transform X;
        a search; `FrozenEstimator`; what keeps one as `estimator_` or `regressor_`.

    Raises
    ------
    NotFittedError
        If what holds one is to be fitted yet.
    """
    transformers: list[Pipeline] = []
    while not isinstance(estimator, FittedEstimator):
        if isinstance(estimator, Pipeline):
            check_is_fitted(estimator)
            if len(estimator.steps) > 1:
                transformers.append(estimator[:-1])
            estimator = estimator.steps[-1][1]
        elif isinstance(estimator, FrozenEstimator):
            estimator = estimator.estimator
        else:
            inside = _kept_by(estimator)
            if inside is None:
                break
            estimator = inside
    return estimator, transformers


def _kept_by(estimator: Any) -> Any:
    """Return the fitted estimator that a meta-estimator keeps; None if it keeps none."""
    for name in ("best_estimator_", "estimator_", "regressor_"):
        if hasattr(estimator, name):
            return getattr(estimator, name)
    if hasattr(estimator, "estimator") or hasattr(estimator, "regressor"):
        check_is_fitted(estimator)
    return None

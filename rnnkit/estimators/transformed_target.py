"""A regressor of steps that learns a transformed y and answers in the unit of y itself."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
from sklearn import get_config
from sklearn.base import BaseEstimator, MetaEstimatorMixin, clone
from sklearn.preprocessing import FunctionTransformer
from sklearn.utils import Tags, get_tags
from sklearn.utils.metadata_routing import (
    MetadataRouter,
    MethodMapping,
    process_routing,
)
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import check_is_fitted

from rnnkit.documentation import Documented
from rnnkit.estimators.codecs import Numbers
from rnnkit.estimators.examples import Examples
from rnnkit.estimators.regressor import score_of_quantiles
from rnnkit.estimators.step_numbers import StepAnswers, StepTargets
from rnnkit.estimators.targets import read_weights, require_targets
from rnnkit.estimators.unlabelled import fill, labelled_entries, refuse_unlabelled
from rnnkit.estimators.watching import CallbackSupport, handing_on
from rnnkit.estimators.within import fitted_within
from rnnkit.network import Quantiles
from rnnkit.parameter_names import ChecksNames
from rnnkit.sequences import Sequences
from rnnkit.sequences.ids import refuse_other_ids
from rnnkit.sequences.numbers import cast

__all__ = ["TransformedTargetSequenceRegressor"]

CHECKED = 10  # the inverse is tried on so many steps


def _forecasts(self: TransformedTargetSequenceRegressor) -> bool:
    return hasattr(getattr(self, "regressor_", self.regressor), "_forecast")


class TransformedTargetSequenceRegressor(
    Documented, ChecksNames, CallbackSupport, MetaEstimatorMixin, BaseEstimator
):
    """Fit a regressor of steps to a transformed y; predictions are transformed back.

    What `sklearn.compose.TransformedTargetRegressor` does for one target per sample: the
    transformer is fitted on the targets (ΣT, K) of all real steps, so that every step is
    transformed alike. (scikit-learn's own takes no ragged y, and the T steps of a dense one for
    T outputs, each with a scale of its own.)

    Parameters
    ----------
    regressor : estimator
        A sequence regressor, or a pipeline or search that ends in one; a clone of it is fitted.
    transformer : transformer, default=None
        A scikit-learn transformer with `inverse_transform`; a clone of it is fitted. Not beside
        `func` and `inverse_func`.
    func, inverse_func : callable, default=None
        Functions of an array (ΣT, K), such as `numpy.log1p` and `numpy.expm1`; both or none. With
        neither them nor a transformer y stays as it is.
    check_inverse : bool, default=True
        Whether `fit` tries on a few steps that the inverse leads back, and warns if not.

    Attributes
    ----------
    regressor_ : estimator
        The fitted regressor, in the unit of the transformed y.
    transformer_ : transformer
        The fitted transformer.
    n_features_in_ : int
        As of the regressor.

    Notes
    -----
    The regressors of rnnkit standardize y themselves, so that a transformer which only shifts and
    scales changes next to nothing; what changes the shape of y, such as a logarithm or
    `PowerTransformer`, changes what is learnt.

    Steps whose target is missing in all outputs do not reach the transformer and stay missing.

    Of several quantiles each is transformed back by itself. That is a quantile of y where the
    transformer keeps the order of the numbers of each output, as a logarithm does.

    Examples
    --------
    >>> import numpy as np
    >>> from rnnkit import GRUSequenceRegressor, TransformedTargetSequenceRegressor
    >>> X = [np.linspace(0, 1, n)[:, None] for n in (5, 8, 6)]
    >>> y = [np.exp(5 * x[:, 0]) for x in X]
    >>> inner = GRUSequenceRegressor(8, learning_rate_init=0.05, random_state=0)
    >>> regressor = TransformedTargetSequenceRegressor(inner, func=np.log, inverse_func=np.exp)
    >>> regressor.fit(X, y).score(X, y) > 0.9
    True
    >>> [len(steps) for steps in regressor.predict(X)]
    [5, 8, 6]
    """

    def __init__(
        self,
        regressor: Any,
        *,
        transformer: Any = None,
        func: Callable[..., Any] | None = None,
        inverse_func: Callable[..., Any] | None = None,
        check_inverse: bool = True,
    ) -> None:
        self.regressor = regressor
        self.transformer = transformer
        self.func = func
        self.inverse_func = inverse_func
        self.check_inverse = check_inverse

    def fit(
        self, X: Any, y: Any, lengths: Any = None, **fit_params: Any
    ) -> TransformedTargetSequenceRegressor:
        """Fit the transformer to the targets of all steps, and the regressor to what it makes.

        Parameters
        ----------
        X : array-like, data frame, list of arrays or Sequences
            As the regressor takes it.
        y : array-like of shape (N, T) or (N, T, K), list of arrays or Sequences
            A number, or K numbers, for every step.
        lengths : array-like of shape (N,) or "nan", default=None
            Steps of every sequence of a dense X; what y holds beyond does not count.
        **fit_params : dict
            Handed on to the regressor's `fit`, such as `sample_weight`. The targets in
            `validation_data` and `y_val` are transformed like y, also behind the name of a
            pipeline's step.

        Returns
        -------
        self

        Raises
        ------
        ValueError, TypeError
            If y or a parameter is not as described, or as the regressor's `fit`. The estimator
            stays as it was.

        Warns
        -----
        UserWarning
            If the inverse does not lead back to y.
        """
        require_targets(y, self)
        refuse_other_ids(X, y, "y")
        steps = StepTargets.of(y, "y", X, lengths)
        transformer = self._fit_transformer(steps.values[steps.known])
        routed = self._routed("fit", lengths, fit_params)
        for name in routed:
            routed[name] = _transformed_validation(transformer, name, routed, lengths)
        targets = steps.mapped(transformer.transform).separate()
        inner = clone(self.regressor)
        with handing_on(self, inner, X, y):
            inner = inner.fit(X, targets, **routed)
        self.regressor_ = inner
        self.transformer_ = transformer
        if hasattr(self.regressor_, "feature_names_in_"):
            self.feature_names_in_ = self.regressor_.feature_names_in_
        elif hasattr(self, "feature_names_in_"):
            del self.feature_names_in_
        return self

    def predict(self, X: Any, lengths: Any = None, **predict_params: Any) -> Any:
        """Predict the targets of all steps, in the unit of y.

        Parameters
        ----------
        X : array-like, data frame, list of arrays or Sequences
            As in `fit`.
        lengths : array-like of shape (N,) or "nan", default=None
            As in `fit`.
        **predict_params : dict
            Handed on to the regressor's `predict`.

        Returns
        -------
        ndarray of shape (N, T) or (N, T, K), list, object array or Sequences
            In the form in which the regressor answers; zero beyond a sequence's length. Several
            quantiles are one more axis, the last.

        Raises
        ------
        NotFittedError
            If `fit` was not called.
        ValueError, TypeError
            As the regressor's `predict`.
        """
        check_is_fitted(self, "regressor_")
        routed = self._routed("predict", lengths, predict_params)
        return self._answers(X, lengths, routed).restored()

    def _answers(self, X: Any, lengths: Any, routed: dict[str, Any]) -> StepAnswers:
        """Return the predictions of all steps, in the unit of y."""
        predictions = self.regressor_.predict(X, **routed)
        are_quantiles = len(_quantiles_of(self.regressor_)) > 0
        answers = StepAnswers.of(predictions, X, lengths, are_quantiles)
        return answers.mapped(self.transformer_.inverse_transform)

    def score(self, X: Any, y: Any, sample_weight: Any = None, lengths: Any = None) -> float:
        """Return R² of the predictions over all real steps, or D² of quantiles, in the unit of y.

        Parameters
        ----------
        X, y
            As in `fit`.
        sample_weight : array-like of shape (N,), or like y, default=None
            Weights of sequences or of steps.
        lengths : array-like of shape (N,) or "nan", default=None
            As in `fit`.

        Returns
        -------
        float
            As of the regressor; NaN where a prediction is not finite or there are fewer than two
            targets.

        Raises
        ------
        ValueError, TypeError
            If an argument is not as in `fit`.
        """
        check_is_fitted(self, "regressor_")
        require_targets(y, self)
        refuse_other_ids(X, y, "y")
        refuse_other_ids(X, sample_weight, "sample_weight")
        predicted = self._answers(X, lengths, self._routed("predict", lengths, {}))
        true = StepTargets.of(y, "y", X, lengths, np.diff(predicted.offsets))
        if not np.array_equal(true.offsets, predicted.offsets):
            raise ValueError("y must have a target for every step of X, its steps differ in number")
        targets, answers = true.values, predicted.values
        if targets.shape[1] != answers.shape[1]:
            raise ValueError(
                f"y has {targets.shape[1]} outputs, expected {answers.shape[1]} as in fit"
            )
        places = Sequences(np.empty((len(targets), 0)), true.offsets)
        weights = read_weights(sample_weight, places, predicted.form, per_step=True)
        labelled = labelled_entries(targets)
        if labelled is not None:
            targets = fill(targets, labelled)
        weights = Examples(places, targets, weights, True, True, labelled).weights_of_targets
        refuse_unlabelled(weights, every_column=False)
        quantiles = _quantiles_of(self.regressor_)
        if quantiles:
            return score_of_quantiles(targets, answers, weights, quantiles)
        return Numbers(targets.shape[1], True).score(targets, answers[:, :, 0], weights)

    @available_if(_forecasts)
    def forecast(self, X: Any, n_steps: int, lengths: Any = None) -> np.ndarray:
        """Go on from the end of each sequence in closed loop, in the unit of y.

        Every output is transformed back before it is the next input: meant for a regressor
        trained with ``y[t] = X[t + 1]``, both as they are.

        Parameters
        ----------
        X : array-like, data frame, list of arrays or Sequences
            As in `fit`; no sequence is empty.
        n_steps : int
            Steps to predict beyond the end of X.
        lengths : array-like of shape (N,) or "nan", default=None
            As in `fit`.

        Returns
        -------
        ndarray of shape (N, n_steps), or (N, n_steps, K) if y was given with K columns

        Raises
        ------
        NotFittedError
            If `fit` was not called.
        ValueError, TypeError
            As the regressor's `forecast`.
        """
        check_is_fitted(self, "regressor_")
        inverse = self.transformer_.inverse_transform
        forecasts = self.regressor_._forecast(X, n_steps, lengths, inverse)
        rows = inverse(forecasts.reshape(len(forecasts) * n_steps, -1))
        rows = cast(np.asarray(rows), forecasts.dtype, "the forecast")
        return np.asarray(rows.reshape(forecasts.shape))

    def _fit_transformer(self, targets: np.ndarray) -> Any:
        """Return a fitted transformer; warn if its inverse does not lead back."""
        functions = (self.func, self.inverse_func)
        if self.transformer is None:
            if (self.func is None) != (self.inverse_func is None):
                raise ValueError("func and inverse_func must be given together, or neither of them")
            transformer = FunctionTransformer(*functions, check_inverse=False)
        elif any(function is not None for function in functions):
            raise ValueError("transformer must be None beside func and inverse_func")
        else:
            transformer = clone(self.transformer)
        if not hasattr(transformer, "inverse_transform"):
            raise TypeError(
                f"transformer must have inverse_transform; {type(transformer).__name__} has none"
            )
        if not len(targets):
            raise ValueError("y holds no target: all are missing")
        transformer.fit(targets)
        if self.check_inverse:
            some = targets[:: max(1, len(targets) // CHECKED)]
            back = transformer.inverse_transform(transformer.transform(some))
            if not np.allclose(some, back, equal_nan=True):
                warnings.warn(
                    "The transformer, or func and inverse_func, does not lead back to y; if that "
                    "is meant, give check_inverse=False",
                    UserWarning,
                    stacklevel=3,
                )
        return transformer

    def _routed(self, method: str, lengths: Any, params: dict[str, Any]) -> dict[str, Any]:
        """Return what the regressor's method gets beside X and y."""
        if lengths is not None:
            params = {**params, "lengths": lengths}
        if not params:
            return {}
        if not get_config()["enable_metadata_routing"]:
            return dict(params)
        return dict(process_routing(self, method, **params).regressor[method])

    def get_metadata_routing(self) -> MetadataRouter:
        """Return what arguments go where, if metadata routing is enabled.

        Returns
        -------
        MetadataRouter
        """
        mapping = MethodMapping()
        for method in ("fit", "predict", "score"):
            mapping = mapping.add(caller=method, callee=method)
        router = MetadataRouter(owner=self).add_self_request(self)
        return router.add(regressor=self.regressor, method_mapping=mapping)

    @property
    def n_features_in_(self) -> int:
        """Features of the regressor."""
        if not hasattr(self, "regressor_"):
            raise AttributeError(f"this {type(self).__name__} is not fitted yet; call fit first")
        return int(self.regressor_.n_features_in_)

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.input_tags = get_tags(self.regressor).input_tags
        tags.target_tags.required = True
        return tags


def _transformed_validation(
    transformer: Any, name: str, given: dict[str, Any], lengths: Any
) -> Any:
    """Return an argument of `fit`, transformed if it holds targets that decide when to stop."""
    value, argument = given[name], name.rpartition("__")[2]
    if value is None or argument not in ("y_val", "validation_data"):
        return value
    if argument == "y_val":
        X, y = given.get(f"{name.removesuffix(argument)}X_val"), value
    elif isinstance(value, (tuple, list)) and len(value) == 2:
        X, y = value
    else:
        return value  # which the regressor refuses
    refuse_other_ids(X, y, "y")
    rule = lengths if isinstance(lengths, str) and X is not None else None  # for any data
    targets = StepTargets.of(y, name, X, rule).mapped(transformer.transform).separate()
    return targets if argument == "y_val" else (X, targets)


def _quantiles_of(fitted: Any) -> tuple[float, ...]:
    """Return the quantiles that a regressor, or the one inside of what is fitted, predicts."""
    innermost, _ = fitted_within(fitted)
    output = getattr(getattr(innermost, "network_", None), "output", None)
    return tuple(output.quantiles) if isinstance(output, Quantiles) else ()

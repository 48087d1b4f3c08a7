"""A transformer that turns sequences into the pooled states of a recurrent network."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.base import (
    BaseEstimator,
    ClassNamePrefixFeaturesOutMixin,
    MetaEstimatorMixin,
    TransformerMixin,
    clone,
)
from sklearn.utils.validation import check_is_fitted

from rnnkit.documentation import Documented
from rnnkit.estimators.transaction import at_this_moment, learning
from rnnkit.estimators.watching import CallbackSupport, handing_on
from rnnkit.network.recurrent import Recurrent
from rnnkit.parameter_names import ChecksNames

__all__ = ["RecurrentFeatures"]

POOLINGS = ("last", "mean", "max")


class RecurrentFeatures(
    Documented,
    ChecksNames,
    CallbackSupport,
    ClassNamePrefixFeaturesOutMixin,
    TransformerMixin,
    MetaEstimatorMixin,
    BaseEstimator,
):
    """Turn sequences into vectors: the pooled hidden states of a recurrent network.

    Parameters
    ----------
    estimator : estimator
        An rnnkit estimator; a clone of it is fitted. Wrap a fitted one in
        `sklearn.frozen.FrozenEstimator` to use it as it is.
    pooling : {"last", "mean", "max"}, default="last"
        How the states of a sequence become one vector; "last" is the state of each direction
        after it has read the whole sequence.
    layer : int, default=-1
        Which recurrent layer, counted from 0; -1 is the last.

    Attributes
    ----------
    estimator_ : estimator
        The fitted estimator.
    n_features_in_ : int
        Its number of features.
    feature_names_in_ : ndarray of shape (F,)
        Its names of them, where X had any.

    Examples
    --------
    >>> import numpy as np
    >>> from rnnkit import GRUClassifier, RecurrentFeatures
    >>> X = [np.ones((length, 2)) * length for length in (2, 3, 4, 5)]
    >>> classifier = GRUClassifier(6, max_iter=5, learning_rate="linear", random_state=0)
    >>> RecurrentFeatures(classifier).fit(X, [0, 0, 1, 1]).transform(X).shape
    (4, 6)
    """

    def __init__(self, estimator: Any, *, pooling: str = "last", layer: int = -1) -> None:
        self.estimator = estimator
        self.pooling = pooling
        self.layer = layer

    def fit(
        self, X: Any, y: Any = None, lengths: Any = None, **fit_params: Any
    ) -> RecurrentFeatures:
        """Fit a clone of the estimator.

        Parameters
        ----------
        X, y
            As the estimator's `fit` takes them.
        lengths : array-like of shape (N,), default=None
            Steps of every sequence of a dense X.
        **fit_params : dict
            Handed on to it.

        Returns
        -------
        self

        Raises
        ------
        TypeError, ValueError
            If `pooling` is unknown, the estimator has no hidden states or no such layer, or as
            its `fit`. The features stay as they were.
        """
        if self.pooling not in POOLINGS:
            raise ValueError(
                f"pooling must be one of {', '.join(map(repr, POOLINGS))}, got {self.pooling!r}"
            )
        if not hasattr(self.estimator, "hidden_states"):
            raise ValueError(
                "estimator must be a recurrent one that has hidden_states, got "
                f"{type(self.estimator).__name__}, which has none"
            )
        if lengths is not None:
            fit_params = {**fit_params, "lengths": lengths}
        with learning(self) as draft:
            inner = clone(self.estimator)
            with handing_on(self, inner, X, y):
                draft.estimator_ = inner.fit(X, y, **fit_params)
            draft.estimator_.network_.place_of_recurrent(self.layer)
            draft._fitted_layer, draft._fitted_pooling = self.layer, self.pooling
        return self

    def fit_transform(
        self, X: Any, y: Any = None, lengths: Any = None, **fit_params: Any
    ) -> np.ndarray:
        """Fit a clone of the estimator and return the pooled states.

        Parameters
        ----------
        X, y
            As the estimator's `fit` takes them.
        lengths : array-like of shape (N,), default=None
            Steps of every sequence of a dense X.
        **fit_params : dict
            Handed on to the estimator's `fit`.

        Returns
        -------
        ndarray of shape (N, D·H)
        """
        return self.fit(X, y, lengths, **fit_params).transform(X, lengths)

    def transform(self, X: Any, lengths: Any = None) -> np.ndarray:
        """Return the pooled states.

        Parameters
        ----------
        X : array-like, data frame, list of arrays or Sequences
            As the estimator's `predict` takes it.
        lengths : array-like of shape (N,), default=None
            Steps of every sequence of a dense X.

        Returns
        -------
        ndarray of shape (N, D·H)

        Raises
        ------
        ValueError, TypeError
            If X is not as in `fit`, or there is no such layer.
        """
        check_is_fitted(self, "estimator_")
        fitted = at_this_moment(self)
        estimator = at_this_moment(fitted.estimator_)
        layer, pooling = fitted._fitted_layer, fitted._fitted_pooling
        sequences, _ = estimator._read_new(X, lengths)
        vectors: np.ndarray = estimator._apply(
            sequences,
            lambda bound, plan, x: bound.pooled_states(plan, x, layer, pooling),
            per_step=False,
        )
        return vectors

    @property
    def n_features_in_(self) -> int:
        """The estimator's number of features."""
        check_is_fitted(self, "estimator_")
        return int(self.estimator_.n_features_in_)

    @property
    def feature_names_in_(self) -> np.ndarray:
        """The estimator's names of its features; AttributeError where X had none."""
        check_is_fitted(self, "estimator_")
        names: np.ndarray = self.estimator_.feature_names_in_
        return names

    @property
    def _n_features_out(self) -> int:
        return self._layer().width

    def _layer(self) -> Recurrent:
        layer: Recurrent = self.estimator_.network_.recurrent_layers[self._fitted_layer]
        return layer

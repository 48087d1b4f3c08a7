"""Any scikit-learn transformer of rows, fitted over all real steps of all sequences."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.base import BaseEstimator, TransformerMixin, clone
from sklearn.preprocessing import StandardScaler
from sklearn.utils import get_tags
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import (
    _check_feature_names,
    _check_feature_names_in,
    check_is_fitted,
    validate_data,
)

from rnnkit.sequences import Form, Sequences

__all__ = ["SequenceScaler"]


def _was_fitted_on_rows(self: SequenceScaler) -> bool:
    return self._fitted_on_rows


def _can_invert(self: SequenceScaler) -> bool:
    return hasattr(getattr(self, "scaler_", self._scaler()), "inverse_transform")


class SequenceScaler(TransformerMixin, BaseEstimator):
    """Transform the features of every step with one transformer fitted over all real steps.

    Parameters
    ----------
    scaler : transformer, default=None
        Fitted on the rows (ΣT, F) of all steps; anything that maps rows to rows of numbers,
        such as an imputer or `PCA`, which may change F. None: `StandardScaler`.
    step_features : int, default=1
        Features F of a step where X is 2-D.

    Attributes
    ----------
    scaler_ : transformer
        The fitted transformer of steps.
    n_features_in_ : int
        Columns of a 2-D X, F for the other forms.
    feature_names_in_ : ndarray of shape (n_features_in_,)
        The columns' names, where X is a frame or a list of frames.

    Examples
    --------
    >>> import numpy as np
    >>> from rnnkit.preprocessing import SequenceScaler
    >>> X = [np.array([[0.0], [2.0]]), np.array([[4.0]])]
    >>> SequenceScaler().fit_transform(X)[1]
    array([[1.22474487]])
    """

    _fitted_on_rows = True  # whether X was a 2-D array or a frame

    def __init__(self, scaler: Any = None, *, step_features: int = 1) -> None:
        self.scaler = scaler
        self.step_features = step_features

    def fit(self, X: Any, y: Any = None, lengths: Any = None) -> SequenceScaler:
        """Fit the transformer on all real steps.

        Parameters
        ----------
        X : array-like, frame, list or Sequences
            Any of the four forms of input.
        y : ignored
        lengths : array-like of shape (n,), integer, default=None
            Real steps of each sequence where X is a padded array.

        Returns
        -------
        SequenceScaler
            This object.

        Raises
        ------
        TypeError, ValueError
            If X is not accepted.
        """
        steps = self._read(X, lengths, reset=True)
        scaler = clone(self._scaler())
        if hasattr(scaler, "set_output"):
            scaler.set_output(transform="default")
        self.scaler_ = scaler.fit(_read_only(steps.values))
        return self

    def fit_transform(self, X: Any, y: Any = None, lengths: Any = None) -> Any:
        """Fit the transformer on all real steps, and transform them.

        Parameters
        ----------
        X : array-like, frame, list or Sequences
            Any of the four forms of input.
        y : ignored
        lengths : array-like of shape (n,), integer, default=None
            Real steps of each sequence where X is a padded array; the rest becomes 0.

        Returns
        -------
        ndarray, list, object array or Sequences
            In the form of X.

        Raises
        ------
        TypeError, ValueError
            If X is not accepted.
        """
        return self.fit(X, y, lengths).transform(X, lengths)

    def transform(self, X: Any, lengths: Any = None) -> Any:
        """Transform every real step.

        Parameters
        ----------
        X : array-like, frame, list or Sequences
            Any of the four forms of input.
        lengths : array-like of shape (n,), integer, default=None
            Real steps of each sequence where X is a padded array; the rest becomes 0.

        Returns
        -------
        ndarray, list, object array or Sequences
            In the form of X.

        Raises
        ------
        NotFittedError
            If `fit` was not called.
        TypeError, ValueError
            If X is not accepted or has another number of features.
        """
        check_is_fitted(self, "scaler_")
        steps = self._read(X, lengths, reset=False)
        rows = np.ascontiguousarray(self.scaler_.transform(_read_only(steps.values)))
        return Form.of(X, self.step_features).restore_data(rows, steps.offsets)

    @available_if(_can_invert)
    def inverse_transform(self, X: Any, lengths: Any = None) -> Any:
        """Undo `transform`.

        Parameters
        ----------
        X : array-like, frame, list or Sequences
            What `transform` returned.
        lengths : array-like of shape (n,), integer, default=None
            Real steps of each sequence where X is a padded array; the rest becomes 0.

        Returns
        -------
        ndarray, list, object array or Sequences
            In the form of X.

        Raises
        ------
        NotFittedError
            If `fit` was not called.
        TypeError, ValueError
            If X is not accepted.
        """
        check_is_fitted(self, "scaler_")
        n_outputs = self._n_step_outputs()
        steps = Sequences.from_any(X, lengths, n_outputs, allow_nan=True)
        rows = np.ascontiguousarray(self.scaler_.inverse_transform(_read_only(steps.values)))
        return Form.of(X, n_outputs).restore_data(rows, steps.offsets)

    @available_if(_was_fitted_on_rows)
    def get_feature_names_out(self, input_features: Any = None) -> np.ndarray:
        """Name the columns of the result, for 2-D X.

        Parameters
        ----------
        input_features : array-like of str, default=None
            Names of the columns of X; None: those seen in `fit`, or x0, x1, ...

        Returns
        -------
        ndarray of shape (n_columns,), object
            The names of X's columns, or "sequencescaler0", ... where their number changes.

        Raises
        ------
        NotFittedError
            If `fit` was not called.
        """
        check_is_fitted(self, "scaler_")
        names: np.ndarray = _check_feature_names_in(self, input_features)
        n_outputs = self._n_step_outputs()
        if n_outputs == self.step_features:
            return names
        n_columns = self.n_features_in_ // self.step_features * n_outputs
        return np.array([f"sequencescaler{i}" for i in range(n_columns)], dtype=object)

    def _scaler(self) -> Any:
        return StandardScaler() if self.scaler is None else self.scaler

    def _n_step_outputs(self) -> int:
        one_step = np.zeros((1, self.scaler_.n_features_in_))
        return int(self.scaler_.transform(one_step).shape[1])

    def _read(self, X: Any, lengths: Any, reset: bool) -> Sequences:
        """Return the steps of X; set or check its number of features."""
        allow_nan = get_tags(self).input_tags.allow_nan
        form = Form.of(X)
        on_rows = form.kind == "rows"  # whose columns scikit-learn checks
        steps = Sequences.from_any(X, lengths, self.step_features, allow_nan=allow_nan)
        if on_rows and (reset or self._fitted_on_rows):
            validate_data(self, X, reset=reset, skip_check_array=True)
        elif not on_rows and (reset or not self._fitted_on_rows):
            _check_feature_names(self, form.named(X), reset=reset)
        if reset:
            self._fitted_on_rows = on_rows
            if not on_rows:
                self.n_features_in_ = steps.n_features
        elif steps.n_features != self.scaler_.n_features_in_:
            raise ValueError(
                f"X has {steps.n_features} features, but SequenceScaler is expecting "
                f"{self.scaler_.n_features_in_} features as input"
            )
        return steps

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        inner = get_tags(self._scaler())
        tags.input_tags.three_d_array = True
        tags.input_tags.allow_nan = inner.input_tags.allow_nan
        if inner.transformer_tags is not None:
            tags.transformer_tags.preserves_dtype = inner.transformer_tags.preserves_dtype
        return tags


def _read_only(values: np.ndarray) -> np.ndarray:
    """Return a view that a scaler with ``copy=False`` has to copy: the values may be the user's."""
    view = values.view()
    view.flags.writeable = False
    return view

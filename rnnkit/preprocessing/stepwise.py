"""What transformers share that read the steps of sequences, in any form."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any, Self

import numpy as np
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.utils.validation import (
    _check_feature_names_in,
    check_is_fitted,
    validate_data,
)

from rnnkit.documentation import Documented
from rnnkit.parameter_names import ChecksNames
from rnnkit.preprocessing.naming import check_feature_names
from rnnkit.preprocessing.watching import CallbackSupportMixin, watched, whole
from rnnkit.sequences import Form, Sequences

__all__ = ["FormTransformer", "StepReader", "StepTransformer"]


class FormTransformer(
    Documented, ChecksNames, CallbackSupportMixin, TransformerMixin, BaseEstimator
):
    """Base of a transformer that reads any form of X and, as a rule, gives the same back."""

    _fitted_on_rows = True  # whether X was a 2-D array or a frame

    def __init_subclass__(cls, **options: Any) -> None:
        """Say which results become frames: those that are no rows have no names of columns."""
        super().__init_subclass__(**options)  # in which scikit-learn writes its own rule
        cls._sklearn_auto_wrap_output_keys = property(
            lambda self: {"transform"} if self._gives_rows else set()
        )

    @property
    def _gives_rows(self) -> bool:
        """Whether the result is a row for each sequence."""
        return self._fitted_on_rows

    def fit_transform(self, X: Any, y: Any = None, lengths: Any = None) -> Any:
        """Fit to X, and transform it.

        Parameters
        ----------
        X : array-like, frame, list or Sequences
            Any of the four forms of input.
        y, lengths
            As in `fit`.

        Returns
        -------
        ndarray, list, object array or Sequences
            As `transform`.

        Raises
        ------
        TypeError, ValueError
            If a parameter or X is not accepted.
        """
        return self.fit(X, y, lengths).transform(X, lengths)

    def _check_columns(self, X: Any, n_features: int, expected: int | None) -> None:
        """Check the features F of a step of X, of which `fit` had `expected`; None: learn them."""
        form, reset = Form.of(X), expected is None
        on_rows = form.kind == "rows"  # whose columns scikit-learn checks
        if on_rows and (reset or self._fitted_on_rows):
            validate_data(self, X, reset=reset, skip_check_array=True)
        elif not on_rows and (reset or not self._fitted_on_rows):
            check_feature_names(self, X, form, reset=reset)
        if reset:
            self._fitted_on_rows = on_rows
            if not on_rows:
                self.n_features_in_ = n_features
        elif n_features != expected:
            raise ValueError(
                f"X has {n_features} features, but {type(self).__name__} is expecting {expected} "
                "features as input"
            )

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.three_d_array = True
        return tags


class StepReader(FormTransformer):
    """Base of a transformer whose rule is its parameters, and perhaps some learnt numbers.

    A subclass has a parameter `step_features`. What `transform` does is decided by the parameters
    at `fit`, remembered in `_fitted`, `step_features` last.
    """

    step_features: int
    _fitted: tuple[Any, ...]

    # What a subclass says.

    def _settings(self) -> tuple[Any, ...]:
        """Return the parameters but `step_features`; raise where one is not allowed."""
        raise NotImplementedError

    def _learn(self, X: Any, steps: Sequences, settings: tuple[Any, ...]) -> tuple[Any, ...]:
        """Learn from the steps of X; return what is remembered of the settings."""
        return settings

    # What users call.

    @watched
    @whole
    def fit(self, X: Any, y: Any = None, lengths: Any = None) -> Self:
        """Check the parameters, and learn what there is to learn of the steps.

        Parameters
        ----------
        X : array-like, frame, list or Sequences
            Any of the four forms of input; NaN may be in it.
        y : ignored
        lengths : array-like of shape (n,), integer, or "nan", default=None
            Real steps of each sequence where X is a padded array; "nan": up to the last step
            that is not all NaN.

        Returns
        -------
        self

        Raises
        ------
        TypeError, ValueError
            If a parameter or X is not accepted.
        """
        settings = self._settings()
        steps = self._read(X, lengths, reset=True)
        self._fitted = *self._learn(X, steps, settings), self.step_features
        return self

    @property
    def _n_step_features(self) -> int:
        """Features F of a step of the X that `fit` had."""
        return int(self._fitted[-1] if self._fitted_on_rows else self.n_features_in_)

    def _read(self, X: Any, lengths: Any, reset: bool) -> Sequences:
        """Return the steps of X; set or check its number of features."""
        step_features = self.step_features if reset else self._fitted[-1]
        steps = Sequences.from_any(X, lengths, step_features, allow_nan=True)
        self._check_columns(X, steps.n_features, None if reset else self._n_step_features)
        return steps

    def _step_names(self, input_features: Any) -> np.ndarray:
        """Return the names of the columns of X, a row for each of its steps, (T or 1, F)."""
        check_is_fitted(self, "_fitted")
        names: np.ndarray = _check_feature_names_in(self, input_features)
        return names.reshape(-1, self._n_step_features)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        tags.transformer_tags.preserves_dtype = ["float64", "float32"]
        return tags


class StepTransformer(StepReader):
    """Base of a transformer that turns steps into other steps, by a rule of its own."""

    def _transformed(self, steps: Sequences) -> tuple[np.ndarray, np.ndarray]:
        """Return new steps, and where each sequence starts in them."""
        raise NotImplementedError

    def _steps_after(self, n_steps: int) -> int:
        """Return how many steps a dense X of `n_steps` has afterwards."""
        return n_steps

    def transform(self, X: Any, lengths: Any = None) -> Any:
        """Turn the steps into others.

        Parameters
        ----------
        X : array-like, frame, list or Sequences
            Any of the four forms of input.
        lengths : array-like of shape (n,), integer, or "nan", default=None
            As in `fit`; steps beyond are not read, and what is beyond afterwards is 0.

        Returns
        -------
        ndarray, list, object array or Sequences
            In the form of X.

        Raises
        ------
        NotFittedError
            If `fit` was not called.
        TypeError, ValueError
            If X is not accepted, has another number of features, or a sequence that is too short.
        """
        check_is_fitted(self, "_fitted")
        values, offsets = self._transformed(self._read(X, lengths, reset=False))
        return self._give(X, values, offsets, self._steps_after)

    def _give(
        self, X: Any, values: np.ndarray, offsets: np.ndarray, n_steps: Callable[[int], int]
    ) -> Any:
        """Give new steps back in the form of X, `n_steps` telling those of a dense one from its."""
        form = Form.of(X, self._fitted[-1])
        if form.is_dense:
            form = replace(form, n_steps=n_steps(form.n_steps))
        return form.restore_data(values, offsets)

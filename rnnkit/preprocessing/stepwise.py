"""What transformers share that turn the steps of sequences, in any form, into other steps."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.utils.validation import (
    _check_feature_names,
    _check_feature_names_in,
    check_is_fitted,
    validate_data,
)

from rnnkit.documentation import Documented
from rnnkit.preprocessing.watching import CallbackSupportMixin
from rnnkit.sequences import Form, Sequences

__all__ = ["StepTransformer"]


class StepTransformer(Documented, CallbackSupportMixin, TransformerMixin, BaseEstimator):
    """Base of a transformer that reads any form of X and gives its result in the same.

    A subclass has a parameter `step_features`. What `transform` does is decided by the parameters
    at `fit`, remembered in `_fitted`, `step_features` last.
    """

    step_features: int
    _fitted: tuple[Any, ...]
    _fitted_on_rows = True  # whether X was a 2-D array or a frame

    def __init_subclass__(cls, **options: Any) -> None:
        """Say which results become frames: those that are no rows have no names of columns."""
        super().__init_subclass__(**options)  # in which scikit-learn writes its own rule
        cls._sklearn_auto_wrap_output_keys = property(
            lambda self: {"transform"} if self._fitted_on_rows else set()
        )

    @property
    def _n_step_features(self) -> int:
        """Features F of a step of the X that `fit` had."""
        return int(self._fitted[-1] if self._fitted_on_rows else self.n_features_in_)

    def _read(self, X: Any, lengths: Any, reset: bool) -> Sequences:
        """Return the steps of X; set or check its number of features."""
        form = Form.of(X)
        on_rows = form.kind == "rows"  # whose columns scikit-learn checks
        step_features = self.step_features if reset else self._fitted[-1]
        steps = Sequences.from_any(X, lengths, step_features, allow_nan=True)
        if on_rows and (reset or self._fitted_on_rows):
            validate_data(self, X, reset=reset, skip_check_array=True)
        elif not on_rows and (reset or not self._fitted_on_rows):
            _check_feature_names(self, form.named(X), reset=reset)
        if reset:
            self._fitted_on_rows = on_rows
            if not on_rows:
                self.n_features_in_ = steps.n_features
        elif steps.n_features != self._n_step_features:
            raise ValueError(
                f"X has {steps.n_features} features, but {type(self).__name__} is expecting "
                f"{self._n_step_features} features as input"
            )
        return steps

    def _give(self, X: Any, values: np.ndarray, offsets: np.ndarray, n_steps: Any = None) -> Any:
        """Give new steps back in the form of X; `n_steps` of a dense one, a function of its T."""
        form = Form.of(X, self._fitted[-1])
        if n_steps is not None and form.is_dense:
            form = replace(form, n_steps=n_steps(form.n_steps))
        return form.restore_data(values, offsets)

    def _step_names(self, input_features: Any) -> np.ndarray:
        """Return the names of the columns of X, a row for each of its steps, (T or 1, F)."""
        check_is_fitted(self, "n_features_in_")
        names: np.ndarray = _check_feature_names_in(self, input_features)
        return names.reshape(-1, self._n_step_features)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.three_d_array = True
        tags.input_tags.allow_nan = True
        tags.transformer_tags.preserves_dtype = ["float64", "float32"]
        return tags

"""Regressors: a number, or a vector, for every sequence."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
from sklearn.base import RegressorMixin
from sklearn.metrics import r2_score
from sklearn.utils import Tags, check_array, column_or_1d
from sklearn.utils.validation import check_consistent_length

from rnnkit.estimators.base import (
    GRUParameters,
    LSTMParameters,
    RecurrentEstimator,
    RNNParameters,
    parameters,
    recurrent_estimator,
)
from rnnkit.estimators.examples import Examples
from rnnkit.estimators.inputs import InputForm
from rnnkit.estimators.parameters_doc import TaskText
from rnnkit.network import (
    AbsoluteError,
    HuberLoss,
    Output,
    PoissonLoss,
    QuantileLoss,
    SquaredError,
)
from rnnkit.sequences import Sequences

__all__ = [
    "GRURegressor",
    "LSTMRegressor",
    "NumberPrediction",
    "RNNRegressor",
    "RecurrentRegressor",
]


@parameters
class NumberPrediction(RecurrentEstimator):
    """What predicts numbers, for sequences or for steps."""

    loss: str = "squared"
    huber_delta: float = 1.0
    quantile: float = 0.5

    def _make_output(self) -> Output:
        loss, n_outputs = self.loss.removesuffix("_error"), self._n_targets
        if loss == "huber":
            return HuberLoss(n_outputs, self.huber_delta)
        if loss == "quantile":
            return QuantileLoss(n_outputs, self.quantile)
        losses: dict[str, Any] = {
            "squared": SquaredError,
            "absolute": AbsoluteError,
            "poisson": PoissonLoss,
        }
        return losses[loss](n_outputs)

    def _read_numbers(self, y: np.ndarray, *, first: bool) -> np.ndarray:
        """Check targets (n,) or (n, K) and return them as (n, K) float64."""
        y = check_array(
            y,
            ensure_2d=False,
            dtype=np.float64,
            ensure_min_samples=0,
            input_name="y",
            estimator=self,
        )
        vector_targets = y.ndim == 2
        y = y.reshape(len(y), -1)
        if first:
            self._n_targets = y.shape[1]
            self._vector_targets = vector_targets
        elif y.shape[1] != self._n_targets:
            raise ValueError(f"y has {y.shape[1]} outputs, expected {self._n_targets} as in fit")
        if self.loss == "poisson" and np.any(y < 0):
            raise ValueError(f"loss='poisson' needs y of at least 0, got {y.min():.6g}")
        return y

    def _output_bias(self, examples: Examples) -> np.ndarray:
        mean = np.average(examples.targets, axis=0, weights=examples.weights)
        if self.loss == "poisson":
            return np.log(np.maximum(mean, np.finfo(np.float64).tiny))
        return mean

    def _present(self, decisions: np.ndarray) -> np.ndarray:
        return decisions if self._vector_targets else decisions[:, 0]

    def _score_decisions(
        self, targets: np.ndarray, decisions: np.ndarray, weights: np.ndarray | None
    ) -> float:
        if not np.isfinite(decisions).all():
            return float("nan")
        return float(r2_score(targets, decisions, sample_weight=weights))


@parameters
class RecurrentRegressor(RegressorMixin, NumberPrediction):
    """What predicts numbers for sequences, whatever the cell."""

    _text: ClassVar[TaskText] = TaskText(
        notes=(
            "the prediction is an affine function of the pooled states that starts from the "
            "mean of y. The squared loss is half the squared error, averaged over the "
            "outputs."
        ),
        example="""
>>> import numpy as np
>>> from rnnkit import {name}
>>> rng = np.random.RandomState(0)
>>> X = [rng.uniform(-1, 1, (length, 2)) for length in rng.randint(3, 6, size=80)]
>>> y = [x[-1].sum() for x in X]
>>> regressor = {name}(8, learning_rate_init=0.02, random_state=0).fit(X, y)
>>> regressor.score(X, y) > 0.9
True
""",
    )
    pooling: str = "last"

    score = RecurrentEstimator.score  # not the mixin's, which knows no lengths

    def _read_targets(
        self, y: Any, sequences: Sequences, form: InputForm, *, first: bool, strict: bool
    ) -> np.ndarray:
        y = np.asarray(y)
        if y.ndim == 2 and y.shape[1] == 1:
            y = column_or_1d(y, warn=True)
        check_consistent_length(sequences.offsets[1:], y)
        return self._read_numbers(y, first=first)

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.target_tags.single_output = True
        tags.target_tags.multi_output = True
        return tags


@recurrent_estimator
class RNNRegressor(RNNParameters, RecurrentRegressor):
    """Predict a number, or K numbers, for a sequence with a simple (Elman) recurrent network."""


@recurrent_estimator
class LSTMRegressor(LSTMParameters, RecurrentRegressor):
    """Predict a number, or K numbers, for a sequence with a long short-term memory network."""


@recurrent_estimator
class GRURegressor(GRUParameters, RecurrentRegressor):
    """Predict a number, or K numbers, for a sequence with gated recurrent units."""

"""Regressors: a number, or a vector, for every sequence."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from typing import Any, ClassVar

import numpy as np
from sklearn.base import RegressorMixin
from sklearn.metrics import d2_pinball_score
from sklearn.utils import Tags, check_array, column_or_1d
from sklearn.utils._param_validation import StrOptions
from sklearn.utils.validation import check_consistent_length

from rnnkit.estimators.applying import apply
from rnnkit.estimators.base import RecurrentEstimator, recurrent_estimator
from rnnkit.estimators.codecs import Codec, Numbers
from rnnkit.estimators.examples import Examples
from rnnkit.estimators.parameters.documentation import TaskText
from rnnkit.estimators.parameters.field import FRACTION, POSITIVE, parameter, parameters
from rnnkit.estimators.parameters.network import (
    GRUParameters,
    LSTMParameters,
    PoolingParameters,
    RNNParameters,
)
from rnnkit.estimators.reader import Reader
from rnnkit.estimators.targets import require_list
from rnnkit.network import (
    AbsoluteError,
    HuberLoss,
    Network,
    Output,
    PoissonLoss,
    QuantileLoss,
    Quantiles,
    SquaredError,
)
from rnnkit.network.losses import StandardizedOutput, weights_of_columns
from rnnkit.sequences import Form, Sequences
from rnnkit.sequences.numbers import convert_values
from rnnkit.sequences.reading import as_array

__all__ = [
    "GRURegressor",
    "LSTMRegressor",
    "NumberPrediction",
    "RNNRegressor",
    "RecurrentRegressor",
    "score_of_quantiles",
]


LOSSES: dict[str, Callable[..., Output]] = {
    "squared": SquaredError,
    "absolute": AbsoluteError,
    "huber": HuberLoss,
    "quantile": QuantileLoss,
    "poisson": PoissonLoss,
}


@parameters
class NumberPrediction(RecurrentEstimator):
    """What predicts numbers, for sequences or for steps."""

    loss: str = parameter(
        "squared",
        [StrOptions({*LOSSES, "squared_error", "absolute_error"})],
        '{"squared", "absolute", "huber", "quantile", "poisson"}',
        'The loss that is minimized. "poisson" predicts exp(score). "squared_error" and '
        '"absolute_error" are accepted too.',
    )
    huber_delta: float = parameter(
        1.0,
        [POSITIVE],
        "float",
        'Where loss="huber" turns from square to straight, in the unit of y.',
    )
    quantile: float | Sequence[float] = parameter(
        0.5,
        [FRACTION, list, tuple],
        "float or list of float",
        'The quantile that loss="quantile" predicts. A list gives several in one model, one '
        "column each in its order, as the last axis of a prediction: (N, Q), or (N, K, Q) where "
        "y has K columns. They never cross, and `score` is the mean of their D².",
    )

    def _make_output(self, codec: Codec) -> Output:
        loss = self.loss.removesuffix("_error")
        if loss == "quantile" and isinstance(self.quantile, Iterable):
            return Quantiles(codec.width, quantiles=tuple(map(float, self.quantile)))
        options = {"huber": (self.huber_delta,), "quantile": (self.quantile,)}
        return LOSSES[loss](codec.width, *options.get(loss, ()))

    def _fit_output(self, output: Output, examples: Examples, last: Output | None) -> Output:
        if last is not None:
            self._refuse_other_scores(output, last)
        if not isinstance(output, StandardizedOutput):
            return output
        if isinstance(last, StandardizedOutput):  # weights that were trained in its unit go on
            return replace(output, center=last.center, scale=last.scale)
        standardized: Output = output.standardized(examples.targets, examples.weights_of_targets)
        return standardized

    def _refuse_other_scores(self, output: Output, last: Output) -> None:
        """Raise ValueError if the weights of the last fit make scores of another meaning."""
        if isinstance(output, PoissonLoss) != isinstance(last, PoissonLoss):
            self._refuse_change(["loss"])
        if (
            isinstance(output, Quantiles)
            and isinstance(last, Quantiles)
            and output.columns() != last.columns()
        ):
            self._refuse_change(["quantile"])

    def _settle(self, network: Network, reader: Reader, examples: Examples) -> None:
        """Put the bias of the head where the loss of the training data is smallest.

        The slopes of the absolute and the quantile loss have one size wherever they are: steps
        along them cross the best place for ever, and a quantile would be some other one.
        """
        output = network.output
        if not isinstance(output, (AbsoluteError, QuantileLoss, Quantiles)):
            return
        scores = self._raw_scores(network, reader, examples.sequences)
        if np.isfinite(scores).all():
            targets = output.to_scores(examples.targets)
            bias = network.parameters["head.bias"]
            bias += output.best_shift(scores, targets, examples.weights_of_targets)

    def _raw_scores(self, network: Network, reader: Reader, sequences: Sequences) -> np.ndarray:
        return apply(
            network,
            self.device,
            reader.inputs(sequences),
            sequences.offsets,
            lambda bound, plan, x: bound.forward(plan, x),
            per_step=self._per_step,
        )

    def _score_examples(
        self, network: Network, reader: Reader, codec: Codec, examples: Examples
    ) -> float:
        output = network.output
        if not isinstance(output, Quantiles):
            return super()._score_examples(network, reader, codec, examples)
        values = self._decide(network, reader, examples.sequences)
        targets, weights = examples.targets, examples.weights_of_targets
        return score_of_quantiles(targets, values, weights, output.quantiles)

    @property
    def n_outputs_(self) -> int:
        """Outputs K."""
        self._need_fit()
        return self._codec.width

    def _learn_codec(self, targets: np.ndarray, classes: Any) -> Codec:
        return Numbers(targets.reshape(len(targets), -1).shape[1], targets.ndim == 2)

    def _read_numbers(self, y: Any, *, allow_nan: bool = False) -> np.ndarray:
        """Return targets (n,) or (n, K) as float64, finite or also NaN."""
        numbers: np.ndarray = check_array(
            convert_values(as_array(y, "y"), "y", np.float64, allow_nan=allow_nan),
            ensure_2d=False,
            dtype=np.float64,
            ensure_all_finite="allow-nan" if allow_nan else True,
            ensure_min_samples=0,
            input_name="y",
            estimator=self,
        )
        return numbers


def score_of_quantiles(
    targets: np.ndarray, values: np.ndarray, weights: np.ndarray | None, quantiles: Sequence[float]
) -> float:
    """Return the mean D² of the quantiles (n, K, Q) of targets (n, K)."""
    if len(targets) < 2 or not np.isfinite(values).all():
        return float("nan")
    scores = [
        d2_pinball_score(targets[:, k], values[:, k, column], sample_weight=w, alpha=quantile)
        for k, w in enumerate(weights_of_columns(weights, targets.shape[1]))
        for column, quantile in enumerate(quantiles)
        if w is None or np.count_nonzero(w) > 1
    ]
    return float(np.mean(scores)) if scores else float("nan")


@parameters
class RecurrentRegressor(RegressorMixin, PoolingParameters, NumberPrediction):
    """What predicts numbers for sequences, whatever the cell."""

    _text: ClassVar[TaskText] = TaskText(
        notes=(
            "the prediction is an affine function of the pooled states that starts from the "
            "best constant for the loss: mean, median or quantile of y. Inside, each output of y "
            "is standardized, so that fitting a y + b gives a times the prediction plus b; "
            "losses are told in the unit of y, those of several outputs as the mean of their "
            "standardized losses in the mean of their units. After an absolute or quantile loss "
            "the bias of the head is set to its best value, for several quantiles to that which "
            "has the share of each below it; these lie as positive gaps around the one nearest to "
            "the median. The squared loss is half the squared error, averaged over the outputs."
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
    score = RecurrentEstimator.score  # not the mixin's, which knows no lengths

    def _read_targets(
        self, y: Any, sequences: Sequences, form: Form, ignore_label: Any
    ) -> np.ndarray:
        require_list(y, "y")
        y = as_array(y, "y")
        if y.ndim == 2 and y.shape[1] == 1:
            y = column_or_1d(y, warn=True)
        check_consistent_length(sequences.offsets[1:], y)
        return self._read_numbers(y)

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

"""Sequence regressors: a number, or a vector, for every step, and forecasts in closed loop."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

import numpy as np
from sklearn.utils.validation import check_is_fitted

from rnnkit.backends import get_backend
from rnnkit.estimators.applying import bounded_batches, refuse_long_sequences
from rnnkit.estimators.base import recurrent_estimator
from rnnkit.estimators.devices import answers
from rnnkit.estimators.parameters.documentation import TaskText
from rnnkit.estimators.parameters.field import parameters
from rnnkit.estimators.parameters.network import (
    GRUParameters,
    LSTMParameters,
    RNNParameters,
)
from rnnkit.estimators.regressor import NumberPrediction
from rnnkit.estimators.targets import flatten_steps
from rnnkit.network import BoundNetwork, Inputs, Quantiles
from rnnkit.sequences import Form, Plan, Sequences, pack
from rnnkit.sequences.numbers import cast

__all__ = [
    "GRUSequenceRegressor",
    "LSTMSequenceRegressor",
    "RNNSequenceRegressor",
    "RecurrentSequenceRegressor",
]

Feed = Callable[[np.ndarray], Any]


@parameters
class RecurrentSequenceRegressor(NumberPrediction):
    """What predicts numbers for every step, whatever the cell.

    It is no `RegressorMixin`: scikit-learn would take steps for outputs.
    """

    _text: ClassVar[TaskText] = TaskText(
        remarks=(
            "Trained to predict the next step, it also forecasts in closed loop: see `forecast`. "
            "In a search, leave `scoring` at None, which is R² over all real steps: "
            "scikit-learn's own scorers know no steps."
        ),
        notes=(
            "the prediction of a step is an affine function of its state that starts from the "
            "best constant for the loss: mean, median or quantile of y. Inside, each output of y "
            "is standardized, so that fitting a y + b gives a times the prediction plus b; "
            "losses are told in the unit of y, as means over real steps, those of several outputs "
            "as the mean of their standardized losses in the mean of their units. After an "
            "absolute or quantile loss the bias of the head is set to its best value, for several "
            "quantiles to that which has the share of each below it; these lie as positive gaps "
            "around the one nearest to the median. A target that is NaN or None is not known: it "
            "counts for nothing in losses and scores."
        ),
        example="""
>>> import numpy as np
>>> from rnnkit import {name}
>>> wave = np.sin(np.arange(200) / 5).reshape(4, 50)
>>> X, y = wave[:, :-1], wave[:, 1:]
>>> regressor = {name}(8, learning_rate_init=0.02, random_state=0).fit(X, y)
>>> regressor.score(X, y) > 0.9
True
>>> regressor.forecast(X, n_steps=3).shape
(4, 3)
""",
    )
    _per_step: ClassVar[bool] = True

    @answers
    def forecast(self, X: Any, n_steps: int, lengths: Any = None) -> np.ndarray:
        """Go on from the end of each sequence in closed loop: every output is the next input.

        Meant for a network trained with ``y[t] = X[t + 1]``.

        Parameters
        ----------
        X : array-like, data frame, list of arrays or Sequences
            As in `fit`; no sequence is empty.
        n_steps : int
            Steps to predict beyond the end of X.
        lengths : array-like of shape (N,), default=None
            As in `fit`.

        Returns
        -------
        ndarray of shape (N, n_steps), or (N, n_steps, K) if y was given with K columns

        Raises
        ------
        ValueError, TypeError
            If X is not as in `fit`, `n_steps` is no positive integer, or the outputs cannot be
            inputs: K differs from I, X holds token ids, the network reads backwards too or
            predicts several quantiles.
        """
        return self._forecast(X, n_steps, lengths, None)

    def _forecast(self, X: Any, n_steps: int, lengths: Any, feed: Feed | None) -> np.ndarray:
        """Forecast in closed loop; `feed` makes the next inputs (B, I) of outputs (B, K)."""
        check_is_fitted(self)
        self._check_closed_loop(n_steps)
        sequences, _ = self._read_new(X, lengths)
        if not sequences.lengths.all():
            raise ValueError(f"X: sequence {int(np.argmin(sequences.lengths))} is empty (length 0)")
        backend = get_backend(self.device, fall_back=True)
        inputs = self._reader.inputs(sequences)
        steps = np.empty((len(sequences), n_steps, self.n_outputs_), self.network_.dtype)
        with backend.active():
            refuse_long_sequences(self.network_, sequences.offsets, backend)
            bound = self.network_.bind(backend, constant=True)
            for batch in bounded_batches(self.network_, sequences.offsets):
                forecasts = _closed_loop(bound, batch.plan, inputs.take(batch.rows), n_steps, feed)
                steps[batch.sequences] = np.stack([backend.download(f) for f in forecasts], axis=1)
        predictions = self._codec.decode(steps.reshape(-1, self.n_outputs_))
        return predictions.reshape(len(sequences), n_steps, *predictions.shape[1:])

    def _check_closed_loop(self, n_steps: Any) -> None:
        if isinstance(n_steps, bool) or not isinstance(n_steps, (int, np.integer)) or n_steps < 1:
            raise ValueError(f"n_steps must be an integer of at least 1, got {n_steps!r}")
        output = self.network_.output
        if isinstance(output, Quantiles):
            raise ValueError(
                "forecast feeds an output back as the next input and needs one number for it; "
                f"quantile={list(output.quantiles)} gives {len(output.quantiles)}. Fit one "
                "quantile, such as quantile=0.5"
            )
        if self._reader.token_columns:
            raise ValueError("forecast needs numeric inputs; X holds token ids")
        if self._reader.static_columns:
            raise ValueError(
                "forecast needs static='steps': its outputs are the next step's inputs"
            )
        if self.n_outputs_ != self._reader.n_step_features:
            raise ValueError(
                f"forecast feeds outputs back as inputs and needs as many: the network has "
                f"{self.n_outputs_} outputs and {self._reader.n_step_features} features per step"
            )
        if not self.network_.is_causal:
            raise ValueError(f"forecast needs {self.network_.cut_needs}")

    def _read_targets(
        self, y: Any, sequences: Sequences, form: Form, ignore_label: Any
    ) -> np.ndarray:
        steps = flatten_steps(y, sequences, form, noun="targets")
        return self._read_numbers(steps, allow_nan=True)


def _closed_loop(
    bound: BoundNetwork, plan: Plan, x: Inputs, n_steps: int, feed: Feed | None
) -> list[Any]:
    """Return the predictions (B, K) of each step after the end of the sequences."""
    n_sequences = plan.n_sequences
    decisions = bound.decision(plan, bound.forward(plan, x))
    latest = decisions.take(bound.backend.xp.asarray(plan.last_rows()), axis=0)
    forecasts = [latest]
    one_step = pack(np.ones(n_sequences, np.intp))
    while len(forecasts) < n_steps:
        inputs = latest if feed is None else _fed(bound, latest, feed)
        scores = bound.forward(one_step, Inputs(inputs), states=bound.states)
        latest = bound.decision(one_step, scores).copy()
        forecasts.append(latest)
    return forecasts


def _fed(bound: BoundNetwork, latest: Any, feed: Feed) -> Any:
    """Return what is made of outputs on the host, on the backend again."""
    rows = np.asarray(feed(bound.backend.download(latest)))
    return bound.backend.upload(cast(rows, bound.network.dtype, "the next input"))


@recurrent_estimator
class RNNSequenceRegressor(RNNParameters, RecurrentSequenceRegressor):
    """Predict a number, or K numbers, for every step with a simple (Elman) recurrent network."""


@recurrent_estimator
class LSTMSequenceRegressor(LSTMParameters, RecurrentSequenceRegressor):
    """Predict a number, or K numbers, for every step with a long short-term memory network."""


@recurrent_estimator
class GRUSequenceRegressor(GRUParameters, RecurrentSequenceRegressor):
    """Predict a number, or K numbers, for every step with gated recurrent units."""

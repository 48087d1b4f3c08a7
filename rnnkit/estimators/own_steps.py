"""How estimators learn whose targets are the steps of X themselves.

Letters: N sequences, T steps, ΣT steps of all sequences, I features of a step.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.utils.metaestimators import available_if

from rnnkit.estimators.autoencoder.codecs import OwnSteps
from rnnkit.estimators.base import RecurrentEstimator
from rnnkit.estimators.codecs import Codec
from rnnkit.estimators.devices import takes_device_arrays
from rnnkit.estimators.examples import Examples
from rnnkit.estimators.fitting import trains_in_minibatches
from rnnkit.estimators.parameters.checks import check_parameters
from rnnkit.estimators.parameters.field import fixed, parameters
from rnnkit.estimators.parameters.network import NUMBERS_ALONE
from rnnkit.estimators.reader import Reader
from rnnkit.estimators.targets import read_weights
from rnnkit.estimators.watching import learning_watched
from rnnkit.network import Output
from rnnkit.sequences import Form, Sequences

__all__ = ["OwnStepsLearning"]


@parameters
@fixed(
    **NUMBERS_ALONE,
)
class OwnStepsLearning(RecurrentEstimator):
    """What learns from X alone: no y is looked at, and weights are those of sequences."""

    # Fitting.

    @takes_device_arrays
    def fit(  # type: ignore[override]
        self,
        X: Any,
        y: Any = None,
        sample_weight: Any = None,
        validation_data: Any = None,
        lengths: Any = None,
        X_val: Any = None,
    ) -> Any:
        """Train the network.

        Parameters
        ----------
        X : array-like, data frame, list of arrays or Sequences
            A 3-D array (N, T, I); a 2-D array or frame (N, T·I); a list, tuple or 1-D object
            array of arrays (T_i, I) or (T_i,); or `rnnkit.Sequences`. Numbers alone.
        y : None
            Not looked at; here for pipelines and searches.
        sample_weight : array-like of shape (N,), default=None
            Weight of every sequence in the loss, and in what is learnt beside the network.
        validation_data : array-like, data frame, list, Sequences, or tuple, default=None
            Sequences that decide when to stop (see `monitor`), in place of the part of the
            training data that `early_stopping` would set aside. A tuple is (X_val, y_val), of
            which y_val is not looked at.
        lengths : array-like of shape (N,) or "nan", default=None
            Steps of every sequence of a dense X; what lies beyond is never looked at. "nan": up
            to the last step that is not all NaN, in X_val too.
        X_val : array-like, default=None
            `validation_data` under the name by which a Pipeline can transform it: see
            `transform_input` there.

        Returns
        -------
        self

        Raises
        ------
        ValueError, TypeError
            If a parameter, X or another argument is not what is allowed. The estimator stays as
            it was.

        Warns
        -----
        ConvergenceWarning
            If `max_iter` epochs did not suffice, or the loss stopped being finite.
        UserWarning
            If X, or X_val beside it, looks laid out or scaled in another way than it was read.
        """
        check_parameters(self)
        told = X, y, sample_weight, lengths
        with learning_watched(self, "fit", self.max_iter, *told) as (draft, watcher):
            if X_val is not None and validation_data is not None:
                raise ValueError("Give validation_data or X_val, not both")
            others = validation_data if X_val is None else X_val
            draft._fit(X, None, sample_weight, others, lengths, watcher)
        return self

    @available_if(trains_in_minibatches)
    @takes_device_arrays
    def partial_fit(
        self, X: Any, y: Any = None, sample_weight: Any = None, lengths: Any = None
    ) -> Any:
        """Train for one more epoch on the given sequences.

        The solver goes on from where the last call of `partial_fit` left it, as long as no
        parameter changed; `fit` starts anew. What is learnt beside the network is of the
        sequences given last.

        Parameters
        ----------
        X, y, sample_weight, lengths
            As in `fit`.

        Returns
        -------
        self

        Raises
        ------
        ValueError, TypeError
            As in `fit`, and with `early_stopping`. The estimator stays as it was.
        """
        told = X, y, sample_weight, lengths
        with learning_watched(self, "partial_fit", 1, *told) as (draft, watcher):
            draft._partial_fit(X, None, sample_weight, lengths, watcher)
        return self

    # Reading: what a sequence should give is the sequence itself.

    def _refuse_no_targets(self, y: Any) -> None:
        return None

    def _read_targets(
        self, y: Any, sequences: Sequences, form: Form, ignore_label: Any
    ) -> tuple[Sequences, Form]:
        return sequences, form

    def _learn_codec(self, targets: tuple[Sequences, Form], classes: Any) -> Codec:
        return OwnSteps.of(*targets)

    def _make_examples(
        self,
        codec: Codec,
        output: Output,
        sequences: Sequences,
        form: Form,
        targets: Any,
        sample_weight: Any,
        *,
        strict: bool = True,
    ) -> Examples:
        weights = read_weights(sample_weight, sequences, form, per_step=False)
        if weights is not None:
            weights = np.repeat(weights, sequences.lengths)
        return Examples(
            sequences, codec.encode(sequences.values, strict=strict), weights, True, True
        )

    def _read_validation(
        self, reader: Reader, codec: Codec, output: Output, validation_data: Any, lengths: Any
    ) -> Examples | None:
        if validation_data is None:
            return None
        if isinstance(validation_data, tuple):
            if len(validation_data) != 2:
                raise ValueError(
                    "validation_data must be sequences X_val or a tuple (X_val, y_val), got a "
                    f"tuple of {len(validation_data)}"
                )
            validation_data = validation_data[0]
        is_rule = isinstance(lengths, str) and Form.of(validation_data).is_dense
        return self._read_examples(
            reader, codec, output, validation_data, None, None, lengths if is_rule else None
        )

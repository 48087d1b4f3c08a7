"""What an autoencoder is constructed with, and how it learns.

Letters: N sequences, T steps, ΣT steps of all sequences, I features of a step, C numbers of a code.
"""

from __future__ import annotations

from collections.abc import Sized
from dataclasses import replace
from numbers import Real
from typing import Any, ClassVar

import numpy as np
from sklearn.utils._param_validation import StrOptions
from sklearn.utils.metaestimators import available_if

from rnnkit.estimators.applying import apply
from rnnkit.estimators.autoencoder.codecs import OwnSteps
from rnnkit.estimators.base import RecurrentEstimator
from rnnkit.estimators.codecs import Codec
from rnnkit.estimators.devices import takes_device_arrays
from rnnkit.estimators.examples import Examples
from rnnkit.estimators.fitting import trains_in_minibatches
from rnnkit.estimators.parameters.checks import check_parameters
from rnnkit.estimators.parameters.field import (
    NON_NEGATIVE,
    Number,
    Widths,
    fixed,
    integer,
    like,
    parameter,
    parameters,
)
from rnnkit.estimators.parameters.network import PoolingParameters
from rnnkit.estimators.parameters.training import TrainingParameters
from rnnkit.estimators.reader import Reader
from rnnkit.estimators.targets import read_weights
from rnnkit.estimators.watching import learning_watched
from rnnkit.network import Network, Output
from rnnkit.network.building import build_autoencoder
from rnnkit.network.losses import SquaredError
from rnnkit.sequences import Form, Sequences
from rnnkit.training import FitResult

__all__ = ["AutoencoderLearning", "largest_errors_begin", "mean_of_steps", "step_errors"]


@parameters
@fixed(
    embedding_dim=None,
    categorical_features=None,
    embedding_init=None,
    embedding_trainable=True,
    n_tokens=None,
    static="steps",
    static_features=None,
    token_dropout=0.0,
    spelling_columns=0,
    character_dim=16,
    character_hidden_size=32,
    convolution_join="before",
    bptt_steps=None,
    validation_split="random",
)
class AutoencoderLearning(PoolingParameters, RecurrentEstimator):
    """What learns to give sequences back from a vector each: its parameters and its training."""

    _writes_steps: ClassVar[bool] = True
    _build_layers: ClassVar[Any] = staticmethod(build_autoencoder)
    _batches_of_an_epoch: ClassVar[int] = 8
    _attributes: ClassVar[tuple[str, ...]] = (
        "offset_",
        *(name for name in RecurrentEstimator._attributes if name != "n_outputs_"),
    )

    hidden_size: Any = parameter(
        64,
        [integer(1), Widths(1)],
        "int or tuple of int",
        "Hidden units H of every layer and direction; a tuple has an entry for each layer of what "
        "reads, first to last, and what writes has them in reverse.",
        part="network",
        positional=True,
    )
    code_size: int = parameter(
        16,
        [integer(1)],
        "int",
        "Numbers C of a code.",
        part="network",
    )
    contamination: float = parameter(
        0.1,
        [Number(Real, 0, 0.5, closed="right")],
        "float",
        "Share of the sequences trained on that `predict` calls outliers, in (0, 0.5]. It decides "
        "`offset_` and nothing else.",
    )

    input_noise: float = parameter(
        0.2,
        [NON_NEGATIVE],
        "float",
        "Standard deviation of the Gaussian noise added in training to what is read, in units of "
        "each feature's in the training data; what is to be given back is undisturbed. So a code "
        "keeps what sequences have in common, and less of each.",
        part="network",
    )
    batch_size: Any = parameter(
        "auto",
        [StrOptions({"auto"}), integer(1)],
        'int or "auto"',
        'Sequences B of a minibatch. "auto" is an 8th of all, but at least 8 and at most 64: to '
        "give much back from little takes many updates.",
    )
    learning_rate: Any = like("learning_rate", TrainingParameters, default="cosine")

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
            Weight of every sequence in the loss and in `offset_`.
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
        parameter changed; `fit` starts anew. `offset_` is that of the sequences given last.

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

    def _make_output(self, codec: Codec) -> Output:
        return SquaredError(codec.width)

    def _fit_output(self, output: Output, examples: Examples, last: Output | None) -> Output:
        assert isinstance(output, SquaredError)
        if isinstance(last, SquaredError):
            return replace(output, center=last.center, scale=last.scale)
        standardized: Output = output.standardized(examples.targets, examples.weights)
        return standardized

    # What is learnt beside the network.

    def _record(
        self,
        reader: Reader,
        codec: Codec,
        network: Network,
        result: FitResult,
        examples: Sized,
        *,
        anew: bool,
    ) -> None:
        super()._record(reader, codec, network, result, examples, anew=anew)
        self.offset_ = float("nan")  # of weights from elsewhere
        if isinstance(examples, Examples):
            errors = mean_of_steps(
                self._errors(network, reader, examples.sequences), examples.sequences
            )
            weights = examples.weights
            if weights is not None:
                weights = weights[examples.sequences.offsets[:-1]]
            self.offset_ = -largest_errors_begin(errors, self.contamination, weights)

    def _errors(self, network: Network, reader: Reader, sequences: Sequences) -> np.ndarray:
        """Return the error (ΣT,) of every step, float64."""
        scores = apply(
            network,
            self.device,
            reader.inputs(sequences),
            sequences.offsets,
            lambda bound, plan, x: bound.forward(plan, x),
            per_step=True,
        )
        return step_errors(network.output, scores, sequences.values)


def step_errors(output: Output, scores: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Return the mean over the features of ((x̂ - x) / σ)², (ΣT,) float64.

    Parameters
    ----------
    output : SquaredError
        Which knows σ, the standard deviation of each feature of the training data.
    scores : ndarray of shape (ΣT, I)
        Raw scores of x̂.
    values : ndarray of shape (ΣT, I)
        x.
    """
    errors = scores - output.to_scores(np.asarray(values, np.float64))
    return np.asarray(np.einsum("ij,ij->i", errors, errors) / errors.shape[1])


def mean_of_steps(errors: np.ndarray, sequences: Sequences) -> np.ndarray:
    """Return the mean (N,) of the errors (ΣT,) of each sequence's steps."""
    sums: np.ndarray = np.add.reduceat(errors, sequences.offsets[:-1])
    return np.asarray(sums / sequences.lengths)


def largest_errors_begin(
    errors: np.ndarray, share: float, weights: np.ndarray | None = None
) -> float:
    """Return a number above which lie so large a share of errors as comes nearest to `share`.

    It is the middle between two errors that follow each other, or the largest if none is above.
    Whether an error counts twice or stands there twice is one and the same.
    """
    weights = np.ones(len(errors)) if weights is None else weights
    levels, places = np.unique(errors[weights > 0], return_inverse=True)
    counts = np.bincount(places, weights[weights > 0])
    above = counts.sum() - np.cumsum(counts)  # the weight of what is larger than each
    place = int(np.argmin(np.abs(above - share * counts.sum())))
    following = min(place + 1, len(levels) - 1)
    return float(0.5 * levels[place] + 0.5 * levels[following])

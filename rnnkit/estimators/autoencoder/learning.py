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

from rnnkit.estimators.applying import apply
from rnnkit.estimators.codecs import Codec
from rnnkit.estimators.examples import Examples
from rnnkit.estimators.own_steps import OwnStepsLearning
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
from rnnkit.network import Network, Output
from rnnkit.network.building import build_autoencoder
from rnnkit.network.losses import SquaredError
from rnnkit.sequences import Sequences
from rnnkit.training import FitResult

__all__ = ["AutoencoderLearning", "largest_errors_begin", "mean_of_steps", "step_errors"]


@parameters
@fixed(bptt_steps=None, validation_split="random")
class AutoencoderLearning(PoolingParameters, OwnStepsLearning):
    """What learns to give sequences back from a vector each: its parameters and its training."""

    _build_layers: ClassVar[Any] = staticmethod(build_autoencoder)
    _batches_of_an_epoch: ClassVar[int] = 8
    _attributes: ClassVar[tuple[str, ...]] = (
        "offset_",
        *(name for name in OwnStepsLearning._attributes if name != "n_outputs_"),
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

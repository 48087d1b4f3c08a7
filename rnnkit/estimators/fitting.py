"""From examples to training: the trainer that parameters ask for, its data, and the split."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import train_test_split

from rnnkit.backends.interface import Backend
from rnnkit.estimators.examples import Examples
from rnnkit.estimators.parameters.field import values_for
from rnnkit.estimators.reader import Reader
from rnnkit.estimators.targets import moderate
from rnnkit.network import Network
from rnnkit.sequences.numbers import cast
from rnnkit.training import (
    LBFGS,
    Cosine,
    FitResult,
    Linear,
    PrintProgress,
    Trainer,
    TrainingData,
    TrainingState,
    make_schedule,
    make_solver,
)

__all__ = [
    "make_trainer",
    "split",
    "training_data",
    "trains_in_minibatches",
    "warn_of",
]

AUTO_BATCH_SIZE = 64  # sequences


def trains_in_minibatches(estimator: Any) -> bool:
    """Whether an estimator's solver does; AttributeError if not, for `available_if`."""
    if isinstance(make_solver(estimator.solver), LBFGS):
        raise AttributeError("partial_fit needs a solver that trains in minibatches, not lbfgs")
    return True


def make_trainer(
    estimator: Any,
    network: Network,
    backend: Backend,
    n_sequences: int,
    rng: Any,
    state: TrainingState | None = None,
) -> Trainer:
    """Return the trainer that an estimator's parameters ask for, which may go on from a state."""
    batch_size = AUTO_BATCH_SIZE if estimator.batch_size == "auto" else estimator.batch_size
    return Trainer(
        network,
        backend,
        estimator.solver,
        schedule=estimator.learning_rate,
        batch_size=min(batch_size, n_sequences),
        random_state=rng,
        callbacks=[PrintProgress()] if estimator.verbose else [],
        state=state,
        **values_for(estimator, "training"),
    )


def training_data(
    examples: Examples, reader: Reader, network: Network, class_weights: np.ndarray | None
) -> TrainingData:
    """Return examples as the trainer takes them, in the network's dtype.

    `class_weights` are one per target, or None for ones.
    """
    weights = examples.weights
    if class_weights is not None:
        weights = class_weights if weights is None else weights * class_weights
    if weights is not None:
        weights = moderate(weights)
        weights = cast(weights, network.dtype, "sample_weight")
    targets = network.output.to_scores(examples.targets)
    if targets.dtype.kind == "f":
        targets = cast(targets, network.dtype, "y")
    inputs = reader.inputs(examples.sequences)
    return TrainingData(inputs, examples.sequences.offsets, targets, weights)


def split(
    examples: Examples, strata: np.ndarray | None, fraction: float, rng: np.random.RandomState
) -> tuple[Examples, Examples]:
    """Set aside a part of the examples for validation.

    Raises
    ------
    ValueError
        If fewer than two would be left for it.
    """
    train, test = train_test_split(
        np.arange(len(examples)), test_size=fraction, random_state=rng, stratify=strata
    )
    if len(test) < 2:
        raise ValueError(
            f"validation_fraction={fraction!r} of {len(examples)} sequences "
            "leaves fewer than 2 for validation; increase it or give validation_data"
        )
    return examples.take(train), examples.take(test)


def warn_of(result: FitResult, learning_rate: Any, stacklevel: int) -> None:
    """Say why a training ended, where that is no success."""
    if result.reason == "interrupted":
        warnings.warn("Training interrupted by user.", stacklevel=stacklevel)
    planned = isinstance(make_schedule(learning_rate), (Linear, Cosine))
    if result.reason == "non_finite" or (result.reason == "max_iter" and not planned):
        warnings.warn(result.message, ConvergenceWarning, stacklevel=stacklevel)

"""From examples to training: the trainer that parameters ask for, its data, and the split."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import train_test_split

from rnnkit.backends.interface import Backend
from rnnkit.estimators.codecs import Codec
from rnnkit.estimators.examples import Examples
from rnnkit.estimators.parameters.field import values_for
from rnnkit.estimators.reader import Reader
from rnnkit.estimators.targets import moderate
from rnnkit.estimators.telling import tell
from rnnkit.network import Network, Output
from rnnkit.sequences.numbers import cast
from rnnkit.training import (
    LBFGS,
    FitResult,
    Solver,
    Trainer,
    TrainingData,
    TrainingState,
    make_schedule,
    make_solver,
)

__all__ = [
    "batch_size_of",
    "make_trainer",
    "set_aside",
    "solver_of",
    "training_data",
    "trains_in_minibatches",
    "warn_of",
    "warn_of_nothing_learnt",
]

SMALLEST_VALIDATION = 24  # sequences, if they are a third at most
# Training has not stalled before so many updates without improvement and so many in all.
N_UPDATES_NO_CHANGE = 300
MIN_UPDATES = 1000
ENOUGH_UPDATES = 100  # to have learnt something


def trains_in_minibatches(estimator: Any) -> bool:
    """Whether an estimator's solver does; AttributeError if not, for `available_if`."""
    if isinstance(solver_of(estimator), LBFGS):
        raise AttributeError("partial_fit needs a solver that trains in minibatches, not lbfgs")
    return True


def solver_of(estimator: Any) -> Solver | LBFGS:
    """Return the solver that an estimator's parameters ask for; None asks for that of its task."""
    return make_solver(estimator._usual_solver if estimator.solver is None else estimator.solver)


def batch_size_of(estimator: Any, n_sequences: int) -> int:
    """Return how many of so many sequences an estimator's parameters put in a minibatch."""
    if estimator.batch_size == "auto":
        size: int = estimator._auto_batch_size(n_sequences)
        return size
    return min(int(estimator.batch_size), n_sequences)


def make_trainer(
    estimator: Any,
    network: Network,
    backend: Backend,
    n_sequences: int,
    rng: Any,
    state: TrainingState | None = None,
) -> Trainer:
    """Return the trainer that an estimator's parameters ask for, which may go on from a state.

    Beside an estimator's ranks it trains with them, from where they stand.
    """
    ranks = estimator._ranks
    if ranks is not None:
        state = ranks.state
    return Trainer(
        network,
        backend,
        solver_of(estimator),
        schedule=estimator.learning_rate,
        batch_size=batch_size_of(estimator, n_sequences),
        random_state=rng,
        state=state,
        communicator=None if ranks is None else ranks.communicator,
        n_updates_no_change=N_UPDATES_NO_CHANGE,
        min_updates=MIN_UPDATES,
        **values_for(estimator, "training"),
    )


def training_data(
    examples: Examples, reader: Reader, network: Network, class_weights: np.ndarray | None
) -> TrainingData:
    """Return examples as the trainer takes them, in the network's dtype.

    `class_weights` are one per target, or None for ones.
    """
    weights = examples.weights
    if examples.labelled is not None and network.output.weights_per_sequence:
        weights = _weights_of_sequences(examples)
    elif examples.labelled is not None:
        weights = examples.weights_of_targets
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


def _weights_of_sequences(examples: Examples) -> np.ndarray | None:
    """Return the weights of sequences: 0 for those that have no target at all to tell of."""
    assert examples.labelled is not None
    some = np.logical_or.reduceat(examples.labelled, examples.sequences.offsets[:-1])
    if some.all():
        return examples.weights
    return some * (1.0 if examples.weights is None else examples.weights)


def set_aside(
    estimator: Any, examples: Examples, codec: Codec, rng: np.random.RandomState
) -> tuple[Examples, Examples]:
    """Return the examples to train on and those that decide when to stop.

    Raises
    ------
    ValueError
        If a part would have too few sequences or steps, or no weight.
    """
    fraction = estimator.validation_fraction
    if estimator.validation_split == "time":
        parts = _split_by_time(examples, fraction)
    elif examples.n_last:
        n_first = len(examples) - examples.n_last
        parts = (
            examples.take(np.arange(n_first)),
            examples.take(np.arange(n_first, len(examples))),
        )
    else:
        strata = None if examples.targets_per_step else codec.strata(examples.targets)
        parts = _split_at_random(examples, strata, fraction, rng)
    for part, name in zip(parts, ("training", "validation")):
        weights = part.weights_of_targets
        if weights is not None and not np.all(weights.sum(axis=0) > 0):
            what = "sample_weight" if examples.labelled is None else "labelled step with a weight"
            raise ValueError(
                f"the {name} part that validation_fraction={fraction!r} leaves has no {what} "
                "above 0; give validation_data"
            )
    return parts


def _split_by_time(examples: Examples, fraction: float) -> tuple[Examples, Examples]:
    """Return the first steps of all sequences, and all their steps, of which the last count."""
    lengths = examples.sequences.lengths
    n_last = np.minimum(np.maximum(np.rint(fraction * lengths).astype(np.intp), 1), lengths - 1)
    if not n_last.any():
        raise ValueError("validation_split='time' needs a sequence of at least 2 steps, all have 1")
    places = np.arange(examples.sequences.offsets[-1])
    first_last = np.repeat(examples.sequences.offsets[1:] - n_last, lengths)
    counts = (places >= first_last).astype(np.float64)
    if examples.weights is not None:
        counts *= examples.weights
    return examples.first_steps(lengths - n_last), replace(examples, weights=counts)


def _split_at_random(
    examples: Examples, strata: np.ndarray | None, fraction: float, rng: np.random.RandomState
) -> tuple[Examples, Examples]:
    n = len(examples)
    n_validation = max(round(fraction * n), min(SMALLEST_VALIDATION, n // 3))
    if n_validation < 2 or n - n_validation < 2:
        raise ValueError(
            f"validation_fraction={fraction!r} of {n} sequences leaves fewer than 2 for "
            "validation or for training; give validation_data"
        )
    if strata is not None and not _can_stratify(strata, n_validation):
        strata = None
    train, validation = train_test_split(
        np.arange(n), test_size=n_validation, random_state=rng, stratify=strata
    )
    return examples.take(train), examples.take(validation)


def _can_stratify(strata: np.ndarray, n_validation: int) -> bool:
    """Whether every class can be in both parts."""
    counts = np.unique(strata, return_counts=True)[1]
    return bool(counts.min() >= 2 and n_validation >= len(counts) <= len(strata) - n_validation)


def warn_of(result: FitResult, learning_rate: Any) -> None:
    """Say why a training ended, where that is no success."""
    if result.reason == "interrupted":
        tell("Training interrupted by user.", UserWarning)
    planned = make_schedule(learning_rate).is_planned
    unsuccessful = ("non_finite", "no_step")
    if result.reason in unsuccessful or (result.reason == "max_iter" and not planned):
        tell(result.message, ConvergenceWarning, subject=result.reason)


def warn_of_nothing_learnt(
    result: FitResult,
    n_updates: int,
    output: Output,
    targets: np.ndarray,
    weights: np.ndarray | None,
) -> None:
    """Say so if a training of some length ends no better than the best constant."""
    if n_updates < ENOUGH_UPDATES or not result.loss_curve or result.reason == "non_finite":
        return
    constant = output.constant_loss(targets, weights)
    if constant is None:
        return
    constant *= output.loss_unit
    best = min(result.loss_curve)
    if best > constant - 0.01 * abs(constant):
        tell(
            f"Nothing was learnt: the smallest loss, {best:.6g}, is about that of the best "
            f"constant, {constant:.6g}. Try scaled inputs (rnnkit.preprocessing.SequenceScaler), "
            "another learning_rate_init, more epochs, or for long sequences gate_bias='chrono'.",
            ConvergenceWarning,
            subject="nothing learnt",
        )

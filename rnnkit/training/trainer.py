"""The training loop: minibatches through forward, loss, backward, clipping and update."""

from __future__ import annotations

import copy
import math
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import optimize

from rnnkit.backends.interface import Array, Backend
from rnnkit.network.network import Network
from rnnkit.sequences import Batch, batch_of, minibatches, windows
from rnnkit.training.callbacks import Callback
from rnnkit.training.optimizers import LBFGS, Solver, make_solver
from rnnkit.training.schedules import Schedule, make_schedule
from rnnkit.training.stopping import Progress

__all__ = ["FitResult", "Trainer", "TrainingData"]


@dataclass(frozen=True)
class TrainingData:
    """Flat training data: n sequences, their ΣT steps one after the other.

    Attributes
    ----------
    values : ndarray of shape (ΣT, I), or tuple
        Numeric steps in the network's dtype; for a network with token inputs the tuple
        ``(tokens (ΣT, C) intp, numeric (ΣT, I) or None)``.
    offsets : ndarray of shape (n + 1,), intp
        Sequence s owns the rows ``offsets[s]:offsets[s + 1]``.
    targets : ndarray of shape (n, ...) or (ΣT, ...)
        One per sequence, or one per step where the network answers per step (unless its output
        has `targets_per_sequence`): class indices as intp, numbers in the network's dtype, for
        CTC an object array of label arrays.
    weights : ndarray of shape (n,) or (ΣT,), default=None
        In the network's dtype, one per target, or one per sequence if the network's output has
        `weights_per_sequence`. None means ones.
    """

    values: Any
    offsets: np.ndarray
    targets: np.ndarray
    weights: np.ndarray | None = None


@dataclass(frozen=True)
class FitResult:
    """What a call of `Trainer.fit` did.

    Attributes
    ----------
    n_epochs : int
        Epochs completed in this call.
    reason : str
        "max_iter": all epochs were run; "converged": progress stalled; "callback": a callback
        asked for the end; "interrupted": KeyboardInterrupt; "non_finite": a loss or gradient
        was not finite, and the weights are those of the last finite epoch.
    message : str
        One sentence that says so with the figures.
    loss_curve : list of float
        Mean training loss of each completed epoch, penalties included.
    best_loss : float
        Smallest training loss since the trainer was made.
    validation_scores : list of float or None
        Score after each completed epoch; None without validation.
    best_validation_score : float or None
        Largest of the scores since the trainer was made; its weights were restored.
    """

    n_epochs: int
    reason: str
    message: str
    loss_curve: list[float]
    best_loss: float
    validation_scores: list[float] | None
    best_validation_score: float | None


class Trainer:
    """Train a network on a backend, in place.

    A trainer keeps the solver's state, the schedule's progress and the random state between
    calls of `fit`, so that a later call goes on where the last one ended. It is not meant to
    be pickled.

    Parameters
    ----------
    network : Network
        Initialized; its parameters are changed in place.
    backend : Backend
        What computes.
    solver : str, Solver or LBFGS, default="adam"
        The update rule.
    learning_rate_init : float, default=1e-3
        The rate that the schedule starts from.
    schedule : str or Schedule, default="constant"
        The learning-rate schedule.
    batch_size : int, default=200
        Sequences of a minibatch; clipped to the number of sequences.
    shuffle : bool, default=True
        Whether every epoch visits the sequences in a new order.
    alpha, l1 : float, default=0.0
        Strength of the L2 and L1 penalty on every matrix (not on biases). As in scikit-learn's
        `MLPClassifier`, ``alpha / 2 ||w||²`` and ``l1 |w|`` are divided by the minibatch's sum
        of weights.
    clip_norm : float or None, default=1.0
        Largest 2-norm of the gradient.
    clip_value : float or None, default=None
        Largest absolute value of an entry of the gradient; applied before `clip_norm`.
    bptt_steps : int or None, default=None
        Window of truncated backpropagation: sequences are cut into windows of so many steps,
        states are carried over a cut, gradients are not, and every window that has a loss makes
        an update.
    tol : float, default=1e-4
        Smallest change of the loss or validation score that counts as progress.
    n_iter_no_change : int, default=10
        Progress has stalled after more than this many epochs in a row without it.
    random_state : numpy.random.RandomState, default=None
        Shuffles, and seeds the noise of dropout. None takes a fresh one.
    callbacks : sequence of Callback, default=()
        Told of every epoch's end.
    max_activation_bytes : int, default=4 GiB
        A minibatch whose saved activations would take more (estimated) is computed in parts
        whose gradients are added up.

    Attributes
    ----------
    n_epochs : int
        Epochs completed since the trainer was made.
    n_seen : int
        Sequences trained on since the trainer was made.

    Raises
    ------
    ValueError
        If an argument is out of range, or truncated backpropagation is asked of a network that
        cannot carry its state over a cut.
    """

    def __init__(
        self,
        network: Network,
        backend: Backend,
        solver: str | Solver | LBFGS = "adam",
        *,
        learning_rate_init: float = 1e-3,
        schedule: str | Schedule = "constant",
        batch_size: int = 200,
        shuffle: bool = True,
        alpha: float = 0.0,
        l1: float = 0.0,
        clip_norm: float | None = 1.0,
        clip_value: float | None = None,
        bptt_steps: int | None = None,
        tol: float = 1e-4,
        n_iter_no_change: int = 10,
        random_state: np.random.RandomState | None = None,
        callbacks: Sequence[Callback] = (),
        max_activation_bytes: int = 2**32,
    ) -> None:
        ...

    def fit(
        self,
        data: TrainingData,
        n_epochs: int,
        validate: Callable[[], float] | None = None,
        *,
        schedule_epochs: int | None = None,
    ) -> FitResult:
        """Run epochs until `n_epochs`, stalled progress, or another reason to end.

        Parameters
        ----------
        data : TrainingData
            What to train on.
        n_epochs : int
            Largest number of epochs of this call.
        validate : callable, default=None
            Called without arguments after every epoch; returns a score, larger is better, of
            the network as it then is. With it, stalled progress is judged by the score and the
            weights of the best score are restored at the end; otherwise by the training loss.
        schedule_epochs : int, default=None
            Number of epochs that the schedule spans, counted from the trainer's first; None
            means those before this call and `n_epochs`.

        Returns
        -------
        FitResult
            Never raises for a loss that is not finite or a KeyboardInterrupt: see its `reason`.
        """
        ...

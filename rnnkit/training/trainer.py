"""The trainer: what a training is made of, and a call of fit as a whole or not at all."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np

from rnnkit.backends.interface import Backend
from rnnkit.network.memory import bytes_per_row
from rnnkit.network.network import Network
from rnnkit.ownership import Owner
from rnnkit.training.callbacks import Callback
from rnnkit.training.communicator import Alone, Communicator
from rnnkit.training.data import TrainingData
from rnnkit.training.epochs import EpochLoop
from rnnkit.training.lbfgs import minimize
from rnnkit.training.objective import Objective
from rnnkit.training.optimizers import LBFGS, Solver, make_solver
from rnnkit.training.result import Ending, FitResult
from rnnkit.training.schedules import Schedule, make_schedule
from rnnkit.training.state import Run, TrainingState
from rnnkit.training.truncation import check_truncation
from rnnkit.training.turns import UpdaterInTurn
from rnnkit.training.updater import Updater
from rnnkit.training.watch import NotFiniteError, Validation, Watch

__all__ = ["Trainer"]


class Trainer:
    """Train a network on a backend, in place.

    A trainer keeps the solver's state, the schedule's progress and the random state between
    calls of `fit`, so that a later call goes on where the last one ended. It is not meant to
    be pickled: `state` is.

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
    monitor : {"score", "loss"}, default="score"
        What decides of what validation gives: a score, larger is better, or a loss.
    tol : float, default=1e-4
        Smallest change that counts as progress: of a loss in units of the first epoch's, of a
        validation score as it is. A schedule that is planned to its end is not cut short.
    n_iter_no_change : int, default=10
        Progress has stalled after more than this many epochs in a row without it.
    n_updates_no_change, min_updates : int, default=0
        And after at least so many updates without it, and so many in all: an epoch may be a
        single update.
    random_state : numpy.random.RandomState, default=None
        Shuffles, and seeds the noise of dropout. None takes a fresh one.
    callbacks : sequence of Callback, default=()
        Told of every epoch's end.
    max_activation_bytes : int, default=4 GiB
        A minibatch whose saved activations would take more (estimated) is computed in parts
        whose gradients are added up.
    communicator : Communicator, default=None
        Joins trainers of other ranks, whose networks and arguments are equal, but for the data and
        the random state. None: there are no others.
    state : TrainingState, default=None
        Where to go on from, as given by `state` of a trainer of an equal network with the same
        arguments. Replaces the network's parameters; `random_state` is not looked at.

    Raises
    ------
    ValueError
        If an argument is out of range, `state` is of another network or solver, truncated
        backpropagation is asked of a network that cannot carry its state over a cut, or other
        ranks, or L-BFGS, of one that mixes the sequences of a minibatch.
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
        monitor: str = "score",
        tol: float = 1e-4,
        n_iter_no_change: int = 10,
        n_updates_no_change: int = 0,
        min_updates: int = 0,
        random_state: np.random.RandomState | None = None,
        callbacks: Sequence[Callback] = (),
        max_activation_bytes: int = 2**32,
        communicator: Communicator | None = None,
        state: TrainingState | None = None,
    ) -> None:
        _check_positive("learning_rate_init", learning_rate_init)
        _check_positive("batch_size", batch_size)
        for name, value in (
            ("clip_norm", clip_norm),
            ("clip_value", clip_value),
            ("bptt_steps", bptt_steps),
        ):
            if value is not None:
                _check_positive(name, value)
        if monitor not in ("score", "loss"):
            raise ValueError(f"monitor must be 'score' or 'loss', got {monitor!r}")
        self.network = network
        self.backend = backend
        self._solver = make_solver(solver)
        self._solver.check()
        schedule = copy.copy(make_schedule(schedule))
        schedule.check()
        if bptt_steps is not None:
            check_truncation(
                self._solver, bidirectional=not network.is_causal, output=type(network.output)
            )
        if any(layer.mixes_sequences for layer in network.layers) and (
            communicator is not None or isinstance(self._solver, LBFGS)
        ):
            raise ValueError(
                "a network with batch normalization learns from minibatches on one rank: without "
                "a communicator and not by L-BFGS"
            )
        self._learning_rate_init = learning_rate_init
        self._batch_size = batch_size
        self._shuffle = shuffle
        self._bptt_steps = bptt_steps
        self._monitor = monitor
        self._callbacks = tuple(callbacks)
        self._owner = Owner("Trainer")
        self._before: TrainingState | None = None
        self._max_rows = max(1, max_activation_bytes // bytes_per_row(network))
        self._communicator: Communicator = Alone() if communicator is None else communicator
        if random_state is None or state is not None:
            random_state = np.random.RandomState()
        self._run = Run(
            network.bind(backend, training=True),
            None if isinstance(self._solver, LBFGS) else self._solver,
            schedule,
            random_state,
            tol,
            n_iter_no_change,
            monitor,
            {"n_updates_no_change": n_updates_no_change, "min_updates": min_updates},
        )
        if state is not None:
            self._run.restore(state)
        updater: Any = UpdaterInTurn if self._run.bound.parts else Updater
        self._updater: Updater = updater(
            self._run.bound,
            self._run.solver,
            self._communicator,
            alpha=alpha,
            l1=l1,
            clip_norm=math.inf if clip_norm is None else clip_norm,
            clip_value=clip_value,
        )

    @property
    def n_epochs(self) -> int:
        """Epochs completed since the training began."""
        return self._run.n_epochs

    @property
    def n_seen(self) -> int:
        """Sequences trained on since the training began."""
        return self._run.n_seen

    def n_batches(self, n_sequences: int) -> int:
        """Return the minibatches of an epoch over so many sequences."""
        return -(-n_sequences // self._batch_size)

    def loss_of(self, data: TrainingData) -> Callable[[], float]:
        """Return a function that gives the mean loss on other data, as the network then is.

        For `validate`; without noise and penalties, and in the unit of raw scores. Of a `share`
        it is the loss of all ranks' data, which all of them have to ask for.

        Raises
        ------
        ValueError
            If no weight is positive.
        """
        share, total = data.share, self._communicator.total
        weights = data.weights if share is None else share.weights
        if weights is not None and not weights.sum() > 0:
            raise ValueError("the validation data must have a weight above 0")
        objective = Objective(self._run.bound, data, self._max_rows)
        if share is None:
            return objective.mean_loss

        def joined_loss() -> float:
            loss_sum, weight = objective.total_loss()
            return total(loss_sum) / total(weight)

        return joined_loss

    def state(self) -> TrainingState:
        """Return where the training stands, as data from which another trainer can go on.

        Raises
        ------
        RuntimeError
            If another thread is training.
        """
        with self._owner.shared_in_thread():
            return self._run.state()

    def fit(
        self,
        data: TrainingData,
        n_epochs: int,
        validate: Callable[[], float | Validation] | None = None,
        *,
        schedule_epochs: int | None = None,
        callbacks: Sequence[Callback] = (),
        fitted: Callable[[FitResult], Any] | None = None,
    ) -> FitResult:
        """Run epochs until `n_epochs`, stalled progress, or another reason to end.

        Parameters
        ----------
        data : TrainingData
            What to train on.
        n_epochs : int
            Largest number of epochs of this call.
        validate : callable, default=None
            Called without arguments after every epoch; returns what the network is worth as it
            then is: a score, larger is better, or a `Validation` of score and loss. With it,
            stalled progress is judged by the one that is monitored and the weights of its best
            value are restored at the end; otherwise by the training loss. It must return the
            same on all ranks.
        schedule_epochs : int, default=None
            Number of epochs that the schedule spans, counted from the trainer's first; None
            means those before this call and `n_epochs`.
        callbacks : sequence of Callback, default=()
            Told of every epoch of this call, beside those of the trainer.
        fitted : callable, default=None
            Called where a callback asks for `Epoch.fitted`, with the result as if the training
            ended there; returns a fitted estimator of the network as it then is.

        Returns
        -------
        FitResult
            Never raises for a loss that is not finite or a KeyboardInterrupt: see its `reason`.

        Raises
        ------
        ValueError
            If no weight is positive, or `validate` does not return what is monitored.
        RuntimeError
            If another call of `fit` is running.
        Exception
            Whatever the data, the backend, `validate` or a callback raises. Network and trainer
            are then as they were before the call.
        """
        weight = data.n_sequences if data.weights is None else float(data.weights.sum())
        if not self._communicator.total(weight) > 0:
            raise ValueError("weights must have a positive sum")
        with self._owner, self.undone_on_error() as before:
            watch = Watch(
                self._run,
                before.weights,
                self._communicator,
                (*self._callbacks, *callbacks),
                validate,
                self._monitor,
                fitted,
            )
            return self._fit(data, watch, n_epochs, schedule_epochs, before)

    @contextmanager
    def undone_on_error(self) -> Iterator[TrainingState]:
        """Take network and trainer back to where they are now if the body raises.

        Yields
        ------
        TrainingState
            Where they are, on the backend.
        """
        if self._before is not None:  # the body of another one
            yield self._before
            return
        self._before = before = self._run.state_on_backend()
        try:
            yield before
        except BaseException:
            self._run.restore(before)
            raise
        finally:
            self._before = None

    def take_weights(self, flat: np.ndarray) -> None:
        """Go on from other weights than the network has; flat (n_parameters,) is on the host."""
        if not np.array_equal(flat, self.network.parameters.flat):
            bound = self._run.bound
            bound.flat_parameters[...] = self.backend.xp.asarray(flat)
            bound.download()

    def _fit(
        self,
        data: TrainingData,
        watch: Watch,
        n_epochs: int,
        schedule_epochs: int | None,
        before: TrainingState,
    ) -> FitResult:
        run = self._run
        parameters = run.bound.flat_parameters
        objective = Objective(run.bound, data, self._max_rows)
        is_lbfgs = isinstance(self._solver, LBFGS)
        try:
            try:
                ending = self._train(data, objective, watch, n_epochs, schedule_epochs)
            except KeyboardInterrupt:
                ending = Ending("interrupted", "Training interrupted by user.")
                if is_lbfgs:  # which may have stood somewhere on a line search
                    parameters[...] = watch.latest
            if not is_lbfgs:  # which has seen the loss of the weights that it ends with
                self._require_finite(objective)
        except NotFiniteError as error:
            ending = watch.give_back_finite(error)
            if run.solver is not None and before.solver is not None:
                run.solver.restore(before.solver)
        if watch.validates and run.validation_progress.best_weights is not None:
            parameters[...] = run.validation_progress.best_weights
        run.bound.download()
        return watch.result(ending, None if watch.losses else self._loss_as_it_is(objective, data))

    def _train(
        self,
        data: TrainingData,
        objective: Objective,
        watch: Watch,
        n_epochs: int,
        schedule_epochs: int | None,
    ) -> Ending:
        run, others = self._run, self._communicator
        if isinstance(self._solver, LBFGS):
            solver, updater = self._solver, self._updater
            return minimize(solver, run, others, data, objective, updater, watch, n_epochs)
        loop = EpochLoop(
            run,
            others,
            data,
            objective,
            self._updater,
            learning_rate_init=self._learning_rate_init,
            batch_size=self._batch_size,
            shuffle=self._shuffle,
            bptt_steps=self._bptt_steps,
        )
        span = run.n_epochs + n_epochs if schedule_epochs is None else schedule_epochs
        return loop.train(watch, n_epochs, span)

    def _loss_as_it_is(self, objective: Objective, data: TrainingData) -> float:
        """Return the mean loss over the data of all ranks with the penalties, without noise."""
        total, updater = self._communicator.total, self._updater
        with np.errstate(all="ignore"):
            loss_sum, weight = objective.total_loss()
            updater.weight_sum = total(weight)
            loss_sum = updater.finish(loss_sum)
        return sum(self._run.bound.backend.to_floats([loss_sum])) / updater.weight_sum

    def _require_finite(self, objective: Objective) -> None:
        """Raise NotFiniteError if the network has no finite answer on one of the ranks."""
        if self._communicator.largest(not objective.is_finite()):
            raise NotFiniteError(
                f"Scores or loss are not finite after epoch {self.n_epochs}", from_the_start=True
            )


def _check_positive(name: str, value: float) -> None:
    if not (value > 0 and math.isfinite(value)):
        raise ValueError(f"{name} must be positive and finite, got {value!r}")

"""The training loop: minibatches through forward, loss, backward, clipping and update."""

from __future__ import annotations

import copy
import math
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np
from scipy import optimize

from rnnkit.backends.interface import Backend, Repeated, Scalar
from rnnkit.network.network import Network
from rnnkit.sequences import Batch, batch_of, minibatches
from rnnkit.training.callbacks import Callback
from rnnkit.training.objective import Objective, TrainingData, bytes_per_row
from rnnkit.training.optimizers import LBFGS, Solver, make_solver
from rnnkit.training.ordered_sums import ordered_sums
from rnnkit.training.schedules import Schedule, make_schedule
from rnnkit.training.stopping import Progress

__all__ = ["FitResult", "Trainer"]


@dataclass(frozen=True)
class FitResult:
    """What a call of `Trainer.fit` did.

    Parameters
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
        _check_positive("learning_rate_init", learning_rate_init)
        _check_positive("batch_size", batch_size)
        for name, value in (
            ("clip_norm", clip_norm),
            ("clip_value", clip_value),
            ("bptt_steps", bptt_steps),
        ):
            if value is not None:
                _check_positive(name, value)
        self.network = network
        self.backend = backend
        self.solver = make_solver(solver)
        self.solver.check()
        self.schedule = copy.copy(make_schedule(schedule))
        self.schedule.check()
        if bptt_steps is not None:
            _check_truncation(network, self.solver)
        self.learning_rate_init = learning_rate_init
        self.batch_size = batch_size
        self.shuffle = shuffle
        self.alpha = alpha
        self.l1 = l1
        self.clip_norm = math.inf if clip_norm is None else clip_norm
        self.clip_value = clip_value
        self.bptt_steps = bptt_steps
        self.random_state = np.random.RandomState() if random_state is None else random_state
        self.callbacks = tuple(callbacks)
        self.tol = tol
        self.n_iter_no_change = n_iter_no_change
        self.n_epochs = 0
        self.n_seen = 0
        self._noise_seed = int(self.random_state.randint(np.iinfo(np.int32).max))
        self._noise = _philox(self._noise_seed)
        self._max_rows = max(1, max_activation_bytes // bytes_per_row(network))
        self._loss_progress = Progress(tol, n_iter_no_change)
        self._score_progress = Progress(tol, n_iter_no_change)
        self._bound = network.bind(backend, training=True)
        self._state: Any = None  # the SolverState, made by the first call of fit
        self._last_finite: Any = None  # the parameters at the end of the last finite epoch

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

        Raises
        ------
        ValueError
            If no weight is positive.
        """
        if data.weights is not None and not data.weights.sum() > 0:
            raise ValueError("weights must have a positive sum")
        bound = self._bound
        history = _History()
        self._last_finite = bound.flat_parameters.copy()
        objective = Objective(bound, data, self.alpha, self.l1, self._max_rows)
        try:
            if isinstance(self.solver, LBFGS):
                with ordered_sums():
                    reason, message = self._fit_lbfgs(
                        self.solver, objective, data, n_epochs, validate, history
                    )
            else:
                if self._state is None:
                    self._state = self.solver.start(self.backend, bound.flat_parameters)
                span = self.n_epochs + n_epochs if schedule_epochs is None else schedule_epochs
                reason, message = self._fit_epochs(
                    objective, data, n_epochs, validate, span, history
                )
        except KeyboardInterrupt:
            reason, message = "interrupted", "Training interrupted by user."
            if isinstance(self.solver, LBFGS):  # which may have stood somewhere on a line search
                bound.flat_parameters[...] = self._last_finite
        except _NotFiniteError as error:
            reason, message = "non_finite", str(error)
            bound.flat_parameters[...] = self._last_finite
        best_weights = self._score_progress.best_weights
        if validate is not None and best_weights is not None:
            bound.flat_parameters[...] = best_weights
        bound.download()
        return FitResult(
            n_epochs=len(history.losses),
            reason=reason,
            message=message,
            loss_curve=history.losses,
            best_loss=-self._loss_progress.best,
            validation_scores=None if validate is None else history.scores,
            best_validation_score=None if validate is None else self._score_progress.best,
        )

    def _fit_epochs(
        self,
        objective: Objective,
        data: TrainingData,
        n_epochs: int,
        validate: Callable[[], float] | None,
        schedule_epochs: int,
        history: _History,
    ) -> tuple[str, str]:
        """Run epochs of minibatches; return the reason for the end and its message."""
        step = self.backend.repeated(partial(self._step, objective))
        for _ in range(n_epochs):
            started = time.perf_counter()
            loss, rate = self._epoch(objective, step, data, schedule_epochs)
            self.n_seen += data.n_sequences
            stalled, asked = self._end_epoch(loss, rate, started, validate, history)
            self.schedule.epoch_end(self.n_seen)
            if asked:
                return "callback", "A callback ended the training."
            if stalled:
                if self.schedule.plateau(self.learning_rate_init):
                    return "converged", self._stalled_message(validate)
                self._loss_progress.reset_patience()
                self._score_progress.reset_patience()
        return "max_iter", (
            f"Maximum number of epochs ({n_epochs}) reached and the optimization has not "
            "converged yet."
        )

    def _epoch(
        self, objective: Objective, step: Repeated, data: TrainingData, schedule_epochs: int
    ) -> tuple[float, float]:
        """Run one epoch; return its mean loss and the last learning rate."""
        n_batches = -(-data.n_sequences // self.batch_size)
        first = self.n_epochs * n_batches
        n_steps = schedule_epochs * n_batches
        updates = _Updates(self.backend, self.n_epochs + 1)
        rate = self.learning_rate_init
        rng = self.random_state if self.shuffle else None
        for number, batch in enumerate(minibatches(data.offsets, self.batch_size, rng)):
            rate = self.schedule.rate(first + number, n_steps, self.learning_rate_init)
            for loss, norm, weight in self._batch_updates(objective, step, batch, rate):
                updates.add(number + 1, loss, norm, weight)
        return updates.mean_loss(), rate

    def _batch_updates(
        self, objective: Objective, step: Repeated, batch: Batch, rate: float
    ) -> Iterable[tuple[Scalar, Scalar, float]]:
        """Make a minibatch's updates; give loss sum, gradient norm and sum of weights of each."""
        if self.bptt_steps is not None:
            return self._window_updates(objective, batch, self.bptt_steps, rate)
        weight = objective.choose(batch)
        if weight > 0:
            self._state.advance(rate)
            loss, norm = step(objective.repeatable_plan)
            return ((loss, norm, weight),)
        objective.add(self._noise)  # which is drawn whether anything is learned or not
        return ()

    def _window_updates(
        self, objective: Objective, batch: Batch, n_steps: int, rate: float
    ) -> Iterator[tuple[Scalar, Scalar, float]]:
        """Make the updates of a minibatch's windows, as `_batch_updates` does."""
        gradient = self._bound.flat_gradient
        gradient.fill(0)
        for loss, weight in objective.add_windows(batch, n_steps, self._noise):
            if weight > 0:
                self._state.advance(rate)
                loss, norm = self._update(objective, loss)
                yield loss, norm, weight
            gradient.fill(0)

    def _step(self, objective: Objective) -> tuple[Scalar, Scalar]:
        """Update by the whole gradient of the objective's minibatch, as `_update` does."""
        self._bound.flat_gradient.fill(0)
        return self._update(objective, objective.add(self._noise))

    def _update(self, objective: Objective, loss: Scalar) -> tuple[Scalar, Scalar]:
        """Clip the gradient and take a step; return loss sum with penalties and gradient norm."""
        bound = self._bound
        gradient = bound.flat_gradient
        penalty = objective.finish()
        if self.clip_value is not None:
            self.backend.xp.clip(gradient, -self.clip_value, self.clip_value, out=gradient)
        norm = self.backend.clip_norm(gradient, self.clip_norm)
        self._state.update(bound.flat_parameters, gradient)
        return loss + penalty, norm

    def _end_epoch(
        self,
        loss: float,
        rate: float,
        started: float,
        validate: Callable[[], float] | None,
        history: _History,
    ) -> tuple[bool, bool]:
        """Note an epoch; return whether progress has stalled and whether a callback ends it."""
        self.n_epochs += 1
        self._last_finite[...] = self._bound.flat_parameters
        history.losses.append(loss)
        logs = {"loss": loss, "learning_rate": rate}
        stalled = self._loss_progress.update(-loss)
        if validate is not None:
            self._bound.download()
            score = float(validate())
            history.scores.append(score)
            logs["validation_score"] = score
            stalled = self._score_progress.update(score, self._bound.flat_parameters)
        logs["seconds"] = time.perf_counter() - started
        answers = [callback.on_epoch_end(self.n_epochs, logs) for callback in self.callbacks]
        return stalled, any(answer is True for answer in answers)

    def _stalled_message(self, validate: Callable[[], float] | None) -> str:
        what = "Training loss" if validate is None else "Validation score"
        return (
            f"{what} did not improve more than tol={self.tol:f} for {self.n_iter_no_change} "
            "consecutive epochs."
        )

    def _fit_lbfgs(
        self,
        solver: LBFGS,
        objective: Objective,
        data: TrainingData,
        n_epochs: int,
        validate: Callable[[], float] | None,
        history: _History,
    ) -> tuple[str, str]:
        """Minimize over all sequences at once; return the reason for the end and its message."""
        parameters, gradient = self._bound.flat_parameters, self._bound.flat_gradient
        upload = self.backend.xp.asarray
        everything = batch_of(data.offsets, np.arange(data.n_sequences))
        end: list[tuple[str, str]] = []
        started = time.perf_counter()

        def loss_and_gradient(x: np.ndarray) -> tuple[float, np.ndarray]:
            parameters[...] = upload(x)
            gradient.fill(0)
            weight = objective.choose(everything)
            loss = objective.add(_philox(self._noise_seed))
            penalty = objective.finish()
            (total,) = self.backend.to_floats([loss + penalty])
            return total / weight, self.backend.download(gradient).astype(np.float64)

        def iteration_end(intermediate_result: optimize.OptimizeResult) -> None:
            nonlocal started
            parameters[...] = upload(intermediate_result.x)
            self.n_seen += data.n_sequences
            loss = float(intermediate_result.fun)
            stalled, asked = self._end_epoch(loss, 1.0, started, validate, history)
            started = time.perf_counter()
            if asked:
                end.append(("callback", "A callback ended the training."))
            elif stalled and validate is not None:
                end.append(("converged", self._stalled_message(validate)))
            if end:
                raise StopIteration

        result = optimize.minimize(
            loss_and_gradient,
            self.backend.download(parameters).astype(np.float64),
            method="L-BFGS-B",
            jac=True,
            callback=iteration_end,
            options={
                "maxiter": n_epochs,
                "maxfun": n_epochs * solver.max_line_search,
                "maxcor": solver.history,
                "maxls": solver.max_line_search,
                "gtol": solver.gradient_tolerance,
            },
        )
        if not (math.isfinite(result.fun) and np.isfinite(result.x).all()):
            raise _NotFiniteError(self.n_epochs + 1, 1)
        parameters[...] = upload(result.x)
        if end:
            return end[0]
        if result.status == 1:
            return "max_iter", f"L-BFGS reached its limit of {n_epochs} iterations."
        return "converged", f"L-BFGS ended: {result.message}"


class _Updates:
    """Losses and gradient norms of an epoch's updates.

    Floats are checked as they come. What lies on a GPU is asked for once, at the epoch's end: the
    weights are those of the epoch before, whichever update was the first that was not finite.
    """

    def __init__(self, backend: Backend, epoch: int) -> None:
        self._backend = backend
        self._epoch = epoch
        self._batches: list[int] = []
        self._losses: list[Scalar] = []
        self._norms: list[Scalar] = []
        self._weight_sum = 0.0

    def add(self, batch: int, loss: Scalar, norm: Scalar, weight: float) -> None:
        """Note an update's loss sum, gradient norm and sum of weights."""
        self._batches.append(batch)
        self._losses.append(loss)
        self._norms.append(norm)
        self._weight_sum += weight
        if isinstance(norm, float) and isinstance(loss, float):
            self._require_finite(batch, loss, norm)

    def mean_loss(self) -> float:
        """Return the mean loss of the epoch."""
        figures = self._backend.to_floats(self._losses + self._norms)
        losses, norms = figures[: len(self._losses)], figures[len(self._losses) :]
        loss_sum = 0.0
        for batch, loss, norm in zip(self._batches, losses, norms):
            self._require_finite(batch, loss, norm)
            loss_sum += loss
        return loss_sum / self._weight_sum

    def _require_finite(self, batch: int, loss: float, norm: float) -> None:
        if not (math.isfinite(norm) and math.isfinite(loss)):
            raise _NotFiniteError(self._epoch, batch)


@dataclass
class _History:
    """What a call of fit has noted at the end of its epochs."""

    losses: list[float] = field(default_factory=list)
    scores: list[float] = field(default_factory=list)


class _NotFiniteError(ArithmeticError):
    """A loss or gradient is infinite or not a number."""

    def __init__(self, epoch: int, batch: int) -> None:
        super().__init__(
            f"Loss or gradient is not finite in epoch {epoch}, minibatch {batch}; the weights of "
            "the last finite epoch are kept. Try a smaller learning rate or scaled inputs."
        )


def _philox(seed: int) -> np.random.Generator:
    return np.random.Generator(np.random.Philox(seed))


def _check_positive(name: str, value: float) -> None:
    if not (value > 0 and math.isfinite(value)):
        raise ValueError(f"{name} must be positive and finite, got {value!r}")


def _check_truncation(network: Network, solver: Solver | LBFGS) -> None:
    if not network.is_causal:
        raise ValueError("bptt_steps cannot be used with bidirectional layers")
    if network.output.whole_sequences:
        raise ValueError(
            f"bptt_steps cannot be used with {type(network.output).__name__}, whose loss needs "
            "whole sequences"
        )
    if isinstance(solver, LBFGS):
        raise ValueError("bptt_steps cannot be used with LBFGS, which takes all steps at once")

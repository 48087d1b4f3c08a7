"""The epoch loop: minibatches, one update after the other."""

from __future__ import annotations

import math
from collections.abc import Iterator
from itertools import chain, repeat
from typing import Any

import numpy as np

from rnnkit.backends.interface import Array, Backend, Repeated, Scalar
from rnnkit.sequences import Batch, batch_of, minibatches
from rnnkit.training.communicator import Communicator
from rnnkit.training.data import TrainingData
from rnnkit.training.objective import Objective
from rnnkit.training.result import Ending
from rnnkit.training.share import SharedNoise
from rnnkit.training.state import Run
from rnnkit.training.updater import Updater
from rnnkit.training.watch import NotFiniteError, Watch

__all__ = ["EpochLoop"]


class EpochLoop:
    """Epochs of minibatches over the data of one call of fit.

    Parameters
    ----------
    run : Run
        Changed in place.
    communicator : Communicator
    data : TrainingData
        The sequences of this rank.
    objective : Objective
        Of these data.
    updater : Updater
    learning_rate_init, batch_size, shuffle, bptt_steps
        As in `Trainer`.
    """

    def __init__(
        self,
        run: Run,
        communicator: Communicator,
        data: TrainingData,
        objective: Objective,
        updater: Updater,
        *,
        learning_rate_init: float,
        batch_size: int,
        shuffle: bool,
        bptt_steps: int | None,
    ) -> None:
        assert run.solver is not None
        self._run = run
        self._solver = run.solver
        self._communicator = communicator
        self._offsets = data.offsets
        self._objective = objective
        self._updater = updater
        self._base_rate = learning_rate_init
        self._batch_size = batch_size
        self._shuffling = run.random_state if shuffle else None
        self._bptt_steps = bptt_steps
        self._n_sequences = int(communicator.total(data.n_sequences))
        self._noise: Any = run.noise
        self._share = share = data.share
        if share is not None:
            self._n_batches = -(-self._n_sequences // batch_size)
            is_whole = bptt_steps is not None or share.most_rows(batch_size) <= objective.max_rows
            inputs = data.inputs
            self._shared_noise = SharedNoise(run.bound, share, inputs, is_whole, bptt_steps)
            return
        n_own = -(-data.n_sequences // batch_size)
        self._n_batches = communicator.largest(n_own)
        nothing = batch_of(data.offsets, np.empty(0, np.intp))
        self._missing_batches = [nothing] * (self._n_batches - n_own)

    def train(self, watch: Watch, n_epochs: int, schedule_epochs: int) -> Ending:
        """Run epochs until something ends them; the schedule spans `schedule_epochs`."""
        run, step = self._run, self._step_repeated()
        for _ in range(n_epochs):
            watch.begin_epoch()
            loss, rate = self._epoch(step, schedule_epochs)
            figures = self._updater.figures()
            stalled, ending = watch.end_epoch(loss, rate, self._n_sequences, figures)
            run.schedule.epoch_end(run.n_seen)
            if ending is not None:
                return ending
            if stalled and not run.schedule.is_planned:
                if run.schedule.plateau(self._base_rate):
                    return watch.stalled()
                run.loss_progress.reset_patience(self._solver.step)
                run.validation_progress.reset_patience(self._solver.step)
        if not self._updater.converges:
            return Ending("completed", f"All {n_epochs} epochs were run.")
        return Ending(
            "max_iter",
            f"Maximum number of epochs ({n_epochs}) reached and the optimization has not "
            "converged yet.",
        )

    def _epoch(self, step: Repeated, schedule_epochs: int) -> tuple[float, float]:
        """Run one epoch; return its mean loss and the last learning rate."""
        run = self._run
        first = run.n_epochs * self._n_batches
        n_steps = schedule_epochs * self._n_batches
        updates = _Updates(run.bound.backend, run.n_epochs + 1)
        rate = self._base_rate
        for number, (batch, weight) in enumerate(self._batches()):
            rate = run.schedule.rate(first + number, n_steps, self._base_rate)
            updates.batch = number + 1
            if self._bptt_steps is None:
                self._learn(step, batch, weight, rate, updates)
            else:
                self._learn_windows(batch, self._bptt_steps, rate, updates)
        return updates.mean_loss(run.bound.flat_parameters), rate

    def _batches(self) -> Iterator[tuple[Batch, float | None]]:
        """Yield an epoch's minibatches of this rank, and the weight of all ranks' if it is known.

        What a minibatch's noise is drawn from is set before it is yielded.
        """
        share, run = self._share, self._run
        if share is None:
            own = minibatches(self._offsets, self._batch_size, self._shuffling)
            for batch in chain(own, self._missing_batches):
                yield batch, None
            return
        self._shared_noise.begin_epoch(run.noise_seed, run.n_epochs)
        for joined in share.minibatches(self._offsets, self._batch_size, self._shuffling):
            self._noise = self._shared_noise.of(run.noise, joined)
            yield joined.own, joined.weight
            self._shared_noise.finish()

    def _learn(
        self, step: Repeated, batch: Batch, weight: float | None, rate: float, updates: _Updates
    ) -> None:
        """Make the update of a whole minibatch; `weight` is that of all ranks, if it is known."""
        objective = self._objective
        own_weight = objective.choose(batch)
        if weight is None:
            weight = self._communicator.total(own_weight)
        if weight > 0:
            self._updater.weight_sum = weight
            self._run.bound.n_updates = self._solver.step
            self._solver.advance(rate)
            loss, norm = step(objective.repeatable_plan)
            updates.add(loss, norm, weight)
        else:
            objective.add(self._noise)  # which is drawn whether anything is learned or not

    def _step_repeated(self) -> Repeated:
        """Return `_step` as the backend repeats it, if communicator and updater can be repeated.

        It is handed from call to call: kept here, it would hold on to its memory in a circle.
        """
        if self._communicator.is_repeatable and self._updater.is_repeatable:
            return self._run.bound.backend.repeated(self._step)
        return lambda plan: self._step()

    def _step(self) -> tuple[Scalar, Scalar]:
        """Update by the whole gradient of the minibatch chosen."""
        return self._updater.step(self._objective, self._noise)

    def _learn_windows(self, batch: Batch, n_steps: int, rate: float, updates: _Updates) -> None:
        """Make the updates of a minibatch's windows, as many as the longest of a rank has."""
        own = self._objective.add_windows(batch, n_steps, self._noise)
        n_own = -(-batch.plan.n_steps // n_steps)
        n_missing = self._communicator.largest(n_own) - n_own
        self._updater.clear()
        for loss, own_weight in chain(own, repeat((0.0, 0.0), n_missing)):
            weight = self._communicator.total(own_weight)
            if weight > 0:
                self._updater.weight_sum = weight
                self._solver.advance(rate)
                loss, norm = self._updater.update(loss)
                updates.add(loss, norm, weight)
            self._updater.clear()


class _Updates:
    """Losses and gradient norms of an epoch's updates.

    Floats are checked as they come. What lies on a GPU is asked for once, at the epoch's end: the
    weights are those of the epoch before, whichever update was the first that was not finite.
    `batch` is the number of the minibatch whose updates are added, from 1.
    """

    def __init__(self, backend: Backend, epoch: int) -> None:
        self._backend = backend
        self._epoch = epoch
        self.batch = 0
        self._batches: list[int] = []
        self._losses: list[Scalar] = []
        self._norms: list[Scalar] = []
        self._weight_sum = 0.0

    def add(self, loss: Scalar, norm: Scalar, weight: float) -> None:
        """Note an update's loss sum, gradient norm and sum of weights."""
        self._batches.append(self.batch)
        self._losses.append(loss)
        self._norms.append(norm)
        self._weight_sum += weight
        if isinstance(norm, float) and isinstance(loss, float):
            self._require_finite(self.batch, loss, norm)

    def mean_loss(self, parameters: Array) -> float:
        """Return the mean loss of the epoch, which ends with these parameters."""
        backend = self._backend
        finite = backend.scalar(backend.xp.isfinite(parameters).sum())
        *figures, n_finite = backend.to_floats([*self._losses, *self._norms, finite])
        losses, norms = figures[: len(self._losses)], figures[len(self._losses) :]
        loss_sum = 0.0
        for batch, loss, norm in zip(self._batches, losses, norms):
            self._require_finite(batch, loss, norm)
            loss_sum += loss
        if n_finite < len(parameters):
            raise NotFiniteError(
                f"Weights are not finite at the end of epoch {self._epoch}", from_the_start=False
            )
        return loss_sum / self._weight_sum

    def _require_finite(self, batch: int, loss: float, norm: float) -> None:
        if not (math.isfinite(norm) and math.isfinite(loss)):
            raise NotFiniteError(
                f"Loss or gradient is not finite in epoch {self._epoch}, minibatch {batch}",
                from_the_start=batch == self._batches[0],
            )

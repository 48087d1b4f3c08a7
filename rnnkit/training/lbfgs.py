"""L-BFGS: all sequences at once, a line search after the other, by `scipy.optimize`."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from scipy import optimize

from rnnkit.sequences import batch_of
from rnnkit.training.communicator import Communicator
from rnnkit.training.data import TrainingData
from rnnkit.training.objective import Objective
from rnnkit.training.optimizers import LBFGS
from rnnkit.training.ordered_sums import ordered_sums
from rnnkit.training.result import Ending
from rnnkit.training.share import Share, SharedNoise
from rnnkit.training.state import Run, philox
from rnnkit.training.updater import Updater
from rnnkit.training.watch import NotFiniteError, Watch

__all__ = ["minimize"]


def minimize(
    solver: LBFGS,
    run: Run,
    communicator: Communicator,
    data: TrainingData,
    objective: Objective,
    updater: Updater,
    watch: Watch,
    n_epochs: int,
) -> Ending:
    """Minimize the objective over all sequences in at most `n_epochs` iterations.

    SciPy's own decisions follow from the loss and the gradient of all ranks, so they are the same
    on all of them.

    Raises
    ------
    NotFiniteError
        If the loss or the parameters are not finite at the end.
    """
    bound, backend = run.bound, run.bound.backend
    parameters, gradient = bound.trained_parameters, bound.trained_gradient
    upload = backend.xp.asarray
    everything = batch_of(data.offsets, np.arange(data.n_sequences))
    noise_of: Callable[[], Any] = lambda: philox(run.noise_seed)
    if data.share is not None:
        noise_of = _shared_noise(run, data, data.share, objective.max_rows)
    n_sequences = int(communicator.total(data.n_sequences))
    endings: list[Ending] = []

    def loss_and_gradient(x: np.ndarray) -> tuple[float, np.ndarray]:
        parameters[...] = upload(x)
        gradient.fill(0)
        updater.weight_sum = communicator.total(objective.choose(everything))
        loss = updater.finish(objective.add(noise_of()))
        (total,) = backend.to_floats([loss])
        return total / updater.weight_sum, backend.download(gradient).astype(np.float64)

    def iteration_end(intermediate_result: optimize.OptimizeResult) -> None:
        parameters[...] = upload(intermediate_result.x)
        loss = float(intermediate_result.fun)
        stalled, ending = watch.end_epoch(loss, 1.0, n_sequences, {})
        if ending is None and stalled and watch.validates:
            ending = watch.stalled()
        if ending is not None:
            endings.append(ending)
            raise StopIteration
        if len(watch.losses) < n_epochs:
            watch.begin_epoch()

    watch.begin_epoch()
    with ordered_sums():
        result = optimize.minimize(
            loss_and_gradient,
            backend.download(parameters).astype(np.float64),
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
        raise NotFiniteError(
            f"Loss or gradient is not finite in epoch {run.n_epochs + 1}", from_the_start=False
        )
    parameters[...] = upload(result.x)
    if endings:
        return endings[0]
    if not result.nit:
        message = f"L-BFGS took no step, the weights are as before: {result.message}"
        return Ending("no_step", message)
    if result.status == 1:
        return Ending("max_iter", f"L-BFGS reached its limit of {n_epochs} iterations.")
    return Ending("converged", f"L-BFGS ended: {result.message}")


def _shared_noise(run: Run, data: TrainingData, share: Share, max_rows: int) -> Callable[[], Any]:
    """Return what gives the noise of a pass over a rank's share of all sequences, always equal."""
    is_whole = share.most_rows(len(share.lengths)) <= max_rows
    shared = SharedNoise(run.bound, share, data.inputs, is_whole)
    everything = share.everything(data.offsets)

    def noise() -> Any:
        shared.begin_epoch(run.noise_seed, 0)
        return shared.of(philox(run.noise_seed), everything)

    return noise

"""What a call of fit did, and why it ended."""

from __future__ import annotations

from dataclasses import dataclass, field
from math import nan
from typing import NamedTuple

__all__ = ["Ending", "FitResult"]


class Ending(NamedTuple):
    """Why a training has ended: `FitResult.reason` and a sentence with the figures."""

    reason: str
    message: str


@dataclass(frozen=True)
class FitResult:
    """What a call of `Trainer.fit` did.

    Parameters
    ----------
    n_epochs : int
        Epochs completed in this call.
    reason : str
        "max_iter": all epochs were run; "completed": so they were, of parts that learn in turn,
        where no loss says whether that was enough; "converged": progress stalled; "callback": a
        callback asked for the end; "interrupted": KeyboardInterrupt; "no_step": L-BFGS found no
        better weights than those it began with; "non_finite": a loss, a gradient or
        a weight was not finite, or what the network says at the end is not. The weights are then
        the last ones known to be good: those of an epoch's end, or those from before the call;
        the solver's state is that from before the call.
    message : str
        One sentence that says so with the figures.
    loss_curve : list of float
        Mean training loss of each completed epoch, penalties included.
    best_loss : float
        Smallest training loss since the trainer was made.
    validation_losses, validation_scores : list of float or None
        After each completed epoch; None where validation gives none.
    best_epoch : int or None
        The epoch, counted from the training's first, of the smallest training loss; with
        validation that of the best value monitored, whose weights were restored.
    best_validation_loss, best_validation_score : float or None
        The value monitored in that epoch; None for the other one and without validation.
    loss : float, default=nan
        Mean training loss of the last epoch; of the weights as they are, without noise, if no
        epoch was completed.
    n_threads : int, default=1
        Threads of the host that a large layer could use at the end of the call.
    figures : dict of str to list of float, default={}
        What else there is to tell of each completed epoch: "discriminator_loss" where two
        networks learn in turn.
    """

    n_epochs: int
    reason: str
    message: str
    loss_curve: list[float]
    best_loss: float
    validation_losses: list[float] | None
    validation_scores: list[float] | None
    best_epoch: int | None
    best_validation_loss: float | None
    best_validation_score: float | None
    loss: float = nan
    n_threads: int = 1
    figures: dict[str, list[float]] = field(default_factory=dict)

"""What happens at the end of every epoch: it is noted, validated, and shown to the callbacks."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from rnnkit.training.callbacks import Callback, Epoch
from rnnkit.training.communicator import Communicator
from rnnkit.training.state import Run

__all__ = ["Ending", "NotFiniteError", "Watch"]


class Ending(NamedTuple):
    """Why a training has ended: `FitResult.reason` and a sentence with the figures."""

    reason: str
    message: str


class NotFiniteError(ArithmeticError):
    """A loss or gradient is infinite or not a number."""

    def __init__(self, epoch: int, batch: int) -> None:
        super().__init__(
            f"Loss or gradient is not finite in epoch {epoch}, minibatch {batch}; the weights of "
            "the last finite epoch are kept. Try a smaller learning rate or scaled inputs."
        )


class Watch:
    """Follows the epochs of one call of fit.

    Parameters
    ----------
    run : Run
        Told of each epoch.
    communicator : Communicator
        A callback's wish to end the training is one of all ranks.
    callbacks : sequence of Callback
    validate : callable or None
        As in `Trainer.fit`.
    fitted : callable or None
        As in `Trainer.fit`.

    Attributes
    ----------
    losses, scores : list of float
        Mean training loss and validation score of each epoch.
    last_finite : array of shape (n_parameters,)
        The parameters at the end of the last epoch, on the backend.
    """

    def __init__(
        self,
        run: Run,
        communicator: Communicator,
        callbacks: Sequence[Callback],
        validate: Callable[[], float] | None,
        fitted: Callable[[], Any] | None,
    ) -> None:
        self.losses: list[float] = []
        self.scores: list[float] = []
        self.last_finite = run.bound.flat_parameters.copy()
        self._run = run
        self._communicator = communicator
        self._callbacks = callbacks
        self._validate = validate
        self._fitted = fitted
        self._started = time.perf_counter()

    def end_epoch(self, loss: float, rate: float, n_sequences: int) -> tuple[bool, Ending | None]:
        """Note an epoch of mean loss, last learning rate and number of sequences.

        Returns whether progress has stalled, and the ending that a callback asks for.
        """
        run = self._run
        parameters = run.bound.flat_parameters
        run.n_epochs += 1
        run.n_seen += n_sequences
        self.last_finite[...] = parameters
        self.losses.append(loss)
        logs = {"loss": loss, "learning_rate": rate}
        stalled = run.loss_progress.update(-loss)
        if self._validate is not None:
            run.bound.download()
            score = float(self._validate())
            self.scores.append(score)
            logs["validation_score"] = score
            stalled = run.score_progress.update(score, parameters)
        logs["seconds"] = time.perf_counter() - self._started
        epoch = Epoch(run.n_epochs, logs, run.bound, self._fitted)
        asked = [callback.on_epoch_end(epoch) is True for callback in self._callbacks]
        ending = None
        if self._communicator.largest(any(asked)):
            ending = Ending("callback", "A callback ended the training.")
        self._started = time.perf_counter()
        return stalled, ending

    @property
    def validates(self) -> bool:
        """Whether progress is that of a validation score."""
        return self._validate is not None

    def stalled(self) -> Ending:
        """Return the ending of a training without progress."""
        progress = self._run.loss_progress
        what = "Training loss" if self._validate is None else "Validation score"
        return Ending(
            "converged",
            f"{what} did not improve more than tol={progress.tol:f} for "
            f"{progress.n_iter_no_change} consecutive epochs.",
        )

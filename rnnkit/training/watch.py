"""What happens at the end of every epoch: it is noted, validated, and shown to the callbacks."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from rnnkit.backends.interface import Array
from rnnkit.training.callbacks import Callback, Epoch
from rnnkit.training.communicator import Communicator
from rnnkit.training.state import Run

__all__ = ["Ending", "NotFiniteError", "Watch"]


class Ending(NamedTuple):
    """Why a training has ended: `FitResult.reason` and a sentence with the figures."""

    reason: str
    message: str


class NotFiniteError(ArithmeticError):
    """What is computed is infinite or not a number.

    Parameters
    ----------
    where : str
        What was found, and when: the beginning of a sentence.
    from_the_start : bool
        Whether nothing finite was computed since the last epoch's end, so that the weights it
        ended with are to blame.
    """

    def __init__(self, where: str, *, from_the_start: bool) -> None:
        super().__init__(where)
        self.from_the_start = from_the_start


class Watch:
    """Follows the epochs of one call of fit.

    Parameters
    ----------
    run : Run
        Told of each epoch.
    start : array of shape (n_parameters,)
        A copy of the parameters as they are; left as it is.
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
    latest : array of shape (n_parameters,)
        The parameters at the end of the last epoch, on the backend; at first, those it began with.
    """

    def __init__(
        self,
        run: Run,
        start: Array,
        communicator: Communicator,
        callbacks: Sequence[Callback],
        validate: Callable[[], float] | None,
        fitted: Callable[[], Any] | None,
    ) -> None:
        self.losses: list[float] = []
        self.scores: list[float] = []
        self.latest = self._start = start
        self._finite = start  # the latest from which something finite was computed
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
        self._keep(parameters)
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

    def give_back_finite(self, error: NotFiniteError) -> Ending:
        """Give the network the latest weights that are known to be good; say so."""
        kept = self._finite if error.from_the_start else self.latest
        self._run.bound.flat_parameters[...] = kept
        if kept is self._start:
            words = "no epoch ended with finite ones, and the weights from before it are kept"
        else:
            words = "the weights of the last finite epoch are kept"
        advice = "Try a smaller learning rate or scaled inputs."
        return Ending("non_finite", f"{error}; {words}. {advice}")

    def _keep(self, parameters: Array) -> None:
        """Make the parameters the latest, by which those before are known to be good."""
        spare, self._finite = self._finite, self.latest
        if spare is self._start:
            self.latest = parameters.copy()
        else:
            spare[...] = parameters
            self.latest = spare

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

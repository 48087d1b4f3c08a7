"""What happens at the end of every epoch: it is noted, validated, and shown to the callbacks."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from rnnkit.backends.interface import Array
from rnnkit.training.callbacks import Callback, Epoch, ends_training
from rnnkit.training.communicator import Communicator
from rnnkit.training.result import Ending, FitResult
from rnnkit.training.state import Run
from rnnkit.training.stopping import Progress

__all__ = ["NotFiniteError", "Validation", "Watch"]


class Validation(NamedTuple):
    """What a network is worth on data it is not trained on; None where that is not known."""

    score: float | None = None
    loss: float | None = None


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
    monitor : {"score", "loss"}
        As in `Trainer`.
    fitted : callable or None
        As in `Trainer.fit`.

    Attributes
    ----------
    losses, validation_losses, validation_scores : list of float
        Mean training loss, and what validation gave, of each epoch.
    figures : dict of str to list of float
        What else there was to tell of each epoch.
    latest : array of shape (n_parameters,)
        The parameters at the end of the last epoch, on the backend; at first, those it began with.
    """

    def __init__(
        self,
        run: Run,
        start: Array,
        communicator: Communicator,
        callbacks: Sequence[Callback],
        validate: Callable[[], float | Validation] | None,
        monitor: str,
        fitted: Callable[[FitResult], Any] | None,
    ) -> None:
        self.losses: list[float] = []
        self.validation_losses: list[float] = []
        self.validation_scores: list[float] = []
        self.figures: dict[str, list[float]] = {}
        self.latest = self._start = start
        self._finite = start  # the latest from which something finite was computed
        self._run = run
        self._unit = run.bound.output.loss_unit  # of the losses that are told
        self._communicator = communicator
        self._callbacks = callbacks
        beginnings = (getattr(callback, "on_epoch_begin", None) for callback in callbacks)
        self._beginnings = [begin for begin in beginnings if begin is not None]
        self._validate = validate
        self._monitor = monitor
        self._fitted = fitted
        self._started = time.perf_counter()

    def begin_epoch(self) -> None:
        """Tell the callbacks that ask for it that an epoch begins."""
        for begin in self._beginnings:
            begin()
        if self._beginnings:
            self._started = time.perf_counter()

    def end_epoch(
        self, loss: float, rate: float, n_sequences: int, figures: Mapping[str, float]
    ) -> tuple[bool, Ending | None]:
        """Note an epoch of mean loss, last learning rate, number of sequences and other figures.

        Returns whether progress has stalled, and the ending that a callback asks for.
        """
        run = self._run
        parameters = run.bound.flat_parameters
        run.n_epochs += 1
        run.n_seen += n_sequences
        self._keep(parameters)
        self.losses.append(loss * self._unit)
        logs = {"loss": loss * self._unit, "learning_rate": rate, **figures}
        for name, figure in figures.items():
            self.figures.setdefault(name, []).append(figure)
        stalled = run.loss_progress.update(-loss, run.n_epochs, n_updates=run.n_updates)
        if self._validate is not None:
            run.bound.download()
            value = self._note(self._validate(), logs)
            stalled = run.validation_progress.update(
                value, run.n_epochs, parameters, n_updates=run.n_updates
            )
        logs["seconds"] = time.perf_counter() - self._started
        ending = None
        asked = [False]
        if self._callbacks:
            epoch = Epoch(run.n_epochs, logs, run.bound, self._make_fitted(), self._is_best())
            asked = [ends_training(each.on_epoch_end(epoch)) for each in self._callbacks]
        if self._communicator.largest(any(asked)):
            ending = Ending("callback", "A callback ended the training.")
        self._started = time.perf_counter()
        return stalled, ending

    def _is_best(self) -> bool:
        """Whether the last epoch is the best so far; no loss tells where parts learn in turn."""
        if self._run.bound.parts:
            return False
        return self._progress.best_epoch == self._run.n_epochs

    def _make_fitted(self) -> Callable[[], Any] | None:
        """Return what `Epoch.fitted` calls: the training as if it had ended after this epoch."""
        fitted = self._fitted
        if fitted is None:
            return None
        return lambda: fitted(self.result(Ending("max_iter", "It goes on."), None))

    def _note(self, found: float | Validation, logs: dict[str, float]) -> float:
        """Note what validation gave; return what is monitored of it, larger is better."""
        if not isinstance(found, Validation):
            found = Validation(score=float(found))
        if found.loss is not None:
            self.validation_losses.append(found.loss * self._unit)
            logs["validation_loss"] = found.loss * self._unit
        if found.score is not None:
            self.validation_scores.append(found.score)
            logs["validation_score"] = found.score
        if self._monitor == "loss" and found.loss is not None:
            return -found.loss
        if self._monitor == "score" and found.score is not None:
            return found.score
        raise ValueError(f"validate must return a {self._monitor} to monitor, got {found}")

    def give_back_finite(self, error: NotFiniteError) -> Ending:
        """Give the network the latest weights that are known to be good; say so."""
        kept = self._finite if error.from_the_start else self.latest
        self._run.bound.flat_parameters[...] = kept
        if kept is self._start:
            words = "no epoch of this call ended with finite weights, those from before it are kept"
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
    def _progress(self) -> Progress:
        return self._run.validation_progress if self.validates else self._run.loss_progress

    @property
    def validates(self) -> bool:
        """Whether progress is that of what validation gives."""
        return self._validate is not None

    def stalled(self) -> Ending:
        """Return the ending of a training without progress."""
        progress = self._run.loss_progress
        what = "Training loss" if self._validate is None else f"Validation {self._monitor}"
        return Ending(
            "converged",
            f"{what} did not improve more than tol={progress.tol:f} for "
            f"{progress.n_iter_no_change} consecutive epochs.",
        )

    def result(self, ending: Ending, loss: float | None) -> FitResult:
        """Return what the call of fit did; `loss` is that of the weights, if there was no epoch."""
        last = self.losses[-1] if loss is None else loss * self._unit
        run = self._run
        by_loss = self.validates and self._monitor == "loss"
        by_score = self.validates and self._monitor == "score"
        progress = self._progress
        losses, scores = self.validation_losses, self.validation_scores
        return FitResult(
            n_epochs=len(self.losses),
            reason=ending.reason,
            message=ending.message,
            loss_curve=self.losses,
            best_loss=min(-run.loss_progress.best * self._unit, last),
            validation_losses=losses if losses or by_loss else None,
            validation_scores=scores if scores or by_score else None,
            best_epoch=progress.best_epoch,
            best_validation_loss=-progress.best * self._unit if by_loss else None,
            best_validation_score=progress.best if by_score else None,
            loss=last,
            n_threads=run.bound.backend.n_threads,
            figures=self.figures,
        )

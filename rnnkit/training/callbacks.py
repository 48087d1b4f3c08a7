"""What may watch a training run: the epoch that it sees, the protocol, progress printing."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Protocol

import numpy as np

from rnnkit.network.bound import BoundNetwork
from rnnkit.training.result import FitResult

__all__ = ["Callback", "Epoch", "EpochCallback", "PrintProgress", "ends_training"]


class Epoch:
    """An epoch that has just ended, as a callback sees it.

    Parameters
    ----------
    number : int
        Counts from 1.
    logs : mapping of str to float
    bound : BoundNetwork
        What is trained.
    make_fitted : callable or None
        Makes what `fitted` returns.
    is_best : bool, default=False

    Attributes
    ----------
    epoch : int
        The number of the epoch, from 1: of those in the estimator's `loss_curve_`, which
        `warm_start` and `partial_fit` go on with. Of a bare trainer, since it was made.
    logs : mapping of str to float
        "loss" (mean training loss), "learning_rate" (of the last step), "seconds" (duration of the
        epoch) and, where validation gives them, "validation_loss" and "validation_score"; of a
        generator of series "loss" is its own, and "discriminator_loss" the other's.
    is_best : bool
        Whether it is the best so far, by what is monitored of the validation; without validation
        by the training loss. The last one that is will be the estimator's `best_epoch_`.
    elapsed : float
        Seconds since the call of `fit` began.
    estimator : estimator or None
        What is being fitted, still as it was before: its parameters are of use. None for a bare
        trainer.
    task : str
        The place of this fit among all that the outermost one makes, as numbers of scikit-learn's
        tasks: "0" alone, such as "0-0-3-1" in a search. No two of one search are equal.
    """

    def __init__(
        self,
        number: int,
        logs: Mapping[str, float],
        bound: BoundNetwork,
        make_fitted: Callable[[], Any] | None = None,
        is_best: bool = False,
    ) -> None:
        self.epoch = number
        self.logs = logs
        self.is_best = is_best
        self.elapsed = 0.0
        self.estimator: Any = None
        self.task = "0"
        self._bound = bound
        self._make_fitted = make_fitted
        self._score: Callable[[], float] | None = None

    def weights(self) -> dict[str, np.ndarray]:
        """Return every parameter by its name, as it is at the time of the call: copies."""
        self._bound.download()
        return {name: array.copy() for name, array in self._bound.network.parameters.items()}

    def fitted(self) -> Any:
        """Return a fitted estimator, as if `fit` ended here; None if no estimator is trained.

        It has the present weights, the curves so far, and no callbacks.
        """
        if self._make_fitted is None:
            return None
        self._bound.download()
        return self._make_fitted()

    def training_score(self) -> float:
        """Return the estimator's score on the data it trains on: a pass over them.

        NaN if no estimator is trained.
        """
        if self._score is None:
            return float("nan")
        self._bound.download()
        return self._score()


class Callback(Protocol):
    """An object told of every epoch's end.

    If it has a method `on_epoch_begin`, that is called without arguments before each epoch.
    """

    def on_epoch_end(self, epoch: Epoch) -> Any:
        """Look at an epoch; return True to end the training after it."""
        ...


def ends_training(answer: Any) -> bool:
    """Whether what a callback returned is True, Python's or NumPy's; nothing else ends it."""
    return isinstance(answer, (bool, np.bool_)) and bool(answer)


class EpochCallback:
    """Base of callbacks that look at epochs: set them on the estimator that trains.

    A subclass has `on_epoch_end`. The other methods are those of scikit-learn's callbacks. One
    object may watch several fits at once, as in a search: what it remembers of one is better
    kept by `id(epoch.estimator)`.
    """

    def setup(self, estimator: Any, context: Any) -> None:
        """Be told that a fit begins.

        Parameters
        ----------
        estimator : estimator
            What is fitted.
        context : sklearn.callback.CallbackContext or None
            Its task.

        Raises
        ------
        TypeError
            If it has no epochs.
        """
        if not getattr(estimator, "_has_epochs", False):
            raise TypeError(
                f"{self!r} looks at epochs, and {type(estimator).__name__} has none itself: call "
                "set_callbacks of the rnnkit estimator inside it"
            )

    def teardown(self, estimator: Any, context: Any) -> None:
        """Be told that a fit has ended, in whatever way.

        Parameters
        ----------
        estimator, context
            As in `setup`.
        """

    def on_fit_task_begin(self, estimator: Any, context: Any) -> None:
        """Be told that a task of scikit-learn begins; nothing is done.

        Parameters
        ----------
        estimator, context
            As in `setup`.
        """

    def on_fit_task_end(self, estimator: Any, context: Any) -> None:
        """Be told that a task of scikit-learn has ended; nothing is done.

        Parameters
        ----------
        estimator, context
            As in `setup`.
        """

    def on_epoch_end(self, epoch: Epoch) -> Any:
        """Look at an epoch that has just ended.

        Parameters
        ----------
        epoch : Epoch
            Its number, losses and scores, and what was learnt so far.

        Returns
        -------
        bool or None
            True ends the training after this epoch.
        """
        raise NotImplementedError(f"{type(self).__name__} has no on_epoch_end")


class PrintProgress:
    """Print a line per epoch, and one at the end.

    Parameters
    ----------
    every : int, default=1
        Number of epochs from one line to the next.
    detailed : bool, default=False
        Whether a line also has the training score, which costs a pass over the data.
    """

    def __init__(self, every: int = 1, detailed: bool = False) -> None:
        self.every = every
        self.detailed = detailed

    def on_epoch_end(self, epoch: Epoch) -> None:
        """Print the epoch's loss, what validation gave, learning rate and duration."""
        if epoch.epoch % self.every:
            return
        logs = epoch.logs
        line = f"Iteration {epoch.epoch}, loss = {logs['loss']:.8f}"
        if "discriminator_loss" in logs:
            line += f", discriminator loss = {logs['discriminator_loss']:.8f}"
        score = epoch.training_score() if self.detailed else float("nan")
        if not np.isnan(score):
            line += f", score = {score:.6f}"
        if "validation_loss" in logs:
            line += f", validation loss = {logs['validation_loss']:.8f}"
        if "validation_score" in logs:
            line += f", validation score = {logs['validation_score']:.6f}"
        line += f", learning rate = {logs['learning_rate']:.3g}, {logs['seconds']:.2f} s"
        print(line + (", best so far" if self.detailed and epoch.is_best else ""))

    def on_fit_end(self, result: FitResult, best_epoch: int | None, seconds: float) -> None:
        """Print why a training ended, how long it took and which epoch was the best."""
        words = f"{result.message.rstrip('.')}; {result.n_epochs} iterations in {seconds:.2f} s"
        if best_epoch is None:
            print(f"{words}.")
            return
        value = f"loss = {result.best_loss:.8f}"
        if result.best_validation_loss is not None:
            value = f"validation loss = {result.best_validation_loss:.8f}"
        elif result.best_validation_score is not None:
            value = f"validation score = {result.best_validation_score:.6f}"
        print(f"{words}; best: iteration {best_epoch}, {value}.")

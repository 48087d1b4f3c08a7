"""What may watch a training run: the epoch that it sees, the protocol, progress printing."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Protocol

import numpy as np

from rnnkit.network.network import BoundNetwork

__all__ = ["Callback", "Epoch", "PrintProgress"]


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

    Attributes
    ----------
    epoch : int
        The number of the epoch since the trainer was made, from 1.
    logs : mapping of str to float
        "loss" (mean training loss), "learning_rate" (of the last step), "seconds" (duration of the
        epoch) and, where validation gives them, "validation_loss" and "validation_score".
    """

    def __init__(
        self,
        number: int,
        logs: Mapping[str, float],
        bound: BoundNetwork,
        make_fitted: Callable[[], Any] | None = None,
    ) -> None:
        self.epoch = number
        self.logs = logs
        self._bound = bound
        self._make_fitted = make_fitted

    def weights(self) -> dict[str, np.ndarray]:
        """Return every parameter by its name, as it is at the time of the call: copies."""
        self._bound.download()
        return {name: array.copy() for name, array in self._bound.network.parameters.items()}

    def fitted(self) -> Any:
        """Return a fitted estimator of the present weights; None if no estimator is trained."""
        if self._make_fitted is None:
            return None
        self._bound.download()
        return self._make_fitted()


class Callback(Protocol):
    """An object told of every epoch's end."""

    def on_epoch_end(self, epoch: Epoch) -> bool | None:
        """Look at an epoch; return True to end the training after it."""
        ...


class PrintProgress:
    """Print a line per epoch.

    Parameters
    ----------
    every : int, default=1
        Number of epochs from one line to the next.
    """

    def __init__(self, every: int = 1) -> None:
        self.every = every

    def on_epoch_end(self, epoch: Epoch) -> None:
        """Print the epoch's loss, what validation gave, learning rate and duration."""
        if epoch.epoch % self.every:
            return
        logs = epoch.logs
        line = f"Iteration {epoch.epoch}, loss = {logs['loss']:.8f}"
        if "validation_loss" in logs:
            line += f", validation loss = {logs['validation_loss']:.8f}"
        if "validation_score" in logs:
            line += f", validation score = {logs['validation_score']:.6f}"
        print(f"{line}, learning rate = {logs['learning_rate']:.3g}, {logs['seconds']:.2f} s")

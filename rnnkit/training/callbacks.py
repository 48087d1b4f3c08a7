"""What may watch a training run: the callback protocol and progress printing."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

__all__ = ["Callback", "PrintProgress"]


class Callback(Protocol):
    """An object told of every epoch's end."""

    def on_epoch_end(self, epoch: int, logs: Mapping[str, float]) -> bool | None:
        """Look at an epoch; return True to end the training after it.

        `epoch` counts from 1. `logs` has "loss" (mean training loss), "learning_rate" (of the
        last step), "seconds" (duration of the epoch) and, with validation, "validation_score".
        """
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

    def on_epoch_end(self, epoch: int, logs: Mapping[str, float]) -> None:
        """Print the epoch's loss, validation score if any, learning rate and duration."""
        if epoch % self.every:
            return
        line = f"Iteration {epoch}, loss = {logs['loss']:.8f}"
        if "validation_score" in logs:
            line += f", validation score = {logs['validation_score']:.6f}"
        print(f"{line}, learning rate = {logs['learning_rate']:.3g}, {logs['seconds']:.2f} s")

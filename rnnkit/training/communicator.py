"""What the trainers of several ranks agree on: sums of weights, of gradients and of losses."""

from __future__ import annotations

from typing import Protocol

from rnnkit.backends.interface import Array, Scalar

__all__ = ["Alone", "Communicator"]


class Communicator(Protocol):
    """Joins trainers that train equal networks side by side, each on its own sequences.

    Each of them is a rank. The minibatches of all ranks together are one minibatch: its sum of
    weights decides whether there is an update and divides the gradient, whatever a rank's own
    share. All ranks make the same calls in the same order; every call waits for all of them and
    returns the same bits to all of them, from which equal networks stay equal. A rank that raises
    leaves the others waiting: an implementation has to give up by itself.
    """

    @property
    def is_repeatable(self) -> bool:
        """Whether a record of `all_reduce` repeats it (see `Backend.repeated`)."""
        ...

    def total(self, number: float) -> float:
        """Return the sum of a number over all ranks."""
        ...

    def largest(self, number: int) -> int:
        """Return the largest of a number over all ranks."""
        ...

    def all_reduce(self, gradient: Array, loss_sum: Scalar) -> Scalar:
        """Replace the flat gradient by its sum over all ranks; return the sum of the losses.

        The gradient lies on the backend, in the network's dtype.
        """
        ...


class Alone:
    """The communicator of a trainer without others."""

    is_repeatable = True

    def total(self, number: float) -> float:
        """Return the number."""
        return number

    def largest(self, number: int) -> int:
        """Return the number."""
        return number

    def all_reduce(self, gradient: Array, loss_sum: Scalar) -> Scalar:
        """Leave the gradient as it is; return the loss sum."""
        return loss_sum

"""What the backends on the host have in common: the few calls that NumPy alone answers.

Letters: B sequences of the minibatch, T steps, P packed rows, W columns.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from itertools import pairwise
from typing import TypeVar

import numpy as np

from rnnkit.backends.directions import JoinedOperation, OneAfterTheOther
from rnnkit.backends.interface import PackedPlan, RecurrentOperation, Repeated, Scalar
from rnnkit.backends.memory import host_memory
from rnnkit.backends.streaming import drawn_from
from rnnkit.backends.streams import NumberOperation, StreamOperation, TokenOperation

__all__ = ["HostBackend"]

Made = TypeVar("Made")

_ALWAYS_ACTIVE = nullcontext()


class HostBackend:
    """Base of the backends whose arrays are NumPy's."""

    xp = np
    on_host = True
    n_threads = 1

    def active(self, *, give_back: bool = False) -> AbstractContextManager[None]:
        """Do nothing: the host is always active."""
        return _ALWAYS_ACTIVE

    def free_bytes(self) -> int:
        """Return how much more memory this process can get, about."""
        return host_memory()

    def upload(self, array: np.ndarray) -> np.ndarray:
        """Return the array."""
        return array

    def download(self, array: np.ndarray) -> np.ndarray:
        """Return the array."""
        return array

    def from_host(self, make: Callable[[], Made]) -> Made:
        """Return what is made."""
        return make()

    def repeated(self, run: Callable[[], tuple[Scalar, ...]]) -> Repeated:
        """Return a function that runs, whatever the plan."""
        return lambda plan: run()

    def joined(self, one: RecurrentOperation, other: RecurrentOperation) -> JoinedOperation:
        """Return what runs one direction of a layer after the other."""
        return OneAfterTheOther((one, other), np)

    def number_stream(
        self,
        shape: tuple[int, ...],
        streams: Sequence[StreamOperation],
        heads: Sequence[tuple[np.ndarray, np.ndarray | None]],
    ) -> NumberOperation | None:
        """Return None: there is no shorter way than layer by layer."""
        return None

    def token_stream(
        self,
        table: np.ndarray,
        streams: Sequence[StreamOperation],
        heads: Sequence[tuple[np.ndarray, np.ndarray | None]],
    ) -> TokenOperation | None:
        """Return None: there is no shorter way than layer by layer."""
        return None

    def draw(self, scores: np.ndarray, temperature: float, at: np.ndarray) -> np.ndarray:
        """Return an index drawn from the softmax of each row of scores."""
        return drawn_from(scores, temperature, at)

    def largest(self, scores: np.ndarray) -> np.ndarray:
        """Return the place of the largest score of each row, the first of equals."""
        places: np.ndarray = scores.argmax(axis=1)
        return places

    def scalar(self, x: np.floating) -> float:
        """Return a sum as a float."""
        return float(x)

    def to_floats(self, numbers: Sequence[float]) -> list[float]:
        """Return numbers as floats."""
        return [float(number) for number in numbers]

    def add_steps(self, plan: PackedPlan, x: np.ndarray, total: np.ndarray) -> None:
        """Add the rows (P, W) of each sequence to its row of total (B, W), step after step."""
        for first, last, n in _step_slices(plan):
            total[:n] += x[first:last]

    def largest_of_steps(
        self, plan: PackedPlan, x: np.ndarray, largest: np.ndarray, row: np.ndarray | None
    ) -> None:
        """Raise largest (B, W) to the maximum over each sequence's rows of x (P, W)."""
        for first, last, n in _step_slices(plan):
            larger = x[first:last] > largest[:n]
            np.copyto(largest[:n], x[first:last], where=larger)
            if row is not None:
                np.copyto(row[:n], np.arange(first, last)[:, None], where=larger)

    def attend_to_steps(
        self,
        plan: PackedPlan,
        energies: np.ndarray,
        x: np.ndarray,
        largest: np.ndarray,
        total: np.ndarray,
        weighted: np.ndarray,
    ) -> None:
        """Go on with the sums of a softmax over the steps of each sequence."""
        for first, last, n in _step_slices(plan):
            new_largest = np.maximum(largest[:n], energies[first:last])
            shrink = np.exp(largest[:n] - new_largest)
            term = np.exp(energies[first:last] - new_largest)
            total[:n] = total[:n] * shrink + term
            weighted[:n] = weighted[:n] * shrink + term * x[first:last]
            largest[:n] = new_largest


def _step_slices(plan: PackedPlan) -> list[tuple[int, int, int]]:
    """List first row, last row and number of sequences of each step."""
    offsets = plan.step_offsets.tolist()
    return [(first, last, last - first) for first, last in pairwise(offsets)]

"""Sequences fed step by step to a whole operation, for backends without a faster way."""

from __future__ import annotations

import numpy as np

from rnnkit.backends.interface import Array, ArrayModule, RecurrentOperation

__all__ = ["StepStream", "cumulated_shares", "drawn_from"]


class _OneStep:
    """The plan of one step of n sequences."""

    n_steps = 1

    def __init__(self, n: int) -> None:
        self.lengths = np.ones(n, np.intp)
        self.step_offsets = np.array([0, n], np.intp)
        self.n_sequences = self.n_rows = n

    def sequence_of_row(self) -> np.ndarray:
        return np.arange(self.n_sequences)


class StepStream:
    """n sequences by calls of a whole operation for one step; see `interface.StreamOperation`.

    xp is the array module of the weights.
    """

    def __init__(
        self, operation: RecurrentOperation, weights: dict[str, Array], xp: ArrayModule, n: int
    ) -> None:
        self._operation = operation
        self._weights = {name: weight.copy() for name, weight in weights.items()}
        self._plan = _OneStep(n)
        recurrent = weights["weight_hh"]
        self._zeros = xp.zeros((n, recurrent.shape[1]), recurrent.dtype)
        self._second = None
        if operation.spec.has_cell_state:
            self._second = xp.zeros((n, operation.spec.second_state_size), recurrent.dtype)
        self.state = None

    @property
    def state(self) -> tuple[Array, Array | None]:
        """The states h and c, (n, H); c for lstm only."""
        return self._state

    @state.setter
    def state(self, state: tuple[Array, Array | None] | None) -> None:
        if state is None:
            state = (self._zeros, self._second)
        self._state = state

    def step(self, x: Array) -> Array:
        """Take the I numbers x of a step of each sequence; return h (n, H)."""
        _, h, c = self._operation.forward(
            self._plan, x.reshape(len(self._zeros), -1), self._weights, *self._state
        )
        self._state = (h, c)
        return h


def cumulated_shares(scores: np.ndarray, temperature: float) -> np.ndarray:
    """Return the sums along each row of ``exp(scores / temperature)``, up to a factor."""
    shares = scores.astype(np.float64)
    shares -= shares.max(axis=1, keepdims=True)
    with np.errstate(over="ignore"):  # to -inf, whose share is 0
        shares /= temperature
    return np.asarray(np.exp(shares, out=shares).cumsum(axis=1))


def drawn_from(scores: np.ndarray, temperature: float, at: np.ndarray) -> np.ndarray:
    """Return an index drawn from the softmax of each row of scores; see `interface.Backend`."""
    total = cumulated_shares(scores, temperature)
    fell = np.minimum(at * total[:, -1], np.nextafter(total[:, -1], 0.0))
    index: np.ndarray = np.count_nonzero(total <= fell[:, None], axis=1)
    return index

"""One sequence fed step by step to a whole operation, for backends without a faster way."""

from __future__ import annotations

import numpy as np

from rnnkit.backends.interface import Array, ArrayModule, RecurrentOperation

__all__ = ["OneRowStream", "cumulated_shares", "drawn_from"]


class _OneStep:
    """The plan of one sequence of one step."""

    lengths = np.ones(1, np.intp)
    step_offsets = np.array([0, 1], np.intp)
    n_sequences = n_steps = n_rows = 1

    def sequence_of_row(self) -> np.ndarray:
        return np.zeros(1, np.intp)


class OneRowStream:
    """One sequence by calls of a whole operation for one row; see `interface.StreamOperation`.

    xp is the array module of the weights.
    """

    def __init__(
        self, operation: RecurrentOperation, weights: dict[str, Array], xp: ArrayModule
    ) -> None:
        self._operation = operation
        self._weights = {name: weight.copy() for name, weight in weights.items()}
        self._plan = _OneStep()
        self._zeros = xp.zeros_like(weights["weight_hh"][:1])
        self.state = None

    @property
    def state(self) -> tuple[Array, Array | None]:
        """The states h and c, (1, H); c for lstm only."""
        return self._state

    @state.setter
    def state(self, state: tuple[Array, Array | None] | None) -> None:
        if state is None:
            has_cell_state = self._operation.spec.has_cell_state
            state = (self._zeros, self._zeros if has_cell_state else None)
        self._state = state

    def step(self, x: Array) -> Array:
        """Take the I numbers x of a step; return h (1, H)."""
        _, h, c = self._operation.forward(self._plan, x.reshape(1, -1), self._weights, *self._state)
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

"""What a backend's operations for sequences that come step by step offer.

Letters: n sequences, I inputs, H hidden units, K scores.
"""

from __future__ import annotations

from typing import Protocol

import numpy as np

from rnnkit.backends.interface import Array

__all__ = ["NumberOperation", "StreamOperation", "TokenOperation"]


class StreamOperation(Protocol):
    """One recurrent layer over a stream, n sequences fed step by step, whose states it holds.

    A step has the very bits that `RecurrentOperation.forward` gives outside training. The
    weights are those of the moment it was bound.
    """

    @property
    def state(self) -> tuple[Array, Array | None]:
        """The states h and c, (n, H); c for lstm only. May be set; None sets zeros."""
        ...

    @state.setter
    def state(self, state: tuple[Array, Array | None] | None) -> None: ...

    def step(self, x: Array) -> Array:
        """Take x, a step's I numbers of each sequence; return h (n, H).

        x is (n, I), or (I,) for one sequence; what is returned is valid until the next call.
        """
        ...


class NumberOperation(Protocol):
    """Numbers through layers and head, fed step by step."""

    @property
    def scores(self) -> Array:
        """The raw scores (n, K) of the last step, one array that every step overwrites."""
        ...

    def step(self, x: Array) -> bool:
        """Take a step; False, and nothing has changed, unless x is as it must be, and finite.

        It must be an array of the layers' dtype and of the shape that was named, contiguous.
        """
        ...

    def decide(self, x: Array) -> int:
        """Take a step of one sequence; return the place of the largest score, the first of equals.

        -1, and nothing has changed, where `step` returns False.
        """
        ...


class TokenOperation(Protocol):
    """A text through table, layers and head, fed token by token."""

    def feed(self, token: int) -> Array:
        """Read the token of an id; return the raw scores (1, K), valid until the next call."""
        ...

    def write(
        self, scores: Array, temperature: float, at: np.ndarray, end: int
    ) -> tuple[np.ndarray, Array]:
        """Draw a token, read it, draw the next; return the ids drawn and the scores after them.

        As `Backend.draw` draws, from scores (1, K) at first, of which the first, that of no
        token, is never drawn; the temperature 0 takes the largest. at (n,) has a die for each
        token. The id `end`, which is not read, is the last.
        """
        ...

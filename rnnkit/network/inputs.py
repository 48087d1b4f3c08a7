"""What a network takes for every step: numbers, token ids, or both side by side."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from rnnkit.backends.interface import Array, Backend

__all__ = ["Inputs"]


@dataclass(eq=False, slots=True)
class Inputs:
    """The steps of sequences, one row each: of a whole data set, or of a packed minibatch.

    Made for every minibatch and every step of a stream, and not frozen because that costs time.

    Parameters
    ----------
    numeric : array of shape (P, I), default=None
        Numbers in the network's dtype, on the host or on the backend. None: there are none.
    tokens : ndarray of shape (P, C), intp, default=None
        Token ids, always on the host, which decides what is looked up. None: there are none.
    """

    numeric: Array = None
    tokens: np.ndarray | None = None

    def __len__(self) -> int:
        return len(self.numeric if self.tokens is None else self.tokens)

    def take(self, rows: np.ndarray, on_backend: Array | None = None) -> Inputs:
        """Return the inputs of some rows.

        Parameters
        ----------
        rows : ndarray of shape (P,), intp
            On the host.
        on_backend : array of shape (P,), intp, default=None
            The same rows where the numbers are; None where that is the host.

        Returns
        -------
        Inputs
        """
        places = rows if on_backend is None else on_backend
        numeric = None if self.numeric is None else self.numeric.take(places, axis=0)
        return Inputs(numeric, None if self.tokens is None else self.tokens.take(rows, axis=0))

    def on(self, backend: Backend) -> Inputs:
        """Return the same inputs with their numbers on a backend; on the host, these."""
        if self.numeric is None or backend.on_host:
            return self
        return Inputs(backend.xp.asarray(self.numeric), self.tokens)

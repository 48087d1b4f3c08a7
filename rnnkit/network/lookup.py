"""Rows of large embedding tables: which of them a minibatch has looked up.

Letters: V rows of a table, W numbers of a row.
"""

from __future__ import annotations

import numpy as np

__all__ = ["LARGE_TABLE", "TableRows"]

LARGE_TABLE = 2**20  # numbers, from which on all of a table is not gone through at every step


class TableRows:
    """The rows of one table whose gradient may differ from zero.

    Parameters
    ----------
    first : int
        Where the table begins in the flat vector of what is trained.
    n_rows, width : int
        V and W.
    """

    def __init__(self, first: int, n_rows: int, width: int) -> None:
        self.first = first
        self.n_rows = n_rows
        self.width = width
        self.rows = np.empty(0, np.intp)

    @property
    def last(self) -> int:
        """Where the table ends in the flat vector."""
        return self.first + self.n_rows * self.width

    def add(self, ids: np.ndarray) -> None:
        """Note rows to which a gradient is added."""
        self.rows = np.union1d(self.rows, ids)

    def forget(self) -> None:
        """Start anew: the gradient is zero."""
        self.rows = np.empty(0, np.intp)

    def ranges(self, rows: np.ndarray) -> np.ndarray:
        """Return the places of rows (n,) in the flat vector: first and last of each, (n, 2)."""
        first = self.first + rows * self.width
        return np.stack([first, first + self.width], axis=1)

"""Rows of embedding tables: which of them a minibatch looks up, and which ones of large tables.

Letters: P packed rows, V rows of a table, W numbers of a row.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np

from rnnkit.backends.interface import Array

__all__ = ["LARGE_TABLE", "Lookup", "TableRows", "in_order", "large_tables"]

LARGE_TABLE = 2**20  # numbers, from which on all of a table is not gone through at every step


@dataclass(slots=True)
class Lookup:
    """The rows (P, W) that are looked up in a table, for a layer that need not see them.

    Parameters
    ----------
    table : array of shape (V, W)
        On the backend.
    row_of : ndarray of shape (P,), intp
        Which row of it each packed row is; on the host.
    """

    table: Array
    row_of: np.ndarray

    def __len__(self) -> int:
        return len(self.row_of)


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
        self.rows = in_order(np.concatenate([self.rows, ids]) if len(self.rows) else ids)

    def forget(self) -> None:
        """Start anew: the gradient is zero."""
        self.rows = np.empty(0, np.intp)

    def ranges(self, rows: np.ndarray) -> np.ndarray:
        """Return the places of rows (n,), in order, in the flat vector: first and last, (m, 2).

        Rows that follow each other share a range.
        """
        ranges = np.empty((0, 2), np.intp)
        if len(rows):
            begins = np.ones(len(rows) + 1, bool)
            np.not_equal(rows[1:], rows[:-1] + 1, out=begins[1:-1])
            ranges = np.stack([rows[begins[:-1]], rows[begins[1:]] + 1], axis=1)
            ranges *= self.width
            ranges += self.first
        return ranges


def in_order(ids: np.ndarray) -> np.ndarray:
    """Return each of some ids once, the smallest first, in less time than `numpy.unique` takes."""
    ordered = np.sort(ids)
    is_first = np.ones(len(ordered), bool)
    np.not_equal(ordered[1:], ordered[:-1], out=is_first[1:])
    return ordered[is_first]


def large_tables(
    layers: Sequence[Any], shapes: Mapping[str, tuple[int, ...]], n_frozen: int
) -> dict[str, TableRows]:
    """Return an account of the rows of each large table that is trained, by its full name.

    Parameters
    ----------
    layers : sequence of Layer
    shapes : mapping of str to tuple
        Of every parameter, in storage order.
    n_frozen : int
        How many numbers at the beginning are not trained.
    """
    tables = {name for layer in layers for name in layer.tables}
    tables -= {name for layer in layers for name in layer.whole}
    found, first = {}, -n_frozen
    for name, shape in shapes.items():
        if name in tables and prod(shape) >= LARGE_TABLE:
            found[name] = TableRows(first, *shape)
        first += prod(shape)
    return found

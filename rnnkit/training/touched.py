"""What a minibatch changes of the flat vectors where tables are large: the rows it has looked up.

Everything else of such a table has no gradient. Where a row never had one, every vector that a
solver remembers of it is zero too, and then an update changes nothing: leaving it out gives the
very bits of the update of all rows. A row that was ever looked up is updated at every step, since
what a solver remembers of it moves it on.
"""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from rnnkit.backends.interface import Array
from rnnkit.network.lookup import TableRows
from rnnkit.training.optimizers import SolverState

__all__ = ["Touched"]


class Touched:
    """The parts of parameters and gradient to go through, as ranges of the flat vectors.

    Parameters
    ----------
    tables : sequence of TableRows
        The large tables, in the order of the flat vector; not empty.
    gradient : ndarray of shape (n,)
        The flat gradient.
    solver : SolverState
        Whose vectors say which rows ever had a gradient, where it was restored.
    """

    def __init__(self, tables: list[TableRows], gradient: np.ndarray, solver: SolverState) -> None:
        self._tables = tables
        self._gradient = gradient
        self._solver = solver
        self._views = [
            gradient[table.first : table.last].reshape(table.n_rows, table.width)
            for table in tables
        ]
        cuts = [0, *(place for table in tables for place in (table.first, table.last))]
        cuts.append(len(gradient))
        between = list(pairwise(cuts))[::2]
        self._rest = [pair for pair in between if pair[0] < pair[1]]
        # The same, in its place before, between and after the tables.
        self._between = [
            np.array([pair] * (pair[0] < pair[1]), np.intp).reshape(-1, 2) for pair in between
        ]
        # The rows that ever had a gradient, and of every row whether it is among them.
        self._ever = [np.empty(0, np.intp) for _ in tables]
        self._had = [np.zeros(table.n_rows, bool) for table in tables]
        self._ranges_ever = np.empty((0, 2), np.intp)
        self._restored = -1

    def clear(self) -> None:
        """Make the gradient zero."""
        for first, last in self._rest:
            self._gradient[first:last] = 0
        for table, view in zip(self._tables, self._views):
            view[table.rows] = 0
            table.forget()

    def scale(self, factor: Array) -> None:
        """Multiply the gradient."""
        for first, last in self._rest:
            self._gradient[first:last] *= factor
        for table, view in zip(self._tables, self._views):
            view[table.rows] *= factor

    def limit(self, largest: float) -> None:
        """Bring every entry of the gradient into [-largest, largest]."""
        for first, last in self._rest:
            part = self._gradient[first:last]
            np.clip(part, -largest, largest, out=part)
        for table, view in zip(self._tables, self._views):
            view[table.rows] = np.clip(view[table.rows], -largest, largest)

    def now(self) -> np.ndarray:
        """Return the ranges in which the gradient may differ from zero, in order: (n, 2)."""
        return self._with_rest([table.rows for table in self._tables])

    def ever(self) -> np.ndarray:
        """Return the ranges in which an update may change anything, in order: (n, 2)."""
        fresh = self._restored != self._solver.n_restored
        if fresh:
            self._restored = self._solver.n_restored
            self._had = [self._remembered(table) for table in self._tables]
            self._ever = [np.flatnonzero(had) for had in self._had]
        for i, (table, had) in enumerate(zip(self._tables, self._had)):
            rows = table.rows[~had[table.rows]]
            if len(rows):
                had[rows] = fresh = True
                self._ever[i] = np.sort(np.concatenate([self._ever[i], rows]))
        if fresh:
            self._ranges_ever = self._with_rest(self._ever)
        return self._ranges_ever

    def _remembered(self, table: TableRows) -> np.ndarray:
        """Return which rows (V,) a solver remembers anything of."""
        known = np.zeros(table.n_rows, bool)
        if self._solver.n_restored or self._solver.step > 1:
            for vector in self._solver.vectors.values():
                rows = vector[table.first : table.last].reshape(table.n_rows, table.width)
                known |= rows.any(axis=1)
        return known

    def _with_rest(self, rows: list[np.ndarray]) -> np.ndarray:
        """Return the ranges of rows of each table and of all that is in no table."""
        found = self._between[:1]
        for table, of_table, rest in zip(self._tables, rows, self._between[1:]):
            found += [table.ranges(of_table), rest]
        return np.concatenate(found)

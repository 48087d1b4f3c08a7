"""Columns of categories: which they are, what labels `fit` saw in them, labels as ids of a table.

In a column of labels the ids 1, 2, ... stand for the labels seen in `fit`, in sorted order. A label
that `fit` did not see, and a missing one (None, NaN, NA), has the id 0, the unknown.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from rnnkit.sequences import Form, Sequences
from rnnkit.sequences.categories import label_of, labels_in_order
from rnnkit.sequences.columns import Places, column_names, refuse_column
from rnnkit.sequences.forms import FlatSequences
from rnnkit.sequences.numbers import check_finite, convert_values, is_missing
from rnnkit.sequences.tables import Table, read_table

__all__ = ["Columns"]

Labels = tuple[Any, ...]  # those of the ids 1, 2, ... of a column


class Columns:
    """The columns of a step of an X, opened and not yet converted.

    Parameters
    ----------
    X : array-like, frame, list or Sequences
    lengths : array-like of shape (N,) or None
    step_features : int
        F, where a sequence is given as one row.
    name : str
        The argument's name, for error texts.
    allow_empty : bool, default=False
        Whether a sequence may have no steps.

    Raises
    ------
    TypeError, ValueError
        If X has none of the forms.
    """

    def __init__(
        self, X: Any, lengths: Any, step_features: int, name: str, *, allow_empty: bool = False
    ) -> None:
        self._name = name
        self._numbers: Sequences | None = None
        self._table: Table | None = None
        self._row_names = column_names(X) if Form.of(X).kind == "rows" else ()
        if _holds_numbers(X):
            self._numbers = Sequences.from_any(
                X, lengths, step_features, name, allow_empty=allow_empty, allow_nan=True
            )
            self.n_features = self._numbers.n_features
            self.names: tuple[Any, ...] = getattr(X, "columns", None) or ()
        else:
            self._table = read_table(X, lengths, step_features, name, allow_empty=allow_empty)
            self.n_features, self.names = self._table.n_features, self._table.names
        self._are_of_sequences = isinstance(X, FlatSequences)

    def choose(self, categorical_features: Any) -> tuple[int, ...]:
        """Return the positions of the columns that hold categories.

        Raises
        ------
        ValueError
            If one is named that there is not, or one twice.
        """
        n = self.n_features
        if isinstance(categorical_features, str):  # "from_dtype"
            return tuple(j for j in range(n) if self._table and self._table.holds_labels(j))
        chosen: list[int] = []
        named_rows = len(self._row_names) > n
        for column in categorical_features:
            if isinstance(column, (str, np.str_)):
                places = self._places(str(column), categorical_features)
                chosen += [place for place in places if not (named_rows and place in chosen)]
                continue
            if not -n <= column < n:
                raise ValueError(
                    f"categorical_features={categorical_features!r} names the column {column}, "
                    f"but a step of X has {n}"
                )
            chosen.append(int(column) % n)
        if len(set(chosen)) != len(chosen):
            raise ValueError(f"categorical_features={categorical_features!r} names a column twice")
        return tuple(sorted(chosen))

    def learn(self, positions: tuple[int, ...]) -> tuple[Labels | None, ...]:
        """Return the labels of each of some columns, None where it holds ids already."""
        table = self._table
        if table is None:
            return (None,) * len(positions)
        return tuple(
            labels_in_order(table.column(j))
            if table.holds_labels(j) or table.holds_truths(j)
            else None
            for j in positions
        )

    def refuse_other_names(self, names: tuple[Any, ...] | None) -> None:
        """Raise if these are `Sequences` whose columns have other names than those of `fit`."""
        if self._are_of_sequences and names and self.names and names != self.names:
            raise ValueError(
                f"{self._name} must have the columns of fit in the same order, "
                f"{list(names)}, got {list(self.names)}"
            )

    def sequences(self, positions: tuple[int, ...], labels: tuple[Labels | None, ...]) -> Sequences:
        """Return the steps as numbers, categories as ids.

        Parameters
        ----------
        positions : tuple of int
            Of the columns of categories.
        labels : tuple
            What `learn` returned for each of them in `fit`.

        Raises
        ------
        TypeError, ValueError
            If another column holds anything but finite numbers, or one of categories what it
            cannot hold.
        """
        if self._numbers is not None:
            return self._with_ids(self._numbers, positions, labels)
        table = self._table
        assert table is not None
        columns = dict(zip(positions, labels))
        parts = [
            self._ids(table, j, columns[j]) if j in columns else self._quantities(table, j)
            for j in range(self.n_features)
        ]
        numbers = [part for j, part in enumerate(parts) if j not in columns]
        single = numbers and all(part.dtype == np.float32 for part in numbers)
        values = np.stack(parts, axis=1).astype(np.float32 if single else np.float64)
        return Sequences(values, table.offsets)

    def _places(self, column: str, given: Any) -> list[int]:
        """Return where a column of this name stands in a step."""
        names = self.names or self._row_names
        places = sorted({i % self.n_features for i, name in enumerate(names) if name == column})
        if places:
            return places
        there = f"its columns are {list(names)[:10]}" if names else "its columns have no names"
        raise ValueError(
            f"categorical_features={given!r} names the column {column!r}, which X does not have; "
            f"{there}"
        )

    def _called(self, j: int) -> str:
        return f"column {self.names[j]!r}" if self.names else f"column {j}"

    def _with_ids(
        self, steps: Sequences, positions: tuple[int, ...], labels: tuple[Labels | None, ...]
    ) -> Sequences:
        """Return steps of numbers alone, a missing id as 0."""
        values = steps.values
        for j, of_column in zip(positions, labels):
            if of_column is not None and any(isinstance(label, str) for label in of_column):
                raise ValueError(
                    f"{self._name} must hold labels such as {of_column[0]!r} in {self._called(j)}, "
                    "as in fit, got numbers alone"
                )
            column = values[:, j]
            if of_column is not None:
                ids = _ids_of(column.astype(object), of_column)
            else:
                ids = np.where(np.isnan(column), 0, column)
            if not np.array_equal(ids, column):
                values = values.copy() if values is steps.values else values
                values[:, j] = ids
        place = Places(steps.offsets, self.n_features, self.names)
        check_finite(values, self._name, place, False)
        return steps if values is steps.values else Sequences(values, steps.offsets)

    def _quantities(self, table: Table, j: int) -> np.ndarray:
        """Return a column of finite numbers."""
        refuse_column(table.dtype(j), self._name, f"its {self._called(j)}")

        def place(entry: int) -> str:
            return table.place(entry * self.n_features + j)

        values = convert_values(table.column(j), self._name, place=place)
        check_finite(values, self._name, place, False)
        return values

    def _ids(self, table: Table, j: int, labels: Labels | None) -> np.ndarray:
        """Return the ids of a column of categories."""
        column = table.column(j)
        if labels is not None:
            present = column[~is_missing(column)].tolist()
            texts = all(isinstance(label, str) for label in labels)
            numbers = present and not any(isinstance(v, (str, bytes)) for v in present)
            if texts and numbers and not table.holds_labels(j):
                raise ValueError(
                    f"{self._name} must hold labels in {self._called(j)}, such as {labels[:1]}, "
                    f"as in fit, got numbers such as {present[0]!r}"
                )
            return _ids_of(column, labels)
        if table.holds_labels(j):
            raise ValueError(
                f"{self._name} must hold ids in {self._called(j)}, as in fit, got labels such as "
                f"{next(iter(column.tolist()), None)!r}"
            )
        ids = convert_values(column, self._name, allow_nan=True)
        return np.where(np.isnan(ids), 0, ids)


def _ids_of(column: np.ndarray, labels: Labels) -> np.ndarray:
    id_of = {label: i for i, label in enumerate(labels, start=1)}
    missing = is_missing(column)
    ids = [
        0 if absent else id_of.get(label_of(value), 0)
        for value, absent in zip(column.tolist(), missing)
    ]
    return np.array(ids, dtype=np.float64)


def _holds_numbers(X: Any) -> bool:
    """Whether X is in arrays of numbers, or `Sequences` of them, whose columns are all alike."""
    if isinstance(X, FlatSequences):
        tables = getattr(X, "categories", None) or ()
        return all(table is None for table in tables)
    if isinstance(X, np.ndarray) and X.dtype != object:
        return X.dtype.kind in "iuf"
    items = X if isinstance(X, (list, tuple, np.ndarray)) else ()
    return len(items) > 0 and all(
        isinstance(item, np.ndarray) and item.dtype.kind in "iuf" for item in items
    )

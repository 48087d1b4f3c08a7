"""Steps whose columns may hold anything, labels among them: every form of X as a table of steps."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from typing import Any

import numpy as np

from rnnkit.sequences.columns import (
    Places,
    column_dtypes,
    column_names,
    holds_labels,
    no_numbers,
    shared_columns,
)
from rnnkit.sequences.forms import FlatSequences, Form
from rnnkit.sequences.reading import (
    array_of_item,
    arrays_of_list,
    refuse_empty,
    refuse_masked,
    rows_of_array,
)

__all__ = ["Table", "is_frame", "named_rows", "read_table"]


class Table:
    """All steps of all sequences, column by column, as they were given.

    Parameters
    ----------
    blocks : list
        Rows (T, F) that follow each other: 2-D arrays of any dtype, or frames of one library.
    offsets : ndarray of shape (n + 1,), intp
        Where each sequence starts.
    names : tuple
        Names of the F columns; empty if there are none.
    place : Places
        Names the place of an entry, for error texts.
    labelled : sequence of bool, default=()
        Which columns are known to hold labels, where the blocks' dtypes do not tell.
    """

    def __init__(
        self,
        blocks: list[Any],
        offsets: np.ndarray,
        names: tuple[Any, ...],
        place: Places,
        labelled: Iterable[bool] = (),
    ) -> None:
        self._blocks = blocks
        self.offsets = offsets
        self.names = names
        self.place = place
        self._labelled = tuple(labelled)

    @property
    def n_features(self) -> int:
        """Columns of a step, F."""
        return self.place.n_features

    def column(self, j: int) -> np.ndarray:
        """Return a column (ΣT,), labels as objects."""
        parts = [_column(block, j) for block in self._blocks]
        if len(parts) == 1:
            return parts[0]
        if len({part.dtype for part in parts}) > 1:  # NumPy would turn numbers into text
            parts = [part.astype(object) for part in parts]
        return np.concatenate(parts)

    def dtype(self, j: int) -> Any:
        """Return the dtype of a column in the first block."""
        block = self._blocks[0]
        return column_dtypes(block)[j] if is_frame(block) else block.dtype

    def holds_labels(self, j: int) -> bool:
        """Whether a column's dtype, or a string in it, says that it holds labels."""
        if self._labelled and self._labelled[j]:
            return True
        for block in self._blocks:
            dtype = column_dtypes(block)[j] if is_frame(block) else block.dtype
            if holds_labels(dtype):
                return True
            if str(dtype) == "object" and any(
                isinstance(value, (str, bytes)) for value in _column(block, j)
            ):
                return True
        return False

    def holds_truths(self, j: int) -> bool:
        """Whether a column holds True and False."""
        if str(self.dtype(j)).lower().startswith("bool"):
            return True
        values = self.column(j)
        return values.dtype == object and any(isinstance(v, (bool, np.bool_)) for v in values)

    def holds_no_numbers(self, j: int) -> bool:
        """Whether a column holds labels, dates or anything else that is no number."""
        dtype = self.dtype(j)
        return self.holds_labels(j) or bool(no_numbers(dtype)) or _kind(dtype) in "mMV"

    def rows(self) -> Any:
        """Return the steps as a transformer takes them: one frame if all are, else an array.

        Returns
        -------
        frame of ΣT rows, or ndarray of shape (ΣT, F) of objects
        """
        if is_frame(self._blocks[0]):
            return _joined(self._blocks)
        if self.names:
            columns = {name: self.column(j) for j, name in enumerate(self.names)}
            with suppress(ImportError):
                import pandas

                return pandas.DataFrame(columns).infer_objects()
        rows = np.empty((int(self.offsets[-1]), self.n_features), dtype=object)
        for j in range(self.n_features):
            rows[:, j] = self.column(j)
        return rows


def read_table(
    X: Any, lengths: Any, step_features: int, name: str, *, allow_empty: bool = False
) -> Table:
    """Read any form of X without asking what its columns hold.

    Parameters
    ----------
    X : array-like, frame, list or Sequences
    lengths : array-like of shape (n,), integer, or None
        Steps of each sequence of a padded array; what lies beyond is never looked at.
    step_features : int
        Features F of a step, where a sequence is given as one row.
    name : str
        The argument's name, for error texts.
    allow_empty : bool, default=False
        Whether a sequence may have no steps.

    Returns
    -------
    Table

    Raises
    ------
    TypeError, ValueError
        As `Sequences.from_any`, but for what the columns hold.
    """
    form = Form.of(X)
    if not form.is_dense and lengths is not None:
        raise ValueError(
            f"lengths belongs to a padded array; {name} is a {type(X).__name__}, "
            "whose sequences have their own lengths"
        )
    refuse_masked(X, name)
    labelled: Iterable[bool] = ()
    blocks: list[Any]
    if isinstance(X, FlatSequences):
        tables = getattr(X, "categories", None)
        blocks, labelled = [_decoded(X.values, tables)], [t is not None for t in tables or ()]
        names = getattr(X, "columns", None) or ()
        steps = np.diff(X.offsets)
    elif form.is_dense:
        names = column_names(X)
        array = _objects_of_frame(X) if is_frame(X) else np.asarray(X)
        rows, steps = rows_of_array(array, lengths, step_features, name)
        blocks, n_features = [rows], rows.shape[1]
        if is_frame(X):
            said = [holds_labels(dtype) for dtype in column_dtypes(X)]
            labelled = [all(said[j::n_features]) for j in range(n_features)]
            if len(names) == n_features and len(rows) == len(X):
                blocks = [X]  # a step in every row: the frame as it is
    else:
        items = X if form.kind == "list" else list(np.asarray(X))
        names = shared_columns(items)
        if names and all(is_frame(item) for item in items):
            blocks, steps = list(items), np.array([len(item) for item in items], dtype=np.intp)
        else:
            arrays = [_array(item, i, name) for i, item in enumerate(items)]
            found, steps = arrays_of_list(arrays, step_features, name)
            blocks = [block for block in found if len(block)] or found[:1]
    refuse_empty(steps, name, allow_empty)
    offsets = np.zeros(len(steps) + 1, dtype=np.intp)
    np.cumsum(steps, out=offsets[1:])
    width = len(column_names(blocks[0])) if is_frame(blocks[0]) else blocks[0].shape[1]
    place = Places(offsets, width, names, form.kind == "rows")
    return Table(blocks, offsets, names if len(names) == width else (), place, labelled)


def named_rows(values: np.ndarray, names: tuple[Any, ...], like: Any) -> Any:
    """Return numbers (ΣT, F) as a frame of the library of another, whose memory they share.

    `like` is any frame of it; of one whose library makes no frames of arrays, such as pyarrow,
    pandas takes the place.
    """
    library = type(like).__module__.partition(".")[0]
    if library == "polars":
        import polars

        return polars.DataFrame(values, schema=list(names))
    try:
        import pandas
    except ImportError:
        return values
    return pandas.DataFrame(values, columns=list(names), copy=False)


def is_frame(X: Any) -> bool:
    """Whether X is a frame: two dimensions and names of columns."""
    if isinstance(X, (np.ndarray, list, tuple)):
        return False
    return len(getattr(X, "shape", ())) == 2 and bool(column_names(X))


def _kind(dtype: Any) -> str:
    return dtype.kind if isinstance(dtype, np.dtype) else "O"


def _column(block: Any, j: int) -> np.ndarray:
    if not is_frame(block):
        values: np.ndarray = block[:, j]
        if values.dtype.kind in "US":
            values = values.astype(object)
        return values
    if hasattr(block, "iloc"):
        series = block.iloc[:, j]
    else:
        series = block.to_series(j) if hasattr(block, "to_series") else block.column(j)
    if holds_labels(column_dtypes(block)[j]):
        entries = series.to_pylist() if hasattr(series, "to_pylist") else series.to_list()
        return _objects(entries)
    numbers: np.ndarray = np.asarray(series)
    return numbers


def _objects(entries: list[Any]) -> np.ndarray:
    array = np.empty(len(entries), dtype=object)
    array[:] = entries
    return array


def _objects_of_frame(X: Any) -> np.ndarray:
    array = np.empty((len(X), len(column_names(X))), dtype=object)
    for j in range(array.shape[1]):
        array[:, j] = _column(X, j)
    return array


def _array(item: Any, i: int, name: str) -> np.ndarray:
    """Return one sequence of a list as an array in which numbers beside text stay numbers."""
    if isinstance(item, np.ndarray):
        return item
    if is_frame(item):
        return _objects_of_frame(item)
    if isinstance(item, (list, tuple)):
        try:
            return np.array(item, dtype=object)
        except ValueError:
            return array_of_item(item, i, name)
    if column_dtypes(item):  # a series
        return _objects(item.to_pylist() if hasattr(item, "to_pylist") else item.to_list())
    return array_of_item(item, i, name)


def _decoded(values: np.ndarray, tables: Any) -> np.ndarray:
    """Return values (ΣT, F) with the labels that codes stand for; -1 stands for none."""
    if not any(table is not None for table in tables or ()):
        return values
    rows = values.astype(object)
    for j, table in enumerate(tables):
        if table is not None:
            rows[:, j] = _objects([*table, None])[values[:, j].astype(np.intp)]
    return rows


def _joined(frames: list[Any]) -> Any:
    """Return frames of one library below each other; those of pyarrow as one of pandas."""
    library = type(frames[0]).__module__.partition(".")[0]
    if library == "polars":
        import polars

        return polars.concat(frames, how="vertical_relaxed")
    if library == "pyarrow":
        frames = [frame.to_pandas() for frame in frames]
    import pandas

    return pandas.concat(frames, ignore_index=True)

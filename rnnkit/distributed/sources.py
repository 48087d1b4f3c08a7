"""Sequences that stay in files: what they are like, and their steps block by block."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise
from typing import Any

import numpy as np

from rnnkit.exceptions import MissingExtraError
from rnnkit.sequences import Sequences
from rnnkit.sequences.categories import ColumnLabels
from rnnkit.sequences.ids import Ids

__all__ = ["StoredSequences"]

BLOCK_BYTES = 2**24


class StoredSequences:
    """Sequences whose steps stay in files and are read in blocks of neighbours.

    `rnnkit.distributed.fit` trains on them in memory that does not grow with the steps: it holds
    a few blocks at a time. The lengths and targets of all sequences are in memory.

    Parameters
    ----------
    read : callable
        ``read(first, last)`` returns the steps ``first:last`` of all, shape (last - first, F).
    offsets : array-like of shape (n + 1,), integer
        Where each sequence starts, then ΣT.
    y : array-like, default=None
        Targets, one for each sequence or each step of all; None: to be given to `fit`.
    ids : array-like of shape (n,), default=None
        What each sequence is called.
    block_bytes : int, default=16 MiB
        Size of a block, which holds whole sequences, one at least.

    Attributes
    ----------
    offsets : ndarray of shape (n + 1,), intp
    y, ids
        As given.
    bounds : ndarray of shape (n_blocks + 1,), intp
        The first sequence of each block, then n.
    n_features : int
    dtype : dtype

    Raises
    ------
    ValueError
        If offsets do not describe consecutive sequences, there are not as many ids as sequences,
        or one is missing.

    Examples
    --------
    >>> import numpy as np
    >>> from rnnkit.distributed import StoredSequences
    >>> stored = StoredSequences.from_arrays(np.zeros((6, 2), np.float32), [0, 2, 6])
    >>> stored
    StoredSequences(n=2, steps=6, n_features=2, dtype=float32, blocks=1)
    >>> [len(block) for block in stored.blocks()]
    [2]
    """

    def __init__(
        self,
        read: Callable[[int, int], np.ndarray],
        offsets: Any,
        y: Any = None,
        ids: Any = None,
        *,
        block_bytes: int = BLOCK_BYTES,
    ) -> None:
        if isinstance(block_bytes, bool) or not block_bytes >= 1:
            raise ValueError(f"block_bytes must be at least 1, got {block_bytes!r}")
        offsets = np.asarray(offsets)
        if offsets.ndim != 1 or len(offsets) < 2 or offsets.dtype.kind not in "iu":
            raise ValueError(
                "offsets must be a 1-D array of at least two integers, "
                f"got shape {offsets.shape} and dtype {offsets.dtype}"
            )
        # Whether they start with 0 and never decrease is seen as for any sequences.
        self.offsets = Sequences(np.empty((int(offsets[-1]), 0)), offsets).offsets
        self.y, self.ids = y, ids
        self._ids = Ids.of(ids, len(self))
        self._columns: ColumnLabels | None = None
        self._read = read
        first = self._steps(0, min(1, int(self.offsets[-1])))
        self.n_features = int(first.shape[1])
        self.dtype = first.dtype
        n_rows = max(1, block_bytes // max(1, first[:1].nbytes))
        self.bounds = _bounds(self.offsets, n_rows)

    @classmethod
    def from_arrays(
        cls, values: Any, offsets: Any = None, y: Any = None, **options: Any
    ) -> StoredSequences:
        """Take what can be sliced: a memory map, a data set of HDF5, an array of zarr.

        Parameters
        ----------
        values : array-like of shape (ΣT, F), (ΣT,) or (n, T, F)
            Has `shape` and `dtype`; ``values[first:last]`` reads some.
        offsets : array-like of shape (n + 1,), default=None
            Where each sequence starts; None for three dimensions, all of T steps.
        y : array-like, default=None
        **options : dict
            `ids` and `block_bytes`.

        Returns
        -------
        StoredSequences

        Raises
        ------
        ValueError
            If shapes do not fit.
        """
        shape = tuple(values.shape)
        if len(shape) == 3:
            if offsets is not None:
                raise ValueError("offsets must be None for values of three dimensions")
            n, n_steps, n_features = shape
            offsets = np.arange(n + 1) * n_steps

            def read(first: int, last: int) -> np.ndarray:
                start, stop = first // n_steps, -(-last // n_steps)
                steps = np.asarray(values[start:stop]).reshape(-1, n_features)
                return steps[first - start * n_steps : last - start * n_steps]

            return cls(read, offsets, y, **options)
        if len(shape) not in (1, 2) or offsets is None:
            raise ValueError(
                "values must have shape (n, T, F), or (steps, F) beside offsets, got "
                f"{shape}{'' if offsets is not None else ' and no offsets'}"
            )
        if int(np.asarray(offsets)[-1]) != shape[0]:
            raise ValueError(
                f"offsets must end with the number of steps {shape[0]}, got "
                f"{np.asarray(offsets)[-1]}"
            )
        return cls(lambda first, last: np.asarray(values[first:last]), offsets, y, **options)

    @classmethod
    def from_group(
        cls, group: Any, values: str = "values", offsets: str = "offsets", target: str | None = None
    ) -> StoredSequences:
        """Take a group of HDF5 (h5py) or zarr that holds values and offsets as data sets.

        Parameters
        ----------
        group : h5py.Group or zarr.Group
            Stays open while it is read.
        values, offsets : str
            Names of the data sets; one of three dimensions needs no offsets.
        target : str, default=None
            Name of that of the targets, (n, ...) or (ΣT, ...).

        Returns
        -------
        StoredSequences

        Raises
        ------
        KeyError
            If there is no such data set.
        ValueError
            As `from_arrays`.
        """
        y = None if target is None else np.asarray(group[target][:])
        array = group[values]
        of_steps = len(array.shape) < 3
        return cls.from_arrays(array, np.asarray(group[offsets][:]) if of_steps else None, y)

    @classmethod
    def from_arrow(
        cls,
        dataset: Any,
        group: str,
        columns: str | Sequence[str] | None = None,
        target: str | None = None,
        *,
        target_per: str = "sequence",
        **options: Any,
    ) -> StoredSequences:
        """Take an Arrow data set whose rows are steps: a folder of parquet files, for example.

        Parameters
        ----------
        dataset : pyarrow.dataset.Dataset, or path
            A path is that of a folder, or a file, of parquet. The rows of a sequence follow one
            another, in the order of its steps.
        group : str
            The column whose value names the sequence.
        columns : str or list of str, default=None
            The features, numbers all; None: all but `group` and `target`.
        target : str, default=None
            The column to predict.
        target_per : {"sequence", "step"}, default="sequence"
            Whether the first step's target is that of the sequence, or each step has one.
        **options : dict
            `block_bytes`.

        Returns
        -------
        StoredSequences
            With `ids`; the names of the columns are learnt in `fit`, as those of a frame.

        Raises
        ------
        MissingExtraError
            If pyarrow is not installed.
        ValueError
            If a column is not there or holds no numbers, a value of `group` is missing, or the
            rows of one do not follow one another.
        """
        if target_per not in ("sequence", "step"):
            raise ValueError(f"target_per must be 'sequence' or 'step', got {target_per!r}")
        table = _ArrowRows(dataset)
        columns = [columns] if isinstance(columns, str) else columns
        names = table.check(group, columns, target)
        ids, offsets = table.runs(group)
        y: Any = None
        if target is not None:
            y = table.column(target)
            if target_per == "sequence":
                y = y[offsets[:-1]]
            else:
                y = [y[a:b] for a, b in pairwise(offsets.tolist())]
        stored = cls(lambda a, b: table.rows(names, a, b), offsets, y, ids, **options)
        stored._columns = ColumnLabels(tuple(names), (None,) * len(names))
        return stored

    def __len__(self) -> int:
        return len(self.offsets) - 1

    @property
    def n_blocks(self) -> int:
        """Number of blocks."""
        return len(self.bounds) - 1

    def block(self, number: int) -> Sequences:
        """Read a block.

        Parameters
        ----------
        number : int

        Returns
        -------
        Sequences
        """
        start, stop = self.bounds[number : number + 2]
        offsets = self.offsets[start : stop + 1]
        ids = None if self._ids is None else self._ids.take(slice(start, stop))
        steps = self._steps(int(offsets[0]), int(offsets[-1]))
        return Sequences(steps, offsets - offsets[0], ids)._with(self._columns)

    def blocks(self) -> Iterator[Sequences]:
        """Read all blocks, one after the other; for predictions in constant memory."""
        return map(self.block, range(self.n_blocks))

    def _steps(self, first: int, last: int) -> np.ndarray:
        steps = np.asarray(self._read(first, last))
        steps = steps[:, None] if steps.ndim == 1 else steps
        if len(steps) != last - first:
            raise ValueError(
                f"the steps {first} to {last} were asked for, and {len(steps)} were read"
            )
        return steps

    def __repr__(self) -> str:
        return (
            f"StoredSequences(n={len(self)}, steps={self.offsets[-1]}, "
            f"n_features={self.n_features}, dtype={self.dtype}, blocks={self.n_blocks})"
        )


def _bounds(offsets: np.ndarray, n_rows: int) -> np.ndarray:
    """Return where blocks of about so many rows of whole sequences begin and end."""
    bounds = [0]
    n = len(offsets) - 1
    while bounds[-1] < n:
        start = bounds[-1]
        stop = int(np.searchsorted(offsets, offsets[start] + n_rows, side="right")) - 1
        bounds.append(min(max(start + 1, stop), n))
    return np.array(bounds, np.intp)


class _ArrowRows:
    """The rows of an Arrow data set, read by their number.

    Fragments are cut by row groups where the files have any, and one after the other is looked at.
    """

    def __init__(self, dataset: Any) -> None:
        try:
            from pyarrow import dataset as arrow
        except ImportError:
            raise MissingExtraError("pyarrow", "frames", "StoredSequences.from_arrow") from None
        if not isinstance(dataset, arrow.Dataset):
            dataset = arrow.dataset(dataset, format="parquet")
        self._schema = dataset.schema
        self._parts: list[Any] = []
        for fragment in dataset.get_fragments():
            split = getattr(fragment, "split_by_row_group", None)
            self._parts += [fragment] if split is None else split()
        counts = [_n_rows(part) for part in self._parts]
        self._starts = np.concatenate([[0], np.cumsum(counts, dtype=np.intp)])

    def check(self, group: str, columns: Sequence[str] | None, target: str | None) -> list[str]:
        """Return the names of the features, all of which are there and hold numbers."""
        import pyarrow as pa

        there = list(self._schema.names)
        asked = [group, *(columns or ()), *([] if target is None else [target])]
        for name in asked:
            if name not in there:
                raise ValueError(f"the data set has no column {name!r}; its columns are {there}")
        names = list(columns) if columns is not None else [n for n in there if n not in asked]
        for name in names:
            kind = self._schema.field(name).type
            if not (pa.types.is_floating(kind) or pa.types.is_integer(kind)):
                raise ValueError(f"column {name!r} must hold numbers, got {kind}")
        if not names:
            raise ValueError("the data set has no column of features")
        return names

    def column(self, name: str) -> np.ndarray:
        """Return a column of all rows."""
        parts = [self._read(part, [name])[0] for part in self._parts]
        column: np.ndarray = np.concatenate(parts)
        return column

    def runs(self, group: str) -> tuple[np.ndarray, np.ndarray]:
        """Return the value of each run of equal values of a column, and where it starts.

        Raises
        ------
        ValueError
            If a value comes again after another one.
        """
        ids: list[Any] = []
        starts: list[int] = []
        for part, first in zip(self._parts, self._starts.tolist()):
            (values,) = self._read(part, [group])
            if not len(values):
                continue
            changes = np.flatnonzero(values[1:] != values[:-1]) + 1
            places = [0, *changes.tolist()]
            if ids and ids[-1] == values[0]:
                places = places[1:]
            ids += values[places].tolist() if places else []
            starts += [first + place for place in places]
        counts = Counter(ids)
        if len(counts) != len(ids):
            again = counts.most_common(1)[0][0]
            raise ValueError(
                f"the rows of {group}={again!r} must follow one another; sort the data set by "
                f"{group!r}"
            )
        return np.array(ids), np.array([*starts, self._starts[-1]], np.intp)

    def rows(self, names: list[str], first: int, last: int) -> np.ndarray:
        """Return some rows of some columns, (last - first, F)."""
        start = int(np.searchsorted(self._starts, first, side="right")) - 1
        found: list[np.ndarray] = []
        while first < last:
            begin = int(self._starts[start])
            columns = self._read(self._parts[start], names, first - begin, last - begin)
            block = np.stack(columns, axis=1)
            found.append(block)
            first += len(block)
            start += 1
        if not found:
            found = [np.stack(self._read(self._parts[0], names, 0, 0), axis=1)]
        rows: np.ndarray = np.concatenate(found)
        return rows

    def _read(
        self, part: Any, names: list[str], first: int = 0, last: int | None = None
    ) -> list[np.ndarray]:
        table = part.to_table(columns=names, schema=self._schema)
        table = table.slice(first, None if last is None else last - first)
        return [table.column(name).to_numpy() for name in names]


def _n_rows(fragment: Any) -> int:
    """Return the rows of a fragment; `count_rows` would count all of a file that was split."""
    groups = getattr(fragment, "row_groups", None)
    if groups is None:
        return int(fragment.count_rows())
    return sum(int(group.num_rows) for group in groups)

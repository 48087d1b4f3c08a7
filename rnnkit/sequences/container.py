"""The ragged container: all steps of all sequences in one array, and where each one starts."""

from __future__ import annotations

import operator
from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Any

import numpy as np

from rnnkit.sequences.categories import ColumnLabels, refuse_categories
from rnnkit.sequences.channels import ChannelFirst
from rnnkit.sequences.columns import Places
from rnnkit.sequences.forms import constant
from rnnkit.sequences.frames import read_frame
from rnnkit.sequences.ids import Ids
from rnnkit.sequences.numbers import check_finite, convert_values
from rnnkit.sequences.reading import as_array, read, refuse_empty

__all__ = ["Sequences"]


class Sequences(ChannelFirst):
    """Sequences of different lengths in one flat array.

    Passes as X through scikit-learn's splitters, searches and pipelines: it has a length,
    ``shape == (n,)`` and is indexed like a 1-D array. Sequence i is the view
    ``values[offsets[i]:offsets[i + 1]]``.

    Parameters
    ----------
    values : array-like of shape (ΣT, F) or (ΣT,)
        The steps of all sequences, one sequence after the other; real numbers of any dtype.
        Kept without a copy if C-contiguous; objects become float64. One dimension is read as
        F = 1.
    offsets : array-like of shape (n + 1,), integer
        Where each sequence starts, then ΣT; starts with 0 and never decreases. Copied.
    ids : array-like of shape (n,), default=None
        What each sequence is called: numbers, text, dates or tuples. Several sequences may have
        one id.

    Attributes
    ----------
    values : ndarray of shape (ΣT, F)
    offsets : ndarray of shape (n + 1,), intp
        Cannot be written to; neither attribute can be set.
    ids : ndarray of shape (n,) or None
        Read-only. Kept by slices, index arrays, masks, pickles and what returns `Sequences`.
        They serve as `groups` of scikit-learn's splitters. A y or `sample_weight` with a pandas
        index, or that is `Sequences` with ids, is refused by every estimator if it has others or
        another order; unnamed whole numbers that only count rows are no ids.

    Raises
    ------
    ValueError
        If the shapes do not fit, `offsets` do not describe consecutive sequences, or an id is
        missing.

    Examples
    --------
    >>> import numpy as np
    >>> from rnnkit.sequences import Sequences
    >>> X = Sequences.from_list([np.zeros((3, 2)), np.ones((1, 2)), np.zeros((2, 2))])
    >>> X
    Sequences(n=3, steps=6, n_features=2, dtype=float64)
    >>> X[1]
    array([[1., 1.]])
    >>> X[[2, 0]].lengths
    array([2, 3])
    """

    __slots__ = ()

    def __init__(self, values: Any, offsets: Any, ids: Any = None) -> None:
        values = as_array(values, "values")
        if values.ndim == 1:
            values = values[:, None]
        if values.ndim != 2:
            raise ValueError(f"values must have shape (steps, features), got {values.shape}")
        if values.dtype == object:
            values = convert_values(values, "values", allow_nan=True)
        if values.dtype.kind not in "biuf":
            raise ValueError(f"values must hold real numbers, got dtype {values.dtype}")
        offsets = np.asarray(offsets)
        if offsets.ndim != 1 or len(offsets) == 0 or offsets.dtype.kind not in "iu":
            raise ValueError(
                "offsets must be a 1-D array of at least one integer, "
                f"got shape {offsets.shape} and dtype {offsets.dtype}"
            )
        offsets = constant(offsets)
        if offsets[0] != 0 or offsets[-1] != len(values):
            raise ValueError(
                f"offsets must start with 0 and end with the number of steps {len(values)}, "
                f"got {offsets[0]} and {offsets[-1]}"
            )
        if (offsets[1:] < offsets[:-1]).any():
            i = int(np.argmax(offsets[1:] < offsets[:-1]))
            raise ValueError(f"offsets must not decrease, got {offsets[i]} before {offsets[i + 1]}")
        self._values = np.ascontiguousarray(values)
        self._offsets = offsets
        self._ids = Ids.of(ids, len(offsets) - 1)
        self._columns: ColumnLabels | None = None

    @classmethod
    def from_any(
        cls,
        X: Any,
        lengths: Any = None,
        step_features: int = 1,
        name: str = "X",
        *,
        dtype: Any = None,
        allow_empty: bool = False,
        allow_nan: bool = False,
    ) -> Sequences:
        """Read any of the four forms of input, checked and in the compute dtype.

        The input is never written to; its memory is shared where nothing has to change.

        Parameters
        ----------
        X : array-like, frame, list or Sequences
            A 3-D array (n, T, F); a 2-D array or frame (n, T * step_features); a list, tuple
            or 1-D object array of arrays (T_i, F) or (T_i,); or `Sequences`. Columns of a
            frame hold numbers, of whatever dtype.
        lengths : array-like of shape (n,), integer, or "nan", default=None
            Steps of each sequence of a padded array; what lies beyond is never looked at. "nan":
            up to the last step that is not all NaN.
        step_features : int, default=1
            Features F of a step, where a sequence is given as one row of numbers.
        name : str, default="X"
            The argument's name, for error texts.
        dtype : None, float32, float64 or "tokens", default=None
            None keeps float32 and turns every other type into float64; "tokens" reads
            non-negative integers as intp.
        allow_empty : bool, default=False
            Whether a sequence may have no steps.
        allow_nan : bool, default=False
            Whether a value may be NaN; `pandas.NA` then becomes NaN.

        Returns
        -------
        Sequences
            `X` itself if it is `Sequences` and nothing has to change.

        Raises
        ------
        TypeError
            If the type of `X`, of an object in it, or of `lengths` is not accepted.
        ValueError
            If there is no sequence, one is empty, shapes do not fit, a value is not a finite
            real number that the dtype can hold, or a column holds dates, text or categories
            (of `Sequences`: has `categories`).
        """
        if not isinstance(X, Sequences):
            return cls(*read(X, lengths, step_features, name, dtype, allow_empty, allow_nan))
        if lengths is not None:
            raise ValueError(f"lengths belongs to a padded array; {name} is a Sequences")
        if X.n_features == 0:
            raise ValueError(
                f"Found array with 0 feature(s) (shape={X.values.shape}) "
                f"while a minimum of 1 is required for {name}."
            )
        refuse_empty(X.lengths, name, allow_empty)
        refuse_categories(X, name)
        place = Places(X.offsets, X.n_features)
        values = convert_values(X.values, name, dtype, place=place)
        check_finite(values, name, place, allow_nan)
        return X if values is X.values else cls(values, X.offsets, X._ids)._with(X._columns)

    @classmethod
    def from_list(
        cls, sequences: Sequence[Any], ids: Any = None, *, allow_nan: bool = False
    ) -> Sequences:
        """Read a list of arrays, one per sequence.

        Parameters
        ----------
        sequences : list, tuple or 1-D object array
            Arrays of shape (T_i, F), or (T_i,) for F = 1.
        ids : array-like of shape (n,), default=None
            What each sequence is called.
        allow_nan : bool, default=False
            Whether a value may be NaN.

        Returns
        -------
        Sequences
            float32 if all arrays are, float64 otherwise.

        Raises
        ------
        TypeError, ValueError
            As `from_any`; if there are not as many ids as sequences, or one is missing.
        """
        return cls.from_any(sequences, name="sequences", allow_nan=allow_nan)._called(ids)

    @classmethod
    def from_array(
        cls, X: Any, lengths: Any = None, ids: Any = None, *, allow_nan: bool = False
    ) -> Sequences:
        """Read a padded array.

        Parameters
        ----------
        X : array-like of shape (n, T, F) or (n, T)
        lengths : array-like of shape (n,), integer, or "nan", default=None
            Steps of each sequence; None: all T. "nan": up to its last step that is not all NaN,
            as tslearn and aeon fill up rectangles. Axes (n, F, T) are turned by
            ``X.transpose(0, 2, 1)`` first.
        ids : array-like of shape (n,), default=None
            What each sequence is called.
        allow_nan : bool, default=False
            Whether a value may be NaN.

        Returns
        -------
        Sequences
            Shares the memory of a C-contiguous float array without padding.

        Raises
        ------
        TypeError, ValueError
            As `from_any`; if there are not as many ids as sequences, or one is missing.
        """
        return cls.from_any(np.asanyarray(X), lengths, allow_nan=allow_nan)._called(ids)

    @classmethod
    def from_frame(
        cls,
        df: Any,
        group: str | Sequence[str],
        sort: str | Sequence[str] | None = None,
        columns: str | Sequence[str] | None = None,
        target: str | Sequence[str] | None = None,
        *,
        target_per: str | None = None,
        allow_nan: bool = False,
    ) -> Any:
        """Read a long frame: one row per step, a column that says which sequence it belongs to.

        Parameters
        ----------
        df : pandas, polars or pyarrow frame
        group : str or list of str
            Column(s) whose value names the sequence: its id, a tuple if they are several.
            Sequences come in the order in which their group first appears.
        sort : str or list of str, default=None
            Column(s) that order the steps of a sequence; None keeps the order of the rows.
        columns : str or list of str, default=None
            The features; None: all columns but `group`, `sort` and `target`. Numbers, and labels
            (categories or text), which are kept as codes beside `categories`.
        target : str or list of str, default=None
            Column(s) to predict, returned as y in the order of the sequences.
        target_per : {None, "sequence", "step"}, default=None
            Whether y has a target for each sequence, the one value that its rows hold where they
            hold one, or for each step. None: for each sequence if the column is constant within
            every group, else for each step.
        allow_nan : bool, default=False
            Whether a feature may be missing, which becomes NaN (see
            `rnnkit.preprocessing.SequenceImputer`). A target per step may always be.

        Returns
        -------
        X : Sequences
            With `ids`. Alone where `target` is None.
        y : ndarray of shape (n,) or (n, K), or object array of n arrays (T_i,) or (T_i, K)
            For each sequence, or for each step; K columns where `target` is a list. A missing
            target of a step is NaN, or None where targets are no numbers.

        Raises
        ------
        MissingExtraError
            If narwhals is not installed.
        TypeError
            If `df` is not a frame, or a column is named by anything but a string.
        ValueError
            If a column does not exist, a group or sort key is missing, a feature is not a finite
            number, or a target for each sequence is missing or not one.

        Examples
        --------
        >>> import pandas as pd
        >>> df = pd.DataFrame({"patient": ["b", "a", "b"], "day": [2, 1, 1],
        ...                    "pulse": [80, 60, 70], "ill": [True, False, True]})
        >>> from rnnkit.sequences import Sequences
        >>> X, y = Sequences.from_frame(df, group="patient", sort="day", target="ill")
        >>> X.to_list()
        [array([[70.],
               [80.]]), array([[60.]])]
        >>> X.ids.tolist(), y.tolist()
        (['b', 'a'], [True, False])
        """
        long = read_frame(df, group, sort, columns, target, target_per, allow_nan)
        X = cls(long.values, long.offsets, long.ids)._with(long.columns)
        return X if target is None else (X, long.y)

    @property
    def ids(self) -> np.ndarray | None:
        """What each sequence is called, shape (n,), or None; read-only."""
        return None if self._ids is None else self._ids.values

    @property
    def columns(self) -> tuple[Any, ...] | None:
        """Names of the F columns if of a long frame, else None; compared as those of frames are."""
        return None if self._columns is None else self._columns.names

    @property
    def categories(self) -> tuple[tuple[Any, ...] | None, ...] | None:
        """For each column the labels that its codes 0, 1, ... stand for, None if it has numbers.

        The code -1 stands for a missing label. None if the columns have no names.
        """
        return None if self._columns is None else self._columns.categories

    def _with(self, columns: ColumnLabels | None) -> Sequences:
        self._columns = columns
        return self

    @property
    def shape(self) -> tuple[int]:
        """``(n,)``, the number of sequences."""
        return (len(self),)

    @property
    def dtype(self) -> np.dtype:
        """The dtype of the values."""
        return self.values.dtype

    @property
    def n_features(self) -> int:
        """Features of a step, F."""
        return int(self.values.shape[1])

    @property
    def lengths(self) -> np.ndarray:
        """Steps of each sequence, shape (n,), intp."""
        return np.diff(self.offsets)

    def __len__(self) -> int:
        return len(self.offsets) - 1

    def __iter__(self) -> Iterator[np.ndarray]:
        bounds = self.offsets.tolist()
        return (self.values[a:b] for a, b in pairwise(bounds))

    def __getitem__(self, key: Any) -> Any:
        """Return the (T, F) view of one sequence, or the chosen ones as `Sequences`.

        `key` is an integer, a slice, an index array, a mask, or ``(key, ...)``.
        """
        if isinstance(key, tuple):
            if not (len(key) == 1 or (len(key) == 2 and key[1] is Ellipsis)):
                raise IndexError(f"Sequences have one dimension, got the index {key!r}")
            key = key[0]
        if isinstance(key, slice):
            return self._slice(key)._with(self._columns)
        if np.ndim(key) == 0 and not isinstance(key, (bool, np.bool_)) and key is not Ellipsis:
            i = range(len(self))[operator.index(key)]
            return self.values[self.offsets[i] : self.offsets[i + 1]]
        if key is Ellipsis:
            return self
        return self._take(np.arange(len(self))[_index_array(key)])._with(self._columns)

    def _slice(self, key: slice) -> Sequences:
        start, stop, step = key.indices(len(self))
        if step != 1:
            return self._take(np.arange(start, stop, step))
        offsets = self.offsets[start : max(start, stop) + 1]
        ids = None if self._ids is None else self._ids.take(slice(start, start + len(offsets) - 1))
        return Sequences(self.values[offsets[0] : offsets[-1]], offsets - offsets[0], ids)

    def _take(self, indices: np.ndarray) -> Sequences:
        if indices.ndim != 1:
            raise IndexError(f"an index array must have 1 dimension, got {indices.ndim}")
        starts = self.offsets[indices]
        lengths = self.offsets[indices + 1] - starts
        offsets = np.zeros(len(indices) + 1, dtype=np.intp)
        np.cumsum(lengths, out=offsets[1:])
        rows = np.arange(offsets[-1]) + np.repeat(starts - offsets[:-1], lengths)
        ids = None if self._ids is None else self._ids.take(indices)
        return Sequences(self.values[rows], offsets, ids)

    def _called(self, ids: Any) -> Sequences:
        if ids is None:
            return self
        return type(self)(self.values, self.offsets, ids)._with(self._columns)

    def to_list(self) -> list[np.ndarray]:
        """Return the sequences as a list of (T_i, F) views.

        Returns
        -------
        list of ndarray
        """
        return list(self)

    def to_padded(self, fill: float = 0) -> tuple[np.ndarray, np.ndarray]:
        """Return the sequences as one array, filled up to the longest.

        Parameters
        ----------
        fill : float, default=0
            What stands beyond the end of a sequence.

        Returns
        -------
        X : ndarray of shape (n, T, F)
        lengths : ndarray of shape (n,), intp

        Raises
        ------
        ValueError
            If the values' dtype cannot hold `fill`.
        """
        lengths = self.lengths
        n_steps = int(lengths.max(initial=0))
        X = np.full((len(self), n_steps, self.n_features), _as_dtype(fill, self.dtype))
        X[np.arange(n_steps) < lengths[:, None]] = self.values
        return X, lengths

    def __reduce__(self) -> tuple[Any, ...]:
        ids = [] if self._ids is None else [self._ids]
        return Sequences, (self.values, self.offsets, *ids), self._columns

    def __setstate__(self, columns: ColumnLabels) -> None:
        self._columns = columns

    def __repr__(self) -> str:
        return (
            f"Sequences(n={len(self)}, steps={len(self.values)}, "
            f"n_features={self.n_features}, dtype={self.values.dtype})"
        )


def _as_dtype(fill: float, dtype: np.dtype) -> np.ndarray:
    """Return what fills padding, in the values' dtype; of integers exactly."""
    number = convert_values(np.asarray(fill), "fill", dtype if dtype.kind == "f" else None)
    with np.errstate(invalid="ignore"):
        converted = number.astype(dtype)
    if dtype.kind != "f" and converted != number:
        raise ValueError(f"fill={fill!r} is no value of dtype {dtype}")
    return converted


def _index_array(key: Any) -> np.ndarray:
    indices = np.asarray(key)
    return indices.astype(np.intp) if indices.size == 0 and indices.dtype != bool else indices

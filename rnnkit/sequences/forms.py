"""The forms in which sequences are given: recognised once, and results given back alike."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

__all__ = ["FlatSequences", "Form", "constant", "looks_channel_first", "split_steps"]

CHANNEL_FIRST_RATIO = 10  # a last axis so much longer than the middle one is rarely features


class FlatSequences:
    """Base of the container whose sequences lie in one array: `rnnkit.sequences.Sequences`."""

    __slots__ = ("_columns", "_ids", "_offsets", "_values")

    _values: np.ndarray
    _offsets: np.ndarray
    _ids: Any
    _columns: Any  # their names, and what codes in them stand for; None: unknown

    @property
    def values(self) -> np.ndarray:
        """The steps of all sequences, (ΣT, F)."""
        return self._values

    @property
    def offsets(self) -> np.ndarray:
        """Where each sequence starts in `values`, then ΣT: (n + 1,) intp, not to be changed."""
        return self._offsets


def constant(indices: np.ndarray) -> np.ndarray:
    """Return a copy of indices as intp that nobody can write to.

    What was checked once stays as it was checked: the flag of an array that owns its memory could
    be set back, that of bytes cannot.
    """
    return np.frombuffer(indices.astype(np.intp, copy=False).tobytes(), np.intp)


@dataclass(frozen=True)
class Form:
    """The form of an X, which decides the form of what is computed from it.

    Dense in, dense out; a list, an object array or `Sequences` in, the same out.

    Parameters
    ----------
    kind : {"rows", "array", "list", "objects", "sequences"}
        A 2-D array or frame, whose rows are sequences; a 3-D array; a list or tuple; a 1-D
        object array; `Sequences`.
    n_steps : int, default=0
        T of a dense form.
    is_flat : bool, default=False
        Whether each of a list's, or an object array's, sequences has one dimension, (T_i,).
    container : type, default=None
        The class of `Sequences`.
    ids : Ids, default=None
        What the sequences of `Sequences` are called.
    """

    kind: str
    n_steps: int = 0
    is_flat: bool = False
    container: Any = None
    ids: Any = field(default=None, repr=False, compare=False)

    @classmethod
    def of(cls, X: Any, step_features: int = 1) -> Form:
        """Recognise the form of X; whether it holds what it should is not looked at.

        Parameters
        ----------
        X : array-like, frame, list or Sequences
        step_features : int, default=1
            F, the columns of a two-dimensional X that make a step.

        Returns
        -------
        Form

        Examples
        --------
        >>> import numpy as np
        >>> from rnnkit.sequences import Form
        >>> Form.of(np.ones((4, 6)), step_features=2)
        Form(kind='rows', n_steps=3, is_flat=False, container=None)
        >>> Form.of([[1.0, 2.0], [3.0, 4.0]])
        Form(kind='list', n_steps=0, is_flat=True, container=None)
        """
        if isinstance(X, FlatSequences):
            return cls("sequences", container=type(X), ids=X._ids)
        if isinstance(X, (list, tuple)):
            return cls("list", is_flat=len(X) > 0 and _is_flat(X[0]))
        array = X if isinstance(getattr(X, "shape", None), tuple) else np.asarray(X)
        if len(array.shape) == 1 and not isinstance(array, np.ma.MaskedArray):
            items = np.asarray(array)
            if items.dtype == object:
                return cls("objects", is_flat=len(items) > 0 and _is_flat(items[0]))
        if len(array.shape) == 3:
            return cls("array", array.shape[1])
        return cls("rows", array.shape[1] // step_features if len(array.shape) == 2 else 0)

    @property
    def is_dense(self) -> bool:
        """Whether every sequence takes the same room."""
        return self.kind in ("rows", "array")

    def named(self, X: Any) -> Any:
        """Return what may have names of columns: X itself, or the first sequence of a list."""
        if self.kind == "list":
            return X[0] if len(X) else X
        return np.asarray(X)[0] if self.kind == "objects" else X

    def restore(self, values: np.ndarray, offsets: np.ndarray) -> Any:
        """Give results per step back in this form.

        Parameters
        ----------
        values : ndarray of shape (ΣT,) or (ΣT, K)
            One entry per real step.
        offsets : ndarray of shape (n + 1,), intp
            Where each sequence starts in `values`, then ΣT.

        Returns
        -------
        ndarray of shape (n, T) or (n, T, K), list, object array or Sequences
            Dense: zero beyond a sequence's length, None where values are objects. Otherwise
            results with features (T_i, K) come in a list, an object array or `Sequences` as X
            did; results without, (T_i,), always in an object array.

        Examples
        --------
        >>> import numpy as np
        >>> from rnnkit.sequences import Form
        >>> Form("array", n_steps=2).restore(np.array([5, 6, 7]), np.array([0, 2, 3]))
        array([[5, 6],
               [7, 0]])
        """
        if self.is_dense:
            return self._pad(values, offsets)
        if self.kind == "list" and values.ndim > 1:
            return list(split_steps(values, offsets))
        if self.kind == "sequences" and values.ndim == 2 and values.dtype.kind in "biuf":
            return self.container(values, offsets, self.ids)
        return split_steps(values, offsets)

    def restore_data(self, values: np.ndarray, offsets: np.ndarray) -> Any:
        """Give new steps (ΣT, F) back in the very shape of X, as transformers do.

        Rows stay rows, (n, T·F), and sequences of one dimension stay so where F is 1.
        """
        if self.kind == "rows":
            padded = self._pad(values, offsets)
            return padded.reshape(len(padded), -1)
        if self.is_flat and values.shape[1] == 1:
            pieces = split_steps(values[:, 0], offsets)
            return list(pieces) if self.kind == "list" else pieces
        return self.restore(values, offsets)

    def _pad(self, values: np.ndarray, offsets: np.ndarray) -> np.ndarray:
        lengths = np.diff(offsets)
        shape = (len(lengths), self.n_steps, *values.shape[1:])
        if np.all(lengths == self.n_steps):
            return values.reshape(shape)
        padded = np.zeros(shape, values.dtype)
        if values.dtype == object:
            padded[:] = None
        padded[np.arange(self.n_steps) < lengths[:, None]] = values
        return padded


def split_steps(values: np.ndarray, offsets: np.ndarray) -> np.ndarray:
    """Cut values per step (ΣT, ...) into a 1-D object array of one array per sequence."""
    pieces = np.empty(len(offsets) - 1, dtype=object)
    bounds = offsets.tolist()
    for i in range(len(pieces)):
        pieces[i] = values[bounds[i] : bounds[i + 1]]
    return pieces


def looks_channel_first(X: Any) -> bool:
    """Whether the axes of X look like (n, channels, steps) rather than (n, steps, features).

    Only the shape is looked at: three axes, the last at least ten times the middle one. A few
    steps of many features, such as embeddings, look alike: this gives reason to warn, not to
    refuse.

    Parameters
    ----------
    X : array-like, frame, list or Sequences
        Only an array of three axes can look so.

    Examples
    --------
    >>> import numpy as np
    >>> from rnnkit.sequences import looks_channel_first
    >>> looks_channel_first(np.zeros((60, 3, 200))), looks_channel_first(np.zeros((60, 200, 3)))
    (True, False)
    """
    shape = getattr(X, "shape", ())
    if not isinstance(shape, tuple) or len(shape) != 3:
        return False
    return int(shape[2]) >= CHANNEL_FIRST_RATIO * max(int(shape[1]), 1)


def _is_flat(sequence: Any) -> bool:
    """Whether a sequence of a list is given as numbers (T,), not as steps (T, F)."""
    if isinstance(sequence, (list, tuple)):
        return len(sequence) == 0 or np.ndim(sequence[0]) == 0
    shape = getattr(sequence, "shape", None)  # of a frame, which need not become an array
    return len(shape) == 1 if isinstance(shape, tuple) else np.ndim(sequence) == 1
